/**
 * The system's keyring by Electron's safeStorage, for the node's identity. Thin: what is done with it is in
 * swarm/identity/kept-identity.ts. On Linux without a keyring Electron would encrypt with a password everybody knows; that
 * counts as none, so that nobody is told of a protection that is not there.
 */
import { safeStorage } from 'electron';
import type { KeyVault } from '../swarm/identity/kept-identity.ts';

async function unavailable(): Promise<string | null> {
  if (process.platform === 'linux' && safeStorage.getSelectedStorageBackend() === 'basic_text')
    return 'This desktop has no keyring that Waggle can use (GNOME Keyring or KWallet).';
  return (await safeStorage.isAsyncEncryptionAvailable())
    ? null
    : 'The system keeps no secrets for this user right now.';
}

export const keyring: KeyVault = {
  unavailable,
  seal: (text) => safeStorage.encryptStringAsync(text),
  async open(sealed) {
    const { result, shouldReEncrypt } = await safeStorage.decryptStringAsync(Buffer.from(sealed));
    return { text: result, stale: shouldReEncrypt };
  },
};

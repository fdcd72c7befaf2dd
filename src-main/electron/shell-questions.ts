/**
 * What the node process has to ask the shell for, because only Electron's main process can: the system's keyring, a question to the
 * person at the machine, a restart. Both ends of it over plain messages; knows no Electron, so it runs over a double in a test.
 *
 * Invariants: every question is settled, by an answer or by the end of the channel; secrets cross as messages between two processes
 * of this app and are kept nowhere on the way; which words a confirmation shows is decided here, never by who asks.
 */
import type { OwnerAct, OwnerSeams } from '../engine/swarm/identity-desk.ts';
import type { KeyVault } from '../swarm/identity/kept-identity.ts';
import type { NodeToShell, ShellAnswer, ShellQuestion } from './shell-messages.ts';

/** A message box, as main shows it. */
export interface Confirmation {
  message: string;
  detail: string;
  /** The button that does it; the other one cancels and is the default. */
  button: string;
}

const confirmations: Readonly<Record<OwnerAct, Confirmation>> = {
  showWords: {
    message: 'Show the 24 words of your identity?',
    detail:
      'Whoever sees them is you in the swarm, for ever. Go on only if you have just asked for them yourself and nobody looks on.',
    button: 'Show the words',
  },
  restoreIdentity: {
    message: 'Replace the identity of this node?',
    detail:
      'It becomes the owner of the words that were typed, and starts anew. The identity it has now is kept beside it. Go on only if you have just typed them yourself.',
    button: 'Replace it',
  },
};

export interface ShellAnswererParts {
  vault: KeyVault;
  confirm: (confirmation: Confirmation) => Promise<boolean>;
}

/** Main's side. Never rejects. */
export async function answerShellQuestion(question: ShellQuestion, parts: ShellAnswererParts): Promise<ShellAnswer> {
  try {
    return { ok: true, value: await valueOf(question, parts) };
  } catch (error) {
    return { ok: false, message: error instanceof Error ? error.message.slice(0, 300) : 'unknown error' };
  }
}

async function valueOf(question: ShellQuestion, { vault, confirm }: ShellAnswererParts): Promise<ShellAnswerValue> {
  switch (question.name) {
    case 'keyring':
      return vault.unavailable();
    case 'seal':
      return Buffer.from(await vault.seal(question.text)).toString('base64');
    case 'open': {
      const { text, stale } = await vault.open(Buffer.from(question.sealed, 'base64'));
      return { text, stale };
    }
    case 'confirm':
      return confirm(confirmations[question.act]);
  }
}
type ShellAnswerValue = Extract<ShellAnswer, { ok: true }>['value'];

export interface ShellAsker {
  owner: OwnerSeams;
  /** Feed every answer from main in. */
  answered(id: number, answer: ShellAnswer): void;
}

/** The node's side. `post` goes to main; `restart` ends this process so that main starts another. */
export function createShellAsker(post: (message: NodeToShell) => void, restart: () => void): ShellAsker {
  const waiting = new Map<number, (answer: ShellAnswer) => void>();
  let nextId = 1;
  const ask = async (question: ShellQuestion): Promise<ShellAnswerValue> => {
    const id = nextId++;
    const answer = await new Promise<ShellAnswer>((resolve) => {
      waiting.set(id, resolve);
      post({ kind: 'ask', id, question });
    });
    if (answer.ok) return answer.value;
    throw new Error(answer.message);
  };
  const vault: KeyVault = {
    unavailable: async () => {
      const value = await ask({ name: 'keyring' });
      return typeof value === 'string' ? value : null;
    },
    seal: async (text) => {
      const value = await ask({ name: 'seal', text });
      if (typeof value !== 'string') throw new Error('the shell answered something else');
      return Buffer.from(value, 'base64');
    },
    open: async (sealed) => {
      const value = await ask({ name: 'open', sealed: Buffer.from(sealed).toString('base64') });
      if (typeof value !== 'object' || value === null) throw new Error('the shell answered something else');
      return value;
    },
  };
  return {
    owner: { vault, confirm: async (act) => (await ask({ name: 'confirm', act })) === true, restart },
    answered(id, answer) {
      waiting.get(id)?.(answer);
      waiting.delete(id);
    },
  };
}

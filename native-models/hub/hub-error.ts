/**
 * Everything that can go wrong between this machine and a model hub, as one class with a stable code and what to do about it.
 * Knows nothing of how requests are made. Invariant: no message holds a token or the query of an address (signed links).
 */

/** Whether trying again can help is a property of the code. */
const codes = {
  hubOffline: { again: true },
  hubServer: { again: true },
  hubCut: { again: true },
  hubSlow: { again: true },
  hubBusy: { again: true },
  hubGated: { again: false },
  hubUnknownModel: { again: false },
  hubMissingFile: { again: false },
  hubRefused: { again: false },
  hubBadAnswer: { again: false },
  hubHostileName: { again: false },
  hubWrongHash: { again: false },
  hubNoHash: { again: false },
  hubUnsupported: { again: false },
  hubBadRequest: { again: false },
  hubProxy: { again: false },
  hubLocked: { again: false },
  diskFull: { again: false },
  cancelled: { again: false },
} as const satisfies Record<string, { again: boolean }>;
export type HubErrorCode = keyof typeof codes;

export interface HubErrorInit {
  message: string;
  fix: string;
  /** How long the server asked to wait; null where it did not say. */
  retryAfterMs?: number | null;
  cause?: unknown;
}

export class HubError extends Error {
  readonly code: HubErrorCode;
  readonly fix: string;
  readonly retryAfterMs: number | null;

  constructor(code: HubErrorCode, { message, fix, retryAfterMs = null, cause }: HubErrorInit) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'HubError';
    this.code = code;
    this.fix = fix;
    this.retryAfterMs = retryAfterMs;
  }

  get mayTryAgain(): boolean {
    return codes[this.code].again;
  }
}

export function cancelledError(): HubError {
  return new HubError('cancelled', {
    message: 'The download was cancelled.',
    fix: 'What has arrived is kept: the same command goes on from there.',
  });
}

/** An address fit for messages: without credentials and without the query, which may hold a signature. */
export function shownUrl(url: URL): string {
  return `${url.origin}${url.pathname}`;
}

const NO_CONNECTION = new Set([
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENETUNREACH',
  'EHOSTUNREACH',
  'ENETDOWN',
  'ECONNREFUSED',
  'ETIMEDOUT',
]);
const NO_ROOM = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

/** `ENOSPC`, `ECONNRESET` and so on of a system error; an empty text for anything else. */
export function systemCode(error: unknown): string {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : null;
  return typeof code === 'string' ? code : '';
}

/** What a failed connection to `url` means for the user. Errors of ours come back as they are. */
export function asNetworkError(error: unknown, url: URL): unknown {
  if (error instanceof HubError) return error;
  const code = systemCode(error);
  const detail = error instanceof Error ? error.message : String(error);
  if (code === 'ABORT_ERR') return cancelledError();
  if (NO_CONNECTION.has(code)) {
    return new HubError('hubOffline', {
      message: `${url.host} cannot be reached (${code}).`,
      fix: 'Check the network, or set HTTPS_PROXY or a mirror with HF_ENDPOINT; a model folder that is on this disk needs no network.',
      cause: error,
    });
  }
  if (code.startsWith('ERR_PROXY')) {
    return new HubError('hubProxy', {
      message: `The proxy did not connect to ${url.host} (${code}).`,
      fix: 'Check HTTPS_PROXY, HTTP_PROXY and NO_PROXY; they take http:// or https:// addresses.',
      cause: error,
    });
  }
  if (/^(ERR_TLS|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|ERR_SSL)/.test(code)) {
    return new HubError('hubRefused', {
      message: `${url.host} shows a certificate that this machine does not trust (${code}).`,
      fix: "Behind a proxy that inspects traffic, name its certificate with NODE_EXTRA_CA_CERTS; otherwise check the machine's clock.",
      cause: error,
    });
  }
  return new HubError('hubCut', {
    message: `The connection to ${url.host} broke (${code === '' ? detail : code}).`,
    fix: 'Try again: what has arrived is kept.',
    cause: error,
  });
}

/** A full disk by its own name; any other error as it is. */
export function asDiskError(error: unknown, path: string): unknown {
  if (!NO_ROOM.has(systemCode(error))) return error;
  return new HubError('diskFull', {
    message: `The disk is full: ${path} could not be written.`,
    fix: 'Free some space and run the same command again: it goes on where it stopped. Or choose another folder with --models.',
    cause: error,
  });
}

/**
 * The one error class of text/: a tokenizer that cannot be read or used.
 * Thrown for broken environments (files missing, corrupt, of a kind that is not supported), never for odd input text.
 */

export type TokenizerErrorCode =
  | 'missingFile'
  | 'unreadableFile'
  | 'tooLarge'
  | 'notJson'
  | 'badShape'
  | 'noEndToken'
  | 'badTokenId'
  | 'badTemplate'
  | 'emptyCorpus'
  | 'badOption';

export class TokenizerError extends Error {
  override readonly name = 'TokenizerError';
  readonly code: TokenizerErrorCode;
  /** The file concerned, or null when it is about an argument. */
  readonly file: string | null;
  /** What to do about it, one sentence. */
  readonly fix: string;

  constructor(code: TokenizerErrorCode, file: string | null, message: string, fix: string, cause?: unknown) {
    super(`${message}${file === null ? '' : ` (${file})`}. ${fix}`, cause === undefined ? undefined : { cause });
    this.code = code;
    this.file = file;
    this.fix = fix;
  }
}

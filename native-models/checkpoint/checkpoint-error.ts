/**
 * The one error class of the checkpoint store. A damaged checkpoint is not an error: the store falls back and reports it.
 */

export type CheckpointErrorCode = 'diskFull' | 'foreign' | 'newerFormat' | 'notAFolder' | 'unusable' | 'badArgument';

const fixes: Record<CheckpointErrorCode, string> = {
  diskFull: 'Free some space on that disk, or choose another data folder; the last checkpoint is untouched.',
  foreign: 'Choose another data folder, or move this folder away; it was left untouched.',
  newerFormat: 'Start the newer version of Waggle that wrote it, or choose another data folder; it was left untouched.',
  notAFolder: 'Move that file away or choose another data folder.',
  unusable: 'Check the permissions of the folder and that the disk is healthy and not read-only.',
  badArgument: 'This is a fault in Waggle: please report it with this message.',
};

export class CheckpointError extends Error {
  override readonly name = 'CheckpointError';
  readonly code: CheckpointErrorCode;
  readonly path: string;
  /** With `diskFull`: bytes left on that disk for this user, null where the system would not say. Else null. */
  readonly freeBytes: number | null;
  readonly fix: string;

  constructor(
    code: CheckpointErrorCode,
    path: string,
    detail: string,
    more: { freeBytes?: number | null; cause?: unknown } = {},
  ) {
    super(`${detail} (${path}). ${fixes[code]}`, more.cause === undefined ? undefined : { cause: more.cause });
    this.code = code;
    this.path = path;
    this.freeBytes = more.freeBytes ?? null;
    this.fix = fixes[code];
  }
}

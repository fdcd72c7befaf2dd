/**
 * The one error class of safetensors files: what is wrong, in which file, with which tensor, and what to do.
 * Thrown at the door: nothing of a file that fails a check is used.
 */

export type SafetensorsErrorCode =
  | 'missingFile'
  | 'unreadableFile'
  | 'diskFull'
  | 'truncated'
  | 'headerTooLarge'
  | 'notJson'
  | 'badHeader'
  | 'duplicateName'
  | 'badShape'
  | 'unsupportedDtype'
  | 'sizeMismatch'
  | 'outOfRange'
  | 'overlap'
  | 'hole'
  | 'noSuchTensor'
  | 'notFinite'
  | 'badTensor';

const fixes: Record<SafetensorsErrorCode, string> = {
  missingFile: 'Check the path; a model folder holds model.safetensors or its shards.',
  unreadableFile: 'Check the permissions of the file and that the disk is healthy.',
  diskFull: 'Free some space on that disk, then try again.',
  truncated: 'The file was cut short: copy or download it again.',
  headerTooLarge: 'This is hardly a safetensors file: copy it again from where it came from.',
  notJson: 'This is not a safetensors file, or it is damaged: copy it again from where it came from.',
  badHeader: 'The file is damaged or was written by a faulty program: copy it again from where it came from.',
  duplicateName: 'The file was written by a faulty program: save the model again.',
  badShape: 'The file is damaged or was written by a faulty program: save the model again.',
  unsupportedDtype: 'Convert the model to F32, F16 or BF16 first.',
  sizeMismatch: 'The file is damaged or was written by a faulty program: save the model again.',
  outOfRange: 'The file was cut short or damaged: copy it again from where it came from.',
  overlap: 'The file was written by a faulty program: save the model again.',
  hole: 'The file has bytes that belong to no tensor: save the model again with the safetensors library.',
  noSuchTensor: 'The file belongs to another architecture: check config.json beside it.',
  notFinite: 'The weights are ruined (a diverged run?): go back to an earlier copy.',
  badTensor: 'Pass data whose type and length agree with dtype and shape.',
};

export class SafetensorsError extends Error {
  override readonly name = 'SafetensorsError';
  readonly code: SafetensorsErrorCode;
  /** Path, or what the bytes were said to be. */
  readonly file: string;
  /** The tensor concerned, or null when it is about the file. */
  readonly tensor: string | null;
  readonly fix: string;

  constructor(code: SafetensorsErrorCode, file: string, tensor: string | null, detail: string, cause?: unknown) {
    const where = tensor === null ? file : `${file}, tensor ${JSON.stringify(tensor.slice(0, 120))}`;
    super(`${detail} (${where}). ${fixes[code]}`, cause === undefined ? undefined : { cause });
    this.code = code;
    this.file = file;
    this.tensor = tensor;
    this.fix = fixes[code];
  }
}

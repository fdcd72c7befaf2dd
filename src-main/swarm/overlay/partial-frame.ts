/**
 * Bounds a frame while it is still coming in: a Noise stream hands on whole frames only, and one may announce 16 MB. Knows nothing
 * of what frames mean.
 */
import type { NoiseStream } from 'hyperdht';

/** Cipher, and the packet in which the frame before it ended. */
const SLACK_BYTES = 4 * 1024;

/** Calls `onTooLong` with each part that comes beyond the bound; the connection is for the caller to end. It must be open. */
export function boundPartialFrames(
  connection: NoiseStream,
  maxFrameBytes: number,
  onTooLong: (bytes: number) => void,
): void {
  let partialBytes = 0;
  let wholeBytes = 0;
  connection.rawStream.on('data', (part) => {
    const { rawBytesRead } = connection; // grows with whole frames, those that keep the connection alive included
    partialBytes = rawBytesRead === wholeBytes ? partialBytes + part.byteLength : 0;
    wholeBytes = rawBytesRead;
    if (partialBytes > maxFrameBytes + SLACK_BYTES) onTooLong(partialBytes);
  });
}

/** Puts the numbers of a checkpoint into a policy's arrays, or says why they are not that policy's. Knows nothing of files. */

export const FOREIGN_FIX =
  'Start with the policy this data folder was made with (--policy), or give this one a data folder of its own with --data.';

export function foreignCheckpoint(message: string, fix = FOREIGN_FIX): Error {
  return Object.assign(new Error(message), { code: 'foreign', fix });
}

/** @throws Error `foreign` where one is missing or of another length; the parts before it are then filled. */
export function fillParts(
  parts: Readonly<Record<string, Float32Array>>,
  saved: Readonly<Record<string, { data: Float32Array } | undefined>>,
): void {
  for (const [name, target] of Object.entries(parts)) {
    const data = saved[name]?.data;
    if (data?.length !== target.length)
      throw foreignCheckpoint(
        `The checkpoint holds ${data?.length ?? 0} numbers for ${name}, this policy has ${target.length}: it belongs to another policy`,
      );
    target.set(data);
  }
}

/** Reads reactive values so that the effect around the call runs again when they change. Does nothing with them. */
export function dependsOn(..._values: unknown[]): void {
  // Reading the arguments is all.
}

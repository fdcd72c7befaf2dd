/**
 * A second line of training in the process and the sessions of the first: a copy of everything that training changes, taken at
 * one moment, that later changes places with it. After two exchanges the policy has the very bits it had before the first.
 * One copy more in memory (weights and both moments), no second process and no second session. Knows nothing of what either
 * line is trained on.
 *
 * Invariant: while the policy is `away`, what is in its place must not be saved or exported as the policy.
 */
interface Line {
  /** By name, flat; the same names and lengths at every exchange. */
  parts: Readonly<Record<string, Float32Array>>;
  optimizer: { step: number };
}

export class Branch {
  private readonly kept: Record<string, Float32Array>;
  private step: number;
  /** Between the first exchange and the second. */
  away = false;

  constructor({ parts, optimizer }: Line) {
    this.kept = Object.fromEntries(Object.entries(parts).map(([name, values]) => [name, values.slice()]));
    this.step = optimizer.step;
  }

  get bytes(): number {
    return Object.values(this.kept).reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  /** @throws RangeError, nothing changed, where the policy's parts are others than those that were copied */
  exchange({ parts, optimizer }: Line): void {
    const names = Object.keys(parts);
    const differ = names.find((name) => this.kept[name]?.length !== parts[name]!.length);
    if (differ !== undefined || names.length !== Object.keys(this.kept).length)
      throw new RangeError(`The branch was taken from other parts of the policy: ${differ ?? names.join(', ')}`);
    for (const name of names) {
      const here = parts[name]!;
      const there = this.kept[name]!;
      for (let i = 0; i < here.length; i++) [here[i], there[i]] = [there[i]!, here[i]!];
    }
    [this.step, optimizer.step] = [optimizer.step, this.step];
    this.away = !this.away;
  }
}

/**
 * Writes BF programs: a tape with named places and a few statements, from which longer programs are put together. Our own
 * scheme, not the reference library's compiler. Knows nothing of tasks.
 *
 * A counter takes four cells: its value and three that are zero between statements. `pointer` is where the machine's head stands
 * after the text so far; each statement leaves the head where it can be known, also behind a loop or a condition.
 */

export class BfProgram {
  text = '';
  #pointer = 0;

  #go(cell: number): this {
    const distance = cell - this.#pointer;
    this.text += (distance < 0 ? '<' : '>').repeat(Math.abs(distance));
    this.#pointer = cell;
    return this;
  }

  add(cell: number, amount: number): this {
    this.#go(cell).text += (amount < 0 ? '-' : '+').repeat(Math.abs(amount));
    return this;
  }

  /** Makes a zero cell `amount`; the zero cell to its right is used on the way. */
  set(cell: number, amount: number): this {
    const side = Math.floor(Math.sqrt(amount));
    if (side < 4) return this.add(cell, amount);
    const factor = Math.floor(amount / side);
    this.add(cell + 1, side).loop(cell + 1, () => this.add(cell, factor).add(cell + 1, -1));
    return this.add(cell, amount - side * factor);
  }

  clear(cell: number): this {
    this.#go(cell).text += '[-]';
    return this;
  }

  print(cell: number): this {
    this.#go(cell).text += '.';
    return this;
  }

  /** Repeats `body` while the cell is not zero. */
  loop(cell: number, body: () => void): this {
    this.#go(cell).text += '[';
    body();
    this.#go(cell).text += ']';
    return this;
  }

  /** Takes one from a counter unless it is zero already. */
  decrement(counter: number): this {
    // A flag is raised beside the counter. The first loop lowers it and ends on it; else the second one does.
    this.#go(counter).text += '>+<[->-]>[->]';
    this.#pointer = counter + 2;
    return this.#go(counter);
  }

  /** Runs `body` where a counter is zero. */
  ifZero(counter: number, body: () => void): this {
    // Likewise; here the first loop keeps the counter and ends beyond the flag.
    this.#go(counter).text += '>+<[>->]>[-';
    this.#pointer = counter + 1;
    body();
    this.#go(counter + 3).text += ']';
    return this;
  }
}

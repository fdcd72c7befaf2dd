/**
 * Evaluates an arithmetic expression of integers, + - * / and parentheses as Python would with // for /.
 * For expressions we generated; answers from outside never come here. Exact: values are bigints.
 */

export class DivisionByZeroError extends Error {
  readonly code = 'TASK_DIVISION_BY_ZERO';
}

/** Rounds towards minus infinity. */
export function floorDivide(a: bigint, b: bigint): bigint {
  if (b === 0n) throw new DivisionByZeroError('division by zero');
  const quotient = a / b;
  return a % b !== 0n && a < 0n !== b < 0n ? quotient - 1n : quotient;
}

/** Recursive descent over the text without white space. Throws SyntaxError, a bug of the caller, on anything malformed. */
export function evaluateFloor(expression: string): bigint {
  const text = expression.replace(/\s+/g, '');
  let at = 0;
  const malformed = (): SyntaxError => new SyntaxError(`malformed expression at ${at}: ${text}`);

  const factor = (): bigint => {
    if (text[at] === '-') {
      at++;
      return -factor();
    }
    if (text[at] === '(') {
      at++;
      const value = sum();
      if (text[at++] !== ')') throw malformed();
      return value;
    }
    const digits = /^[0-9]+/.exec(text.slice(at, at + 64))?.[0];
    if (digits === undefined) throw malformed();
    at += digits.length;
    return BigInt(digits);
  };
  const term = (): bigint => {
    let value = factor();
    while (text[at] === '*' || text[at] === '/')
      value = text[at++] === '*' ? value * factor() : floorDivide(value, factor());
    return value;
  };
  const sum = (): bigint => {
    let value = term();
    while (text[at] === '+' || text[at] === '-') value = text[at++] === '+' ? value + term() : value - term();
    return value;
  };

  const value = sum();
  if (at !== text.length) throw malformed();
  return value;
}

/** The reference itself has no instance here (it divides by zero), needs unbounded work, or has no right answer: `instantiate` turns this into a reason. */
export class UndefinedInstanceError extends Error {
  readonly code = 'TASK_UNDEFINED_INSTANCE';
}

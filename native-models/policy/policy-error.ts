/** The one error class of policy/: a model folder, or a request to one, that cannot be used; `fix` says what to do. */

export type PolicyErrorCode = 'policyUnsupported' | 'policyInvalid' | 'policyMissing';

export class PolicyError extends Error {
  readonly code: PolicyErrorCode;
  readonly fix: string;
  constructor(code: PolicyErrorCode, message: string, fix: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'PolicyError';
    this.code = code;
    this.fix = fix;
  }
}

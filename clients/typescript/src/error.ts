import type { ErrorCode, TokenProblem } from './schema.js';

/** What the server says of an error beside its message. */
interface Told {
  code?: unknown;
  reason?: unknown;
  retryAfter?: unknown;
  field?: unknown;
}

/**
 * Why `code` may be more than the server's codes: NETWORK_ERROR, no answer that is GraphQL came within the time;
 * USER_CHANGED, another user has signed in since the request was made, so it must not be sent.
 */
export type AuthErrorCode = ErrorCode | 'NETWORK_ERROR' | 'USER_CHANGED';

/** Why something could not be done. Decide by `code`; the message is for people. It never holds a token. */
export class AuthError extends Error {
  override readonly name = 'AuthError';
  readonly code: AuthErrorCode;
  /** What is the matter with the token, where the code says that it is the token. */
  readonly reason: TokenProblem | undefined;
  /** After how many seconds the next try has a chance, where the code is RATE_LIMITED. */
  readonly retryAfter: number | undefined;
  /** The argument that is not acceptable, where the code is BAD_USER_INPUT. */
  readonly field: string | undefined;

  constructor(message: string, told: Told, options?: ErrorOptions) {
    super(message, options);
    this.code = told.code as AuthErrorCode;
    this.reason = told.reason as TokenProblem | undefined;
    this.retryAfter = typeof told.retryAfter === 'number' ? told.retryAfter : undefined;
    this.field = told.field as string | undefined;
  }
}

// What went wrong: as a code to decide by, and in words.

import { CombinedGraphQLErrors, ServerError, ServerParseError } from '@apollo/client/errors';
import { AuthError, ErrorCode } from '@latchkey/client';
import type { AuthErrorCode, SignedOutReason } from '@latchkey/client';

/** The code of an error, whether it comes from @latchkey/client or from Apollo Client; undefined for any other. */
export function codeOf(error: unknown): AuthErrorCode | undefined {
  if (error instanceof AuthError) return error.code;
  if (CombinedGraphQLErrors.is(error)) return error.errors[0]?.extensions?.code as ErrorCode | undefined;
  if (ServerError.is(error) || ServerParseError.is(error)) return error.statusCode < 500 ? undefined : 'NETWORK_ERROR';
  if (error instanceof TypeError) return 'NETWORK_ERROR'; // what fetch throws
  return undefined;
}

function retryAfterOf(error: unknown): unknown {
  if (error instanceof AuthError) return error.retryAfter;
  if (CombinedGraphQLErrors.is(error)) return error.errors[0]?.extensions?.retryAfter;
  return undefined;
}

export function messageOf(error: unknown): string {
  switch (codeOf(error)) {
    case 'NETWORK_ERROR':
      return 'The server cannot be reached. Please try again.';
    case ErrorCode.INVALID_CREDENTIALS:
      return 'Wrong username or password.';
    case ErrorCode.RATE_LIMITED:
      return `Too many tries. Please wait ${retryAfterOf(error) ?? 'some'} seconds.`;
    case ErrorCode.FORBIDDEN:
      return 'You are not allowed to do this.';
    default:
      return 'Something went wrong. Please try again.';
  }
}

/** Why nobody is signed in; null where there is nothing to explain. */
export const reasons: Record<SignedOutReason, string | null> = {
  NO_SESSION: null,
  SIGNED_OUT: 'You have signed out.',
  REVOKED: 'Your session was ended, perhaps from another device. Sign in to go on.',
  EXPIRED: 'You were away for long, so your session has ended. Sign in to go on.',
  REUSED: 'Your session was ended because its key came from two places. If you sign in, change your password.',
  STALE: 'Your account has changed, so your session has ended. Sign in to go on.',
  WRONG_TYPE: 'Your session could not go on. Please sign in again.',
  MALFORMED: 'Your session could not go on. Please sign in again.',
};

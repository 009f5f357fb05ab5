import { ClientError } from 'graphql-request';
import { ErrorCode, TokenProblem } from './gql/schema.js';

/** What went wrong with one field of an answer, or with all of it. */
export interface Failure {
  code: ErrorCode;
  /** Why the token was not accepted, where that is what went wrong. */
  reason?: TokenProblem;
  message: string;
}

/** failuresOf returns what a server said went wrong. A code that is newer than the types counts as the server's fault. */
export function failuresOf(error: unknown): Failure[] {
  if (!(error instanceof ClientError)) throw error; // the network, or a slip of this program
  return (error.response.errors ?? []).map(({ message, extensions }) => {
    const code = Object.values(ErrorCode).find((known) => known === extensions.code) ?? ErrorCode.INTERNAL_SERVER_ERROR;
    const reason = Object.values(TokenProblem).find((known) => known === extensions.reason);
    return reason === undefined ? { code, message } : { code, reason, message };
  });
}

/** mayRefresh tells whether a refresh token can help. */
export function mayRefresh({ code, reason }: Failure): boolean {
  if (code !== ErrorCode.UNAUTHENTICATED) return false;
  return reason === TokenProblem.EXPIRED || reason === TokenProblem.STALE;
}

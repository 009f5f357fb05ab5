import { makeErrorResult, makeOperation } from '@urql/core';
import type { Exchange, Operation, OperationResult } from '@urql/core';
import { filter, makeSubject, merge, pipe, tap } from 'wonka';

import type { Auth } from './auth.js';
import type { Refusal } from './refusal.js';
import { operationOf, refusalOf } from './refusal.js';

/** What is noted in an operation's context: the token that it was sent with, and whether that was the second one. */
interface Note {
  access: string;
  repeated: boolean;
}

/**
 * Makes an exchange for urql 5 that sends the access token along, and repeats an operation once with a new one where
 * the server refuses it, wholly or in parts. It goes right before `fetchExchange`.
 */
export function authExchange(auth: Auth): Exchange {
  return ({ forward }) =>
    (operations$) => {
      const sent = makeSubject<Operation>();
      const failed = makeSubject<OperationResult>();
      const waits = new Map<unknown, AbortController>();

      /** wait calls `then` with what it waited for, unless the operation is torn down before. */
      const wait = (
        operation: Operation,
        ask: (signal: AbortSignal) => Promise<string | null>,
        then: (access: string | null) => void,
      ): void => {
        const id = identity(operation);
        const stop = new AbortController();
        waits.set(id, stop);
        const end = (work: () => void): void => {
          if (stop.signal.aborted) return;
          waits.delete(id);
          work();
        };
        ask(stop.signal).then(
          (access) => end(() => then(access)),
          (error) => end(() => failed.next(makeErrorResult(operation, error))),
        );
      };

      const start = (operation: Operation): void => {
        if (operation.kind === 'teardown') {
          waits.get(identity(operation))?.abort();
          waits.delete(identity(operation));
          return sent.next(operation);
        }
        wait(
          operation,
          (signal) => auth.getAccessToken({ signal }),
          (access) => sent.next(access ? authorized(operation, { access, repeated: false }) : operation),
        );
      };

      /** repeat takes a result that a repetition may mend, and reports whether it did. */
      const repeat = (result: OperationResult): boolean => {
        const { operation } = result;
        const note = operation.context.latchkey as Note | undefined;
        const refusal = note && !note.repeated ? refusalIn(result) : null;
        if (!note || !refusal) return false;
        wait(
          operation,
          (signal) => auth.renew(note.access, { reason: refusal.reason, signal }),
          (access) => {
            if (access) sent.next(authorized(operation, { access, repeated: true }));
            else failed.next(result);
          },
        );
        return true;
      };

      const started$ = pipe(
        operations$,
        tap(start),
        filter(() => false),
      );
      const results$ = pipe(
        forward(merge([sent.source, started$])),
        filter((result) => !repeat(result)),
      );
      return merge([failed.source, results$]);
    };
}

function identity(operation: Operation): unknown {
  return operation.context._instance ?? operation.key;
}

function authorized(operation: Operation, note: Note): Operation {
  const { fetchOptions } = operation.context;
  const options = typeof fetchOptions === 'function' ? fetchOptions() : (fetchOptions ?? {});
  const headers = new Headers(options.headers);
  headers.set('Authorization', `Bearer ${note.access}`);
  return makeOperation(operation.kind, operation, {
    ...operation.context,
    fetchOptions: { ...options, headers: Object.fromEntries(headers) },
    latchkey: note,
  });
}

function refusalIn({ operation, data, error }: OperationResult): Refusal | null {
  if (!error) return null;
  const shape = operationOf(operation.query, operation.context.operationName as string | undefined);
  const status = (error.response as Response | undefined)?.status;
  // What of a mutation was refused, the status does not tell.
  const unauthorized = status === 401 && error.graphQLErrors.length === 0 && (!shape.changes || shape.fields === 1);
  if (unauthorized) return { reason: undefined };
  return refusalOf({ data, errors: error.graphQLErrors }, shape);
}

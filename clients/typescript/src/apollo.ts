import { ApolloLink } from '@apollo/client/link';
import { ServerError } from '@apollo/client/errors';
import { Observable } from 'rxjs';
import type { Subscription } from 'rxjs';

import type { Auth } from './auth.js';
import { operationOf, refusalOf } from './refusal.js';

/**
 * Makes a link for Apollo Client 4 that sends the access token along, and repeats an operation once with a new one
 * where the server refuses it, wholly or in parts. It goes before the link that sends.
 */
export function createAuthLink(auth: Auth): ApolloLink {
  return new ApolloLink(
    (operation, forward) =>
      new Observable((observer) => {
        const { changes, fields } = operationOf(operation.query, operation.operationName);
        const stop = new AbortController();
        const { signal } = stop;
        let sending: Subscription | undefined;

        /** send passes on what comes; `refused` gets the first answer where a repetition may mend it. */
        const send = (access: string | null, refused?: (reason: unknown, giveUp: () => void) => void): void => {
          if (access) {
            operation.setContext((context) => ({
              headers: { ...(context.headers as Record<string, string>), authorization: `Bearer ${access}` },
            }));
          }
          let caught = false;
          const offer = (refusal: { reason: unknown } | null, pass: () => void): void => {
            if (!refusal || !refused || caught) return pass();
            caught = true;
            sending?.unsubscribe();
            refused(refusal.reason, pass);
          };
          sending = forward(operation).subscribe({
            next: (result) => {
              offer(refusalOf(result, { changes, fields }), () => {
                observer.next(result);
                if (caught) observer.complete();
              });
              refused = undefined;
            },
            error: (error) => {
              // What of a mutation was refused, the status does not tell.
              const unauthorized = ServerError.is(error) && error.statusCode === 401 && (!changes || fields === 1);
              offer(unauthorized ? { reason: undefined } : null, () => observer.error(error));
            },
            complete: () => {
              if (!caught) observer.complete();
            },
          });
        };

        const begin = async (): Promise<void> => {
          const access = await auth.getAccessToken({ signal });
          if (signal.aborted) return;
          if (!access) return send(null);
          send(access, (reason, giveUp) => {
            auth.renew(access, { reason, signal }).then((renewed) => {
              if (signal.aborted) return;
              if (renewed) send(renewed);
              else giveUp();
            }, fail);
          });
        };
        const fail = (error: unknown): void => {
          if (!signal.aborted) observer.error(error);
        };
        begin().catch(fail);

        return () => {
          stop.abort();
          sending?.unsubscribe();
        };
      }),
  );
}

import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from '@apollo/client';
import { RetryLink } from '@apollo/client/link/retry';
import { OperationTypeNode } from 'graphql';
import { createAuthLink } from '@latchkey/client/apollo';

import { auth } from './auth';
import { watchedFetch } from './connection';
import { codeOf } from './errors';

// A query waits for a server that is away, however long. A mutation is not sent twice: its answer may have been lost.
const retryLink = new RetryLink({
  delay: { initial: 500, max: 5000 },
  attempts: (_count, { operationType }, error) =>
    operationType === OperationTypeNode.QUERY && codeOf(error) === 'NETWORK_ERROR',
});

/** Makes a client with an empty cache. Each user gets one, so that nobody sees what was another's. */
export function createClient(): ApolloClient {
  // The cookie goes along, so that the server can remove it with the session that it belongs to.
  const httpLink = new HttpLink({ uri: auth.url, fetch: watchedFetch, credentials: 'include' });
  return new ApolloClient({
    link: ApolloLink.from([retryLink, createAuthLink(auth), httpLink]),
    cache: new InMemoryCache(),
  });
}

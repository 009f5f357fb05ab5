import { Environment, Network, RecordSource, Store } from 'relay-runtime';
import type { GraphQLResponse } from 'relay-runtime';

/** createEnvironment returns a Relay environment that talks to a Latchkey, with the access token of the moment. */
export function createEnvironment(url: string, accessToken: () => string | null): Environment {
  const network = Network.create(async ({ id, text }, variables): Promise<GraphQLResponse> => {
    const access = accessToken();
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...(access && { Authorization: `Bearer ${access}` }) },
      // A document has an id where the compiler persisted it, and a text where it did not.
      body: JSON.stringify(id ? { documentId: id, variables } : { query: text, variables }),
    });
    return response.json();
  });
  return new Environment({ network, store: new Store(new RecordSource()) });
}

import { Kind, parse } from 'graphql';

import { authorize } from './headers.js';

// createFetcher returns what sends the operations of the editor: with the session's access token, and with the schema
// described by what each field requires. What it throws, GraphiQL shows in the place of an answer.
export function createFetcher({ post, session, access }) {
  return async function fetcher(params, options) {
    if (isIntrospection(params)) return introspect(params, options);

    const { operation, operationName } = chosen(params);
    const request = { ...params, operationName };
    const answer = await run(request, options);
    if (!answer.refusedOwn) return answer.result;
    // The session has changed on the server: a refresh brings it up to date, or says that it is over. A query can then
    // simply be sent again; a mutation may have been carried out in part.
    await session.refresh();
    return operation === 'query' ? (await run(request, options)).result : answer.result;
  };

  async function run(params, options) {
    const { headers, own } = await authorize(options?.headers, session);
    const result = await post(params, { headers: accepting(headers) });
    return { result, refusedOwn: own && result.errors?.some((error) => error.extensions?.code === 'UNAUTHENTICATED') };
  }

  // introspect does not wait for the session: the schema is the same for everybody.
  async function introspect(params, options) {
    const result = await post(params, { headers: accepting(new Headers(options?.headers)) });
    if (result.data?.__schema) return access.describe(result);
    access.hide('The server does not show its schema (LATCHKEY_INTROSPECTION is off).');
    throw new Error(noSchema(result));
  }
}

function accepting(headers) {
  headers.set('Accept', 'application/graphql-response+json, application/json;q=0.9');
  return headers;
}

function isIntrospection({ operationName, query }) {
  return operationName === 'IntrospectionQuery' && query.includes('__schema');
}

// chosen returns the kind and the name of the operation that is to run. GraphiQL reads a document a moment after it was
// changed, and until then gives the name of an operation that was there before.
function chosen({ query, operationName }) {
  const operations = operationsOf(query).map(({ operation, name }) => ({ operation, operationName: name?.value }));
  const named = operations.find((operation) => operation.operationName === operationName);
  return named ?? (operations.length === 1 ? operations[0] : { operationName });
}

function operationsOf(query) {
  try {
    return parse(query, { noLocation: true }).definitions.filter(({ kind }) => kind === Kind.OPERATION_DEFINITION);
  } catch {
    return []; // the server says what is wrong with it
  }
}

function noSchema(result) {
  const reason = result.errors?.[0]?.message ?? 'no reason given';
  return (
    'The server does not show its schema, so there is no documentation and no completion here. ' +
    `Operations can be written and run all the same. Its answer: ${reason}`
  );
}

const ENDPOINT = '/graphql';

// fetcher sends an operation and returns the answer of the server. What it
// throws, GraphiQL shows in the place of an answer.
export async function fetcher(params, options) {
  const headers = new Headers(options?.headers);
  headers.set('Accept', 'application/graphql-response+json, application/json;q=0.9');
  headers.set('Content-Type', 'application/json');

  const response = await fetch(ENDPOINT, {
    method: 'POST',
    headers,
    body: JSON.stringify(params),
    cache: 'no-store',
    credentials: 'same-origin', // the refresh cookie
  });
  const result = await parse(response);
  if (isIntrospection(params) && !result.data?.__schema) {
    throw new Error(noSchema(result));
  }
  return result;
}

async function parse(response) {
  const text = await response.text();
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`The server answered ${response.status} ${response.statusText} without JSON: ${text.slice(0, 500)}`);
  }
}

function isIntrospection({ operationName, query }) {
  return operationName === 'IntrospectionQuery' && query.includes('__schema');
}

function noSchema(result) {
  const reason = result.errors?.[0]?.message ?? 'no reason given';
  return (
    'The server does not show its schema, so there is no documentation and no completion here. ' +
    `Operations can be written and run all the same. Its answer: ${reason}`
  );
}

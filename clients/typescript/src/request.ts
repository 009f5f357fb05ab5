import { documents } from './documents.js';
import { AuthError } from './error.js';

export interface Call {
  url: string;
  fetch: typeof fetch;
  credentials: RequestCredentials | undefined;
  operationName: keyof typeof documents;
  variables: Record<string, unknown>;
  access: string | null;
  signal: AbortSignal;
}

/** call sends one of the documents and returns the data of its root field. What else comes of it is an AuthError. */
export async function call(c: Call): Promise<unknown> {
  const headers: Record<string, string> = {
    Accept: 'application/graphql-response+json, application/json;q=0.9',
    'Content-Type': 'application/json',
  };
  if (c.access) headers.Authorization = `Bearer ${c.access}`;
  const { operationName, variables, signal } = c;
  const init: RequestInit = {
    method: 'POST',
    headers,
    body: JSON.stringify({ query: documents[operationName], operationName, variables }),
    signal,
  };
  if (c.credentials) init.credentials = c.credentials;

  let response: Response | undefined;
  let answer: { data?: Record<string, unknown> | null; errors?: { message: string; extensions?: object }[] };
  try {
    response = await c.fetch(c.url, init);
    answer = await response.json();
  } catch (cause) {
    if (response) throw unreadable(response);
    throw new AuthError('The server cannot be reached.', { code: 'NETWORK_ERROR' }, { cause });
  }
  const error = answer?.errors?.[0];
  if (error) throw new AuthError(error.message, error.extensions ?? { code: 'INTERNAL_SERVER_ERROR' });
  const [field] = Object.values(answer?.data ?? {});
  if (field === undefined || field === null) throw unreadable(response);
  return field;
}

/** unreadable is the error for an answer that something before the server may have given: a proxy, a login wall. */
function unreadable(response: Response): AuthError {
  const message = `The server answered with status ${response.status}, and not as GraphQL does.`;
  const retryAfter = Number(response.headers.get('Retry-After') ?? NaN);
  return response.status === 429 && retryAfter >= 0
    ? new AuthError(message, { code: 'RATE_LIMITED', retryAfter })
    : new AuthError(message, { code: 'NETWORK_ERROR' });
}

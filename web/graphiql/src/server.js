const ENDPOINT = '/graphql';

// post sends an operation and returns the answer of the server, parsed.
export async function post(params, { headers, signal } = {}) {
  const all = new Headers(headers);
  all.set('Content-Type', 'application/json');
  const response = await fetch(ENDPOINT, {
    method: 'POST',
    headers: all,
    body: JSON.stringify(params),
    cache: 'no-store',
    credentials: 'same-origin', // the refresh cookie
    signal,
  });
  return parse(response);
}

// readSDL returns the schema as the server publishes it, with the directives that introspection leaves out.
export async function readSDL() {
  const response = await fetch('/schema.graphql', { credentials: 'omit' });
  if (!response.ok) throw new Error(`/schema.graphql answered ${response.status}`);
  return response.text();
}

async function parse(response) {
  const text = await response.text();
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`The server answered ${response.status} ${response.statusText} without JSON: ${text.slice(0, 500)}`);
  }
}

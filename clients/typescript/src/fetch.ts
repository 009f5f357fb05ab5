import type { Auth } from './auth.js';
import { refusalOf } from './refusal.js';
import type { Operation } from './refusal.js';

export interface FetchOptions {
  /** The origins that get the access token, such as `https://api.example.org`. The server's own always does. */
  origins?: readonly string[];
  /** Sends the requests; the global `fetch` where it is left out. */
  fetch?: typeof fetch;
}

/**
 * Makes a `fetch` that sends the access token along and repeats a request once with a new one where the server refuses
 * it: with UNAUTHENTICATED in a GraphQL answer, or with status 401. Requests to other origins, and those that have an
 * Authorization header, pass unchanged.
 */
export function createFetch(auth: Auth, options: FetchOptions = {}): typeof fetch {
  const send: typeof fetch = options.fetch ?? ((input, init) => fetch(input, init));
  let trusted: string[] | undefined; // by the first request: a server loads the page's code, and has no location

  return async (input, init) => {
    const request = new Request(input, init);
    trusted ??= [auth.url, ...(options.origins ?? [])].map(originOf);
    if (request.headers.has('Authorization') || !trusted.includes(originOf(request.url))) return send(request);
    const { signal } = request;
    const access = await auth.getAccessToken({ signal });
    if (!access) return send(request);

    const again = request.clone(); // a body can be read once
    const response = await send(authorized(request, access));
    const refusal = await refusalIn(response, again);
    const renewed = refusal && (await auth.renew(access, { reason: refusal.reason, signal }));
    return renewed ? send(authorized(again, renewed)) : response;
  };
}

function originOf(url: string): string {
  return new URL(url, globalThis.location?.href).origin;
}

function authorized(request: Request, access: string): Request {
  request.headers.set('Authorization', `Bearer ${access}`);
  return request;
}

async function refusalIn(response: Response, request: Request): Promise<{ reason: unknown } | null> {
  if (/^application\/(graphql-response\+)?json\b/i.test(response.headers.get('Content-Type') ?? '')) {
    const text = await response.clone().text();
    if (text.includes('"UNAUTHENTICATED"')) {
      const answer: unknown = JSON.parse(text);
      if (isAnswer(answer)) return refusalOf(answer, await operationIn(request));
    }
  }
  return response.status === 401 ? { reason: undefined } : null; // refused before anything was done
}

function isAnswer(value: unknown): value is { errors: [] } {
  return typeof value === 'object' && value !== null && Array.isArray((value as { errors?: unknown }).errors);
}

/** operationIn tells what a GraphQL request does; where that is not known, it may change something. */
async function operationIn(request: Request): Promise<Operation> {
  if (request.method === 'GET') return { changes: false, fields: undefined };
  try {
    const { query, operationName } = JSON.parse(await request.clone().text());
    return operationInText(query, operationName ?? undefined);
  } catch {
    return { changes: true, fields: undefined };
  }
}

/** operationInText reads the head and the root of the operation that is meant. The text is that of a valid document. */
export function operationInText(document: string, name?: string): Operation {
  const tokens = document
    .replace(/"""(?:\\"""|[^])*?"""|"(?:\\.|[^"\\\n])*"|#.*/g, (text) => (text.startsWith('#') ? '' : '""'))
    .match(/\.\.\.|[@$]\s*[_A-Za-z]\w*|[_A-Za-z]\w*|[^\s,]/g);
  const operations: { kind: string; name: string | undefined; fields: number }[] = [];
  let open: { kind: string; name: string | undefined; fields: number } | undefined;
  let braces = 0;
  let brackets = 0; // of arguments and variables, in which braces are those of values
  tokens?.forEach((token, i) => {
    const previous = tokens[i - 1];
    if (token === '(') brackets++;
    else if (token === ')') brackets--;
    else if (brackets > 0) return;
    else if (token === '{') {
      open ??= { kind: 'query', name: undefined, fields: 0 };
      braces++;
    } else if (token === '}') {
      braces--;
      if (braces > 0 || !open) return;
      if (open.kind !== 'fragment') operations.push(open);
      open = undefined;
    } else if (braces === 0) {
      if (!open) open = { kind: token, name: undefined, fields: 0 };
      else if (previous === open.kind && /^\w/.test(token)) open.name ??= token;
    } else if (braces === 1 && open) {
      if (token === '...')
        open.fields = NaN; // whatever it spreads
      else if (token === '__typename') open.fields -= previous === ':' ? 1 : 0;
      else if (/^\w/.test(token) && previous !== ':') open.fields++;
    }
  });
  const found = operations.length === 1 ? operations[0] : operations.find((operation) => operation.name === name);
  if (!found) return { changes: true, fields: undefined };
  return { changes: found.kind !== 'query', fields: found.fields || undefined };
}

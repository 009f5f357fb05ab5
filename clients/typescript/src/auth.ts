import type { Channel, Environment } from './environment.js';
import { surroundings, untilAborted } from './environment.js';
import { AuthError } from './error.js';
import type { AuthErrorCode } from './error.js';
import { call } from './request.js';
import type { Role, TokenPair, TokenProblem, User, UserError } from './schema.js';

/** The user who is signed in. `roles` and `permissions` are as of the last refresh. */
export type AuthUser = Pick<
  User,
  'id' | 'username' | 'email' | 'firstName' | 'lastName' | 'isStaff' | 'isSuperuser' | 'permissions'
> & { roles: Pick<Role, 'name'>[] };

/**
 * Why nobody is signed in: NO_SESSION, there was none to go on with; SIGNED_OUT, by `signOut` in this tab or another;
 * else what the server says of the session's token: REVOKED, it was ended elsewhere; REUSED, its refresh token was sent
 * twice, which may have been a thief; EXPIRED, it was not used for too long; STALE, the user may not sign in any more.
 */
export type SignedOutReason = 'NO_SESSION' | 'SIGNED_OUT' | TokenProblem;

/** Who is signed in. A new object with every change, so that `===` tells whether there was one. */
export type AuthState =
  | { readonly status: 'unknown'; readonly user: null; readonly accessExpiresAt: null; readonly reason: null }
  | {
      readonly status: 'signedIn';
      readonly user: AuthUser;
      /** When the access token ends, by this machine's clock. It is renewed before that when a request needs it. */
      readonly accessExpiresAt: Date;
      readonly reason: null;
    }
  | {
      readonly status: 'signedOut';
      readonly user: null;
      readonly accessExpiresAt: null;
      readonly reason: SignedOutReason;
    };

export interface AuthOptions {
  /** Where the server's GraphQL is, `/graphql` or `https://auth.example.org/graphql`. */
  url: string | URL;
  /**
   * Where the refresh token is. `cookie`, for web pages: in an HttpOnly cookie of the server, out of reach of scripts;
   * the session outlives a reload and is that of all tabs. `memory`, for programs and tests: in a variable.
   */
  storage: 'memory' | 'cookie';
  /** Sends the requests; the global `fetch` where it is left out. */
  fetch?: typeof fetch;
  environment?: Partial<Environment>;
}

export interface WaitOptions {
  /** Ends the wait. What others wait for, too, goes on. */
  signal?: AbortSignal | undefined;
}

export interface RenewOptions extends WaitOptions {
  /** `extensions.reason` of the refusal. */
  reason?: unknown;
}

/** A session and its tokens. Every method can be passed on without the object. */
export interface Auth {
  /** Where the server's GraphQL is. */
  readonly url: string;
  /** Who is signed in, at this moment. */
  getState(): AuthState;
  /** Calls the listener after each change of the state, until the function that it returns is called. */
  subscribe(listener: (state: AuthState) => void): () => void;
  /** Finds out who is signed in, where that is unknown: the begin of a page. With `memory` it never is. */
  restore(options?: WaitOptions): Promise<AuthState>;
  /** Signs in. An AuthError with INVALID_CREDENTIALS or RATE_LIMITED where that was refused. */
  signIn(username: string, password: string, options?: WaitOptions): Promise<AuthUser>;
  /**
   * Signs out: here and in the other tabs at once, then at the server. Rejects where the server could not be told; the
   * session goes on there, so show it, and call this again.
   */
  signOut(options?: WaitOptions): Promise<void>;
  /** Takes new tokens now, for instance to see a changed role. Does nothing where nobody is signed in. */
  refresh(options?: WaitOptions): Promise<AuthState>;
  /**
   * Changes the password and goes on with the new session that the server begins; all others end. Resolves with what
   * is wrong with the passwords; with an empty list where it was done.
   */
  changePassword(current: string, replacement: string, options?: WaitOptions): Promise<UserError[]>;
  /**
   * The access token for a request that is about to be made, renewed before where it is at its end; null where nobody
   * is signed in. Rejects where it is at its end and cannot be renewed just now: that is no sign-out.
   */
  getAccessToken(options?: WaitOptions): Promise<string | null>;
  /**
   * The access token to repeat a request with, of which the server said that its token is not valid (UNAUTHENTICATED).
   * It is renewed once, however many requests ask. Null where the request must not be repeated: the session is over,
   * or is another user's by now. Rejects where it cannot be renewed just now.
   */
  renew(refused: string, options?: RenewOptions): Promise<string | null>;
  /** Stops listening to other tabs and ends what is under way. */
  close(): void;
}

/** A pair that was taken, and when the request for it was sent, by both clocks. */
interface Session {
  readonly access: string;
  readonly refresh: string | null;
  readonly user: AuthUser;
  readonly lifetime: number;
  readonly wall: number;
  readonly monotonic: number;
}

type Pair = Pick<TokenPair, 'access' | 'refresh' | 'accessExpiresIn'> & { user: AuthUser };

type Changed = { tokens: Pair | null; errors: UserError[] };

/** What a tab tells the others: the session that it has begun or gone on with, that it is over, or nothing. */
type News = { session: Omit<Session, 'refresh' | 'monotonic'> & { age: number } } | { over: SignedOutReason } | {};

/** All in milliseconds. */
const limits = {
  /** How long before its end an access token is renewed, at most; never more than a tenth of its life. */
  margin: 10_000,
  /**
   * How long a refresh may take. A reply that was lost can be asked for again within the server's reuse leeway, ten
   * seconds, and no later.
   */
  refresh: 8_000,
  /** How long anything else may take. */
  other: 30_000,
  /** The pauses before what failed is tried again. */
  pauses: [250, 1_000, 3_000],
  /** The longest pause that RATE_LIMITED is waited for. */
  pause: 30_000,
  /** How long a tab waits at most for a message to come back to itself. */
  echo: 100,
};

const unknown: AuthState = Object.freeze({ status: 'unknown', user: null, accessExpiresAt: null, reason: null });

/** Makes a session that is not signed in yet. With `cookie`, call `restore` when the page begins. */
export function createAuth(options: AuthOptions): Auth {
  const cookie = options.storage === 'cookie';
  const env: Environment = { ...surroundings(), ...options.environment };
  const send: typeof fetch = options.fetch ?? ((input, init) => fetch(input, init));
  const here = globalThis.location?.href;
  const url = here ? new URL(options.url, here).href : String(options.url);
  const delivery = cookie ? 'COOKIE' : 'BODY';

  let session: Session | null = null;
  let left: Session | null = null; // one that was signed out of here, and not yet at the server
  let leaving = 0; // how many calls of signOut are under way
  let state: AuthState = cookie ? unknown : signedOut('NO_SESSION');
  const listeners = new Set<(state: AuthState) => void>();

  let change = deferred(); // the next change of the session, whoever makes it
  let refreshing: Promise<void> | null = null;
  let blocked: { until: number; error: AuthError } | null = null; // the server wants no refresh before
  const closing = new AbortController();

  // --- The state, and what other tabs are told and tell.

  function become(next: AuthState, successor: Session | null): void {
    session = successor;
    state = next;
    const happened = change;
    change = deferred();
    happened.resolve();
    for (const listener of [...listeners]) {
      try {
        listener(next);
      } catch (error) {
        queueMicrotask(() => {
          throw error; // the listener's own fault, and no reason not to tell the others
        });
      }
    }
  }

  function take(next: Session): void {
    left = null;
    blocked = null;
    const accessExpiresAt = new Date(next.wall + next.lifetime);
    become({ status: 'signedIn', user: next.user, accessExpiresAt, reason: null }, next);
  }

  function begin(pair: Pair, sent: Pick<Session, 'wall' | 'monotonic'>): void {
    const { access, refresh, user, accessExpiresIn } = pair;
    const told = { access, user, lifetime: accessExpiresIn * 1000, wall: sent.wall };
    post({ session: { ...told, age: age({ ...told, ...sent }) } });
    take({ ...told, ...sent, refresh: refresh ?? null });
  }

  function end(reason: SignedOutReason): void {
    if (state.status !== 'signedOut') become(signedOut(reason), null);
  }

  const name = `latchkey-client-1:${url}`;
  const channel: Channel | null = cookie ? (env.openChannel?.(name) ?? null) : null;
  const echo: Channel | null = channel ? env.openChannel!(name) : null;
  let echoed: Promise<void> = Promise.resolve(); // the last message has come back, so the others have been sent it, too

  if (channel) {
    channel.onmessage = ({ data }) => {
      const news = (data as { news: News }).news;
      if ('over' in news) end(news.over);
      if (!('session' in news) || leaving) return;
      const { age: since, ...rest } = news.session;
      take({ ...rest, refresh: null, monotonic: env.monotonic() - since });
    };
  }

  function post(news: News): void {
    if (!channel || !echo) return;
    const id = Math.random();
    const heard = deferred();
    echo.onmessage = ({ data }) => {
      if ((data as { id: number }).id === id) heard.resolve();
    };
    echoed = Promise.race([heard.promise, pause(limits.echo)]);
    channel.postMessage({ id, news });
  }

  /** hear takes in what other tabs have told before: messages come in the order in which they are sent. */
  async function hear(): Promise<void> {
    post({});
    await echoed;
  }

  // --- Time.

  const now = (): Pick<Session, 'wall' | 'monotonic'> => ({ wall: env.wall(), monotonic: env.monotonic() });

  /**
   * age is how long a session's token has been there: by the clock that says more, for one may stand still while the
   * machine sleeps, and the other may be set back.
   */
  function age(of: Pick<Session, 'wall' | 'monotonic'>): number {
    return Math.max(env.monotonic() - of.monotonic, env.wall() - of.wall);
  }

  const isDue = (s: Session): boolean => age(s) >= s.lifetime - Math.min(limits.margin, s.lifetime / 10);

  /** pause waits; it rejects when the signal is aborted. */
  function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
    const done = deferred();
    const timer = env.setTimeout(done.resolve, milliseconds);
    const over = untilAborted(untilAborted(done.promise, signal), closing.signal);
    return over.finally(() => env.clearTimeout(timer));
  }

  // --- Requests.

  /** request sends one of the core's documents, and gives up after a time or with the signal. */
  async function request<T>(
    operationName: Parameters<typeof call>[0]['operationName'],
    variables: Record<string, unknown>,
    how: { access?: string | null | undefined; timeout?: number; signal?: AbortSignal | undefined },
  ): Promise<T> {
    const stop = new AbortController();
    const onAbort = (event: Event): void => stop.abort((event.target as AbortSignal).reason);
    const timer = env.setTimeout(
      () => stop.abort(new AuthError('The server did not answer in time.', { code: 'NETWORK_ERROR' })),
      how.timeout ?? limits.other,
    );
    const signals = [closing.signal, how.signal].filter((s) => s !== undefined);
    try {
      for (const signal of signals) {
        signal.throwIfAborted();
        signal.addEventListener('abort', onAbort);
      }
      const answer = call({
        url,
        fetch: send,
        credentials: cookie ? 'include' : undefined,
        operationName,
        variables,
        access: how.access ?? null,
        signal: stop.signal,
      });
      return (await untilAborted(answer, stop.signal)) as T;
    } finally {
      env.clearTimeout(timer);
      for (const signal of signals) signal.removeEventListener('abort', onAbort);
    }
  }

  /** patiently repeats what fails for a while: the network, the server, too many tries. For what can be done twice. */
  async function patiently<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    for (let failures = 0; ; failures++) {
      try {
        return await work();
      } catch (error) {
        const wait = pauseAfter(error, failures);
        if (wait === undefined) throw error;
        await pause(wait, signal);
      }
    }
  }

  let queue: Promise<unknown> = Promise.resolve();

  /**
   * exclusively lets one exchange at a time change the session: of this tab, and with the cookie of all tabs that have
   * Web Locks. The next one begins when the other tabs have been sent what this one has to tell.
   */
  function exclusively<T>(work: () => Promise<T>): Promise<T> {
    const turn = (): Promise<T> => work().finally(() => echoed);
    if (cookie && env.locks) return env.locks.request(name, turn);
    const mine = queue.then(turn);
    queue = mine.catch(() => {});
    return mine;
  }

  // --- Refreshing.

  /** refreshOnce gives the same refresh to all who ask while it is under way; none where the session changes before. */
  function refreshOnce(cause?: unknown): Promise<void> {
    const asked = change;
    const turn = async (): Promise<void> => {
      if (change === asked) await hear();
      if (change === asked) await exchange(cause);
    };
    refreshing ??= exclusively(turn).finally(() => {
      refreshing = null;
    });
    return refreshing;
  }

  /** exchange asks the server for the next pair. It returns when the session has changed, by itself or meanwhile. */
  async function exchange(cause: unknown): Promise<void> {
    if (blocked && env.monotonic() < blocked.until) throw blocked.error;
    const asked = change;
    const overtaken = new AbortController();
    void asked.promise.then(() => overtaken.abort());
    const { signal } = overtaken;
    const ask = async (): Promise<void> => {
      const sent = now();
      const variables = { refresh: session?.refresh ?? null, delivery };
      const pair = await request<Pair>('LatchkeyRefresh', variables, { timeout: limits.refresh, signal });
      if (change === asked) begin(pair, sent);
    };
    try {
      await patiently(signal, ask);
    } catch (first) {
      let error = first;
      if (change === asked && cookie && hasCode(first, 'TOKEN_NOT_VALID') && first.reason === 'REVOKED') {
        // Another tab, without Web Locks, may have been faster: then its successor is in the cookie by now.
        try {
          return await patiently(signal, ask);
        } catch (second) {
          if (!isNoCookie(second)) error = second;
        }
      }
      if (change !== asked) return;
      if (hasCode(error, 'TOKEN_NOT_VALID')) return finish(error.reason ?? 'NO_SESSION');
      if (cookie && isNoCookie(error)) return finish(cause === 'REVOKED' ? 'REVOKED' : 'NO_SESSION');
      if (hasCode(error, 'RATE_LIMITED') && error.retryAfter) {
        blocked = { until: env.monotonic() + error.retryAfter * 1000, error };
      }
      throw error;
    }
  }

  /** finish ends the session for the server's word. Where this tab had none, the others have not lost any. */
  function finish(reason: SignedOutReason): void {
    if (session) post({ over: reason });
    end(reason);
  }

  // --- What the application calls.

  async function getAccessToken({ signal }: WaitOptions = {}): Promise<string | null> {
    signal?.throwIfAborted();
    if (state.status === 'signedOut') return null;
    const before = session;
    if (before && !isDue(before)) return before.access;
    try {
      await untilAborted(refreshOnce(), signal);
    } catch (error) {
      if (signal?.aborted || !before || session !== before || age(before) >= before.lifetime) throw error;
      return before.access; // it is still good
    }
    if (before && session && before.user.id !== session.user.id) {
      throw new AuthError('Another user has signed in meanwhile.', { code: 'USER_CHANGED' });
    }
    return session?.access ?? null;
  }

  async function renew(refused: string, { reason, signal }: RenewOptions = {}): Promise<string | null> {
    signal?.throwIfAborted();
    if (session?.access === refused) await untilAborted(refreshOnce(reason), signal);
    if (!session || session.access === refused || subject(session.access) !== subject(refused)) return null;
    return session.access;
  }

  async function signIn(username: string, password: string, { signal }: WaitOptions = {}): Promise<AuthUser> {
    return exclusively(async () => {
      const sent = now();
      const pair = await request<Pair>('LatchkeySignIn', { username, password, delivery }, { signal });
      begin(pair, sent);
      return pair.user;
    });
  }

  async function signOut({ signal }: WaitOptions = {}): Promise<void> {
    const last = session ?? left;
    if (!cookie && !last) return;
    left = last;
    leaving++;
    post({ over: 'SIGNED_OUT' });
    end('SIGNED_OUT');
    try {
      await exclusively(async () => {
        const variables = { refresh: last?.refresh ?? null };
        const how = { access: last?.access, signal };
        await patiently(signal, () => request('LatchkeySignOut', variables, how)).catch((error) => {
          if (!hasCode(error, 'TOKEN_NOT_VALID', 'UNAUTHENTICATED')) throw error; // else it had ended
        });
        if (left === last) left = null;
        post({ over: 'SIGNED_OUT' }); // to a tab that was refreshing and heard the first too early
      });
    } finally {
      leaving--;
    }
  }

  async function changePassword(current: string, replacement: string, options: WaitOptions = {}): Promise<UserError[]> {
    const change = (access: string | null): Promise<UserError[]> =>
      exclusively(async () => {
        const sent = now();
        const variables = { current, new: replacement };
        const how = { access, signal: options.signal };
        const { tokens, errors } = await request<Changed>('LatchkeyChangePassword', variables, how);
        if (tokens) begin(tokens, sent);
        return errors;
      });
    const access = await getAccessToken(options);
    try {
      return await change(access);
    } catch (error) {
      if (!access || !hasCode(error, 'UNAUTHENTICATED')) throw error;
      const renewed = await renew(access, { ...options, reason: error.reason });
      if (!renewed) throw error;
      return change(renewed);
    }
  }

  async function restore({ signal }: WaitOptions = {}): Promise<AuthState> {
    if (state.status === 'unknown') await untilAborted(refreshOnce(), signal);
    return state;
  }

  async function refresh({ signal }: WaitOptions = {}): Promise<AuthState> {
    if (state.status !== 'signedOut') await untilAborted(refreshOnce(), signal);
    return state;
  }

  return {
    url,
    getState: () => state,
    subscribe(listener) {
      const own = (next: AuthState): void => listener(next); // the same function may be given twice
      listeners.add(own);
      return () => void listeners.delete(own);
    },
    restore,
    signIn,
    signOut,
    refresh,
    changePassword,
    getAccessToken,
    renew,
    close() {
      listeners.clear();
      channel?.close();
      echo?.close();
      closing.abort();
    },
  };
}

function signedOut(reason: SignedOutReason): AuthState {
  return { status: 'signedOut', user: null, accessExpiresAt: null, reason };
}

/** pauseAfter is how long to wait before the next try; undefined where there is none to make. */
function pauseAfter(error: unknown, failures: number): number | undefined {
  const usual = limits.pauses[failures];
  if (hasCode(error, 'NETWORK_ERROR', 'INTERNAL_SERVER_ERROR')) return usual;
  if (!hasCode(error, 'RATE_LIMITED') || usual === undefined) return undefined;
  const asked = (error.retryAfter ?? 0) * 1000 || usual;
  return asked <= limits.pause ? asked : undefined;
}

function hasCode(error: unknown, ...codes: AuthErrorCode[]): error is AuthError {
  return error instanceof AuthError && codes.includes(error.code);
}

/** isNoCookie tells whether a refresh failed for want of a token. */
const isNoCookie = (error: unknown): boolean => hasCode(error, 'BAD_USER_INPUT') && error.field === 'refresh';

/** subject is whom an access token stands for; undefined where that cannot be read. It is not verified. */
function subject(token: string): unknown {
  try {
    return JSON.parse(atob(token.split('.')[1]!.replaceAll('-', '+').replaceAll('_', '/'))).sub;
  } catch {
    return undefined;
  }
}

interface Deferred {
  readonly promise: Promise<void>;
  resolve(): void;
}

function deferred(): Deferred {
  let resolve!: () => void;
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
}

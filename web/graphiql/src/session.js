import { credentials } from './headers.js';
import { faultText, overText, unreachable } from './problems.js';
import { createStore } from './store.js';

const PAIR = 'access accessExpiresIn refreshExpiresAt user { username isSuperuser roles { name } permissions }';

const OBTAIN = `mutation PaneSignIn($username: String!, $password: String!) {
  tokenObtain(username: $username, password: $password, delivery: COOKIE) { ${PAIR} }
}`;
const REFRESH = `mutation PaneRefresh { tokenRefresh { ${PAIR} } }`;
const REVOKE = 'mutation PaneSignOut { tokenRevoke }';

const NAME = 'latchkey-graphiql'; // of the lock and of the channel
const PATIENCE = 15_000; // milliseconds that an answer may take
const LONGEST_TIMER = 2 ** 31 - 1; // what a browser's timer can hold

// createSession returns what the page knows of the user's session, and what it does with it.
//
// The refresh token is in the server's HttpOnly cookie, which all tabs of the browser share. The access token is in
// memory; tabs hand it on to each other, so that one refresh is enough for all. A lock keeps two tabs from changing the
// cookie at once. `post` sends an operation to the server.
//
// The store holds { phase, pair, problem }: the phase is 'starting', 'out' or 'in', the pair is there while it is 'in',
// and the problem is a text for the user, or null.
export function createSession({ post, locks = navigator.locks, channel = new BroadcastChannel(NAME), now = Date.now }) {
  const store = createStore({ phase: 'starting', pair: null, problem: null });
  const issued = new Set(); // every access token that this tab has had
  let owner = false; // whether this tab made the pair, and so is the first to refresh it
  let timer;
  let failures = 0; // refreshes that failed, one after the other, for want of an answer
  let renewing = null;

  // Plain http on another machine has no locks; the server refuses the cookie there as well.
  const exclusively = (work) => (locks ? locks.request(NAME, work) : work());

  function send(query, variables) {
    const { pair } = store.get();
    return post(
      { query, variables },
      {
        headers: { Accept: 'application/json', ...(pair && { Authorization: credentials(pair.access) }) },
        signal: AbortSignal.timeout(PATIENCE),
      },
    );
  }

  function adopt(pair) {
    failures = 0;
    issued.add(pair.access);
    store.set({ phase: 'in', pair, problem: null });
    wakeIn(due(pair) - now());
  }

  function begin({ access, accessExpiresIn, refreshExpiresAt, user }) {
    const lifetime = accessExpiresIn * 1000;
    const pair = { access, lifetime, expiresAt: now() + lifetime, refreshExpiresAt, user };
    owner = true;
    adopt(pair);
    channel.postMessage({ pair });
  }

  function end(problem) {
    clearTimeout(timer);
    store.set({ phase: 'out', pair: null, problem });
  }

  function endEverywhere(problem) {
    end(problem);
    channel.postMessage({ over: true, problem });
  }

  // The tab that made the pair refreshes it half a minute before it expires, the others, if that one has not, later:
  // so they do not all begin at once.
  function due({ expiresAt, lifetime }) {
    const margin = Math.min(30_000, lifetime / 3);
    return expiresAt - (owner ? margin : margin / 2);
  }

  function wakeIn(milliseconds) {
    clearTimeout(timer);
    timer = setTimeout(wake, Math.min(Math.max(milliseconds, 1000), LONGEST_TIMER));
  }

  function wake() {
    const { pair } = store.get();
    if (!pair) return;
    if (failures > 0 || now() >= due(pair)) renew();
    else wakeIn(due(pair) - now());
  }

  // renew refreshes, once for all who ask at the same time.
  function renew() {
    renewing ??= refresh().finally(() => {
      renewing = null;
    });
    return renewing;
  }

  function refresh() {
    const { pair: known } = store.get();
    return exclusively(async () => {
      const { phase, pair } = store.get();
      if (phase === 'out' || pair !== known) return; // another tab was first
      try {
        const { data, errors } = await send(REFRESH);
        if (data?.tokenRefresh) begin(data.tokenRefresh);
        else refused(errors[0]);
      } catch (error) {
        keepTrying(unreachable(error));
      }
    });
  }

  function refused(error) {
    const { code, reason, retryAfter } = error.extensions ?? {};
    if (code === 'TOKEN_NOT_VALID') endEverywhere(overText(reason));
    else if (code !== 'BAD_USER_INPUT') keepTrying(faultText(error), retryAfter);
    else if (store.get().phase === 'starting') end(null); // no cookie: nobody has signed in
    else endEverywhere(overText('NO_COOKIE'));
  }

  // keepTrying is for faults that say nothing of the session.
  function keepTrying(problem, retryAfter = Math.min(5 * 2 ** failures, 60)) {
    failures++;
    const { phase, pair } = store.get();
    if (phase === 'starting') return end(problem);
    store.set({ phase, pair, problem });
    wakeIn(retryAfter * 1000);
  }

  channel.addEventListener('message', ({ data: { pair, over, problem } }) => {
    owner = false;
    if (over) end(problem);
    else adopt(pair);
  });
  // Timers of hidden tabs are late, and those of a sleeping machine are later.
  document.addEventListener('visibilitychange', wake);
  window.addEventListener('online', wake);

  return {
    get: store.get,
    subscribe: store.subscribe,

    // restore goes on with the session of the cookie, if there is one. Call it once.
    restore: renew,

    // refresh replaces the access token before its time.
    refresh: renew,

    // access returns an access token that is good for a moment yet, or null where nobody is signed in.
    async access() {
      const { phase, pair } = store.get();
      if (phase === 'starting' || (pair && now() >= pair.expiresAt - Math.min(5000, pair.lifetime / 6))) await renew();
      return store.get().pair?.access ?? null;
    },

    // issued reports whether a token is one that this session had at any time.
    issued: (token) => issued.has(token),

    // signIn returns null, or a text that says why not.
    signIn(username, password) {
      return exclusively(async () => {
        try {
          const { data, errors } = await send(OBTAIN, { username, password });
          if (!data?.tokenObtain) return faultText(errors[0]);
          begin(data.tokenObtain);
          return null;
        } catch (error) {
          return unreachable(error);
        }
      });
    },

    // signOut ends the session on the server and in all tabs. What goes wrong becomes the problem.
    signOut() {
      return exclusively(async () => {
        try {
          const { errors } = await send(REVOKE);
          const code = errors?.[0].extensions?.code;
          if (!errors || code === 'TOKEN_NOT_VALID' || code === 'UNAUTHENTICATED') endEverywhere(null);
          else store.set({ ...store.get(), problem: faultText(errors[0]) });
        } catch (error) {
          store.set({ ...store.get(), problem: unreachable(error) });
        }
      });
    },
  };
}

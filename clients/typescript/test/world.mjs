// A world for the core to live in: a clock that the test moves, a server that the test breaks, and tabs with Web Locks
// and channels between them.

import { createAuth } from '@latchkey/client';

/** turns lets everything run that is ready to. */
export async function turns() {
  for (let i = 0; i < 50; i++) await new Promise(setImmediate);
}

/** accessToken is of the form of the server's, and no more. */
export function accessToken(user, number) {
  return ['{}', JSON.stringify({ sub: user, number }), '']
    .map((part) => Buffer.from(part).toString('base64url'))
    .join('.');
}

export class Clock {
  monotonic = 1_000;
  wall = Date.UTC(2026, 0, 1);
  #timers = new Map();
  #last = 0;

  setTimeout(done, milliseconds) {
    this.#timers.set(++this.#last, { done, at: this.monotonic + milliseconds });
    return this.#last;
  }

  clearTimeout(timer) {
    this.#timers.delete(timer);
  }

  /** pass lets time go by, timer by timer. */
  async pass(milliseconds) {
    const end = this.monotonic + milliseconds;
    await turns();
    for (;;) {
      const [id, next] = [...this.#timers].sort(([, a], [, b]) => a.at - b.at)[0] ?? [];
      if (!next || next.at > end) break;
      this.#timers.delete(id);
      this.#to(next.at);
      next.done();
      await turns();
    }
    this.#to(end);
    await turns();
  }

  /** sleep is what a laptop does: no timer runs, and the monotonic clock stands still. */
  sleep(milliseconds) {
    this.wall += milliseconds;
  }

  #to(time) {
    this.wall += time - this.monotonic;
    this.monotonic = time;
  }
}

const failure = (code, more = {}) => ({ errors: [{ message: code, extensions: { code, ...more } }], data: null });

/** refusal is how the server answers with an error. */
export function refusal(code, more) {
  return () => Response.json(failure(code, more));
}

/** down is what a fetch does where no server listens. */
export function down() {
  throw new TypeError('fetch failed');
}

/** badGateway is the answer of a proxy. */
export function badGateway() {
  return new Response('<h1>Bad gateway</h1>', { status: 502, headers: { 'Content-Type': 'text/html' } });
}

export class Server {
  lifetime = 300; // seconds
  requests = []; // what came: operationName, variables, access
  /** What the next requests get instead of the right answer, first come, first served. */
  next = [];
  sessions = new Map(); // by the refresh token that is good: the user
  cookie; // the one of the browser
  #made = 0;

  /** hold makes the next request wait until the function that it returns is called. */
  hold() {
    let release;
    const gate = new Promise((done) => (release = done));
    this.next.push(async (answer) => {
      await gate;
      return answer();
    });
    return release;
  }

  count(name) {
    return this.requests.filter(({ operationName }) => operationName === name).length;
  }

  async fetch(url, init) {
    const { operationName, variables } = JSON.parse(init.body);
    const access = init.headers.Authorization?.replace('Bearer ', '');
    this.requests.push({ url, operationName, variables, access, credentials: init.credentials });
    const answer = () => Response.json(this.answer(operationName, variables));
    const instead = this.next.shift();
    await new Promise(setImmediate);
    init.signal.throwIfAborted();
    return instead ? instead(answer) : answer();
  }

  answer(operationName, variables) {
    switch (operationName) {
      case 'LatchkeySignIn':
        if (variables.password !== 'right') return failure('INVALID_CREDENTIALS');
        return { data: { tokenObtain: this.pair(variables.username, variables.delivery) } };
      case 'LatchkeyRefresh': {
        const given = variables.refresh ?? this.cookie;
        if (!given) return failure('BAD_USER_INPUT', { field: 'refresh' });
        const user = this.sessions.get(given);
        if (!user) {
          if (!variables.refresh) this.cookie = undefined;
          return failure('TOKEN_NOT_VALID', { reason: 'REVOKED' });
        }
        this.sessions.delete(given);
        return { data: { tokenRefresh: this.pair(user, variables.delivery) } };
      }
      case 'LatchkeySignOut':
        this.sessions.delete(variables.refresh ?? this.cookie);
        if (!variables.refresh) this.cookie = undefined;
        return { data: { tokenRevoke: true } };
      case 'LatchkeyChangePassword': {
        if (variables.current !== 'right')
          return this.#form({ code: 'WRONG_PASSWORD', field: ['current'], message: 'Wrong.' });
        const delivery = this.cookie ? 'COOKIE' : 'BODY';
        this.sessions.clear();
        return { data: { passwordChange: { tokens: this.pair('ada', delivery), errors: [] } } };
      }
    }
    throw new Error(`the world knows no ${operationName}`);
  }

  #form(error) {
    return { data: { passwordChange: { tokens: null, errors: [error] } } };
  }

  pair(username, delivery) {
    const number = ++this.#made;
    const refresh = `refresh ${number}`;
    this.sessions.set(refresh, username);
    if (delivery === 'COOKIE') this.cookie = refresh;
    const user = { id: `id of ${username}`, username, email: null, roles: [], permissions: [] };
    return {
      access: accessToken(user.id, number),
      refresh: delivery === 'COOKIE' ? null : refresh,
      accessExpiresIn: this.lifetime,
      user,
    };
  }
}

// Messages take some turns to leave their tab, and then come to all others in the same order.
class Channel {
  onmessage = null;
  constructor(world, name, latency) {
    Object.assign(this, { world, name, latency });
    world.channels.add(this);
  }

  async postMessage(message) {
    this.world.messages.push(message);
    const data = structuredClone(message);
    for (let i = 0; i < this.latency; i++) await new Promise(setImmediate);
    await this.world.letThrough;
    for (const other of this.world.channels) {
      if (other !== this && other.name === this.name) setImmediate(() => other.onmessage?.({ data }));
    }
  }

  close() {
    this.world.channels.delete(this);
  }
}

export class World {
  clock = new Clock();
  server = new Server();
  channels = new Set();
  messages = [];
  letThrough = undefined; // a promise that all messages wait for
  #locks = new Map();

  /** tab makes a session; `states` grows with all that its application is told. */
  tab({ storage = 'memory', locks = true, channels = true, latency = 0 } = {}) {
    const { clock } = this;
    const auth = createAuth({
      url: 'https://auth.example/graphql',
      storage,
      fetch: (url, init) => this.server.fetch(url, init),
      environment: {
        monotonic: () => clock.monotonic,
        wall: () => clock.wall,
        setTimeout: (done, milliseconds) => clock.setTimeout(done, milliseconds),
        clearTimeout: (timer) => clock.clearTimeout(timer),
        locks: locks ? { request: (name, work) => this.#lock(name, work) } : null,
        openChannel: channels ? (name) => new Channel(this, name, latency) : null,
      },
    });
    const states = [];
    auth.subscribe(({ status, user, reason }) => states.push([status, user?.username ?? reason]));
    return { ...auth, states };
  }

  #lock(name, work) {
    const mine = (this.#locks.get(name) ?? Promise.resolve()).then(work);
    this.#locks.set(
      name,
      mine.catch(() => {}),
    );
    return mine;
  }
}

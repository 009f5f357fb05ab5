import assert from 'node:assert/strict';
import { test } from 'node:test';

import { AuthError, documents } from '@latchkey/client';
import { accessToken, badGateway, down, refusal, turns, World } from './world.mjs';

/** signedIn is a world with one tab whose user is ada. */
async function signedIn(options) {
  const world = new World();
  const tab = world.tab(options);
  await tab.signIn('ada', 'right');
  tab.states.length = 0;
  return { ...world, world, tab, first: await tab.getAccessToken() };
}

const isNetworkError = (error) => error instanceof AuthError && error.code === 'NETWORK_ERROR';

test('signing in gives the user, a token and a state', async () => {
  const { server, tab, first, clock } = await signedIn();
  const state = tab.getState();
  assert.equal(state.status, 'signedIn');
  assert.equal(state.user.username, 'ada');
  assert.equal(state.accessExpiresAt.getTime(), clock.wall + 300_000);
  assert.equal(tab.getState(), state, 'the same object while nothing changes');
  assert.equal(first, accessToken('id of ada', 1));
  assert.deepEqual(
    server.requests.map(({ operationName }) => operationName),
    ['LatchkeySignIn'],
  );
});

test('what is wrong with a sign-in is an AuthError, and the state stays', async () => {
  const { tab, first } = await signedIn();
  await assert.rejects(tab.signIn('ada', 'wrong'), { name: 'AuthError', code: 'INVALID_CREDENTIALS' });
  assert.deepEqual(tab.states, []);
  assert.equal(await tab.getAccessToken(), first);
});

test('any number of refused requests cause one refresh', async () => {
  const { server, tab, first } = await signedIn();
  const renewed = await Promise.all(Array.from({ length: 20 }, () => tab.renew(first, { reason: 'EXPIRED' })));
  assert.deepEqual(new Set(renewed), new Set([accessToken('id of ada', 2)]));
  assert.equal(server.count('LatchkeyRefresh'), 1);
});

test('a refusal that comes after the refresh causes no second one', async () => {
  const { server, tab, first } = await signedIn();
  const second = await tab.renew(first);
  assert.equal(await tab.renew(first), second);
  assert.equal(server.count('LatchkeyRefresh'), 1);
});

test('a request shortly before the end refreshes first, and no request before that', async () => {
  const { server, tab, clock, first } = await signedIn();
  await clock.pass(289_999);
  assert.equal(await tab.getAccessToken(), first);
  assert.equal(server.count('LatchkeyRefresh'), 0);
  await clock.pass(1);
  const tokens = await Promise.all([tab.getAccessToken(), tab.getAccessToken(), tab.getAccessToken()]);
  assert.deepEqual(new Set(tokens), new Set([accessToken('id of ada', 2)]));
  assert.equal(server.count('LatchkeyRefresh'), 1);
});

test('of a short life the last tenth is shortly before the end', async () => {
  const { server, tab, clock } = await signedIn();
  server.lifetime = 3;
  await tab.refresh();
  await clock.pass(2_699);
  await tab.getAccessToken();
  assert.equal(server.count('LatchkeyRefresh'), 1);
  await clock.pass(1);
  await tab.getAccessToken();
  assert.equal(server.count('LatchkeyRefresh'), 2);
});

test('the life of a token begins when it was asked for', async () => {
  const { server, tab, clock, first } = await signedIn();
  const release = server.hold();
  const renewed = tab.renew(first);
  await clock.pass(5_000);
  release();
  await renewed;
  await clock.pass(285_000);
  await tab.getAccessToken();
  assert.equal(server.count('LatchkeyRefresh'), 2);
});

test('after the machine has slept, the first request refreshes', async () => {
  const { server, tab, clock } = await signedIn();
  clock.sleep(3_600_000);
  assert.equal(await tab.getAccessToken(), accessToken('id of ada', 2));
  assert.equal(server.count('LatchkeyRefresh'), 1);
});

test('a wall clock that is set back does not lengthen a life', async () => {
  const { server, tab, clock } = await signedIn();
  clock.wall -= 86_400_000;
  await clock.pass(290_000);
  await tab.getAccessToken();
  assert.equal(server.count('LatchkeyRefresh'), 1);
});

const passing = {
  'a network without a server': down,
  'a proxy that cannot reach it': badGateway,
  INTERNAL_SERVER_ERROR: refusal('INTERNAL_SERVER_ERROR', { requestId: 'x' }),
  'an error without a code': () => Response.json({ errors: [{ message: 'oops' }] }),
  'an answer without data': () => Response.json({}),
};
for (const [name, failing] of Object.entries(passing)) {
  test(`${name} is waited for, and is no sign-out`, async () => {
    const { server, tab, clock, first } = await signedIn();
    server.next.push(failing, failing, failing);
    const renewed = tab.renew(first);
    await clock.pass(4_249);
    assert.equal(server.count('LatchkeyRefresh'), 3);
    await clock.pass(1);
    assert.equal(await renewed, accessToken('id of ada', 2));
    assert.deepEqual(tab.states, [['signedIn', 'ada']]);
  });

  test(`${name} for longer rejects, and is no sign-out`, async () => {
    const { server, tab, clock, first } = await signedIn();
    server.next.push(failing, failing, failing, failing);
    const all = Promise.allSettled([tab.renew(first), tab.renew(first)]);
    await clock.pass(4_250);
    for (const { status, reason } of await all) {
      assert.equal(status, 'rejected');
      assert.ok(reason instanceof AuthError);
      assert.match(reason.code, /NETWORK_ERROR|INTERNAL_SERVER_ERROR/);
    }
    assert.equal(server.count('LatchkeyRefresh'), 4);
    assert.deepEqual(tab.states, []);
    assert.equal(await tab.renew(first), accessToken('id of ada', 2), 'the next request goes on');
  });
}

test('while the server is away, a token that is still good is used to its end', async () => {
  const { server, tab, clock, first } = await signedIn();
  await clock.pass(292_000);
  server.next.push(down, down, down, down);
  const still = tab.getAccessToken();
  await clock.pass(4_250);
  assert.equal(await still, first);
  server.next.push(down, down, down, down);
  const over = assert.rejects(tab.getAccessToken(), isNetworkError);
  await clock.pass(4_250);
  await over;
  assert.equal(tab.getState().status, 'signedIn');
});

test('a refresh without an answer is given up in time to ask for the lost reply', async () => {
  const { server, tab, clock, first } = await signedIn();
  server.hold();
  const renewed = tab.renew(first);
  await clock.pass(8_000);
  assert.equal(server.count('LatchkeyRefresh'), 1);
  await clock.pass(250);
  assert.equal(await renewed, accessToken('id of ada', 2));
});

test('RATE_LIMITED is waited for as long as the server says', async () => {
  const { server, tab, clock, first } = await signedIn();
  server.next.push(refusal('RATE_LIMITED', { retryAfter: 7 }));
  const renewed = tab.renew(first);
  await clock.pass(6_999);
  assert.equal(server.count('LatchkeyRefresh'), 1);
  await clock.pass(1);
  assert.equal(await renewed, accessToken('id of ada', 2));
});

test('a long RATE_LIMITED rejects at once, and nothing is sent before its end', async () => {
  const { server, tab, clock, first } = await signedIn();
  server.next.push(refusal('RATE_LIMITED', { retryAfter: 60 }));
  const limited = { code: 'RATE_LIMITED', retryAfter: 60 };
  await assert.rejects(tab.renew(first), limited);
  await clock.pass(59_000);
  await assert.rejects(tab.renew(first), limited);
  assert.equal(server.count('LatchkeyRefresh'), 1);
  await clock.pass(1_000);
  assert.equal(await tab.renew(first), accessToken('id of ada', 2));
  assert.deepEqual(tab.states, [['signedIn', 'ada']]);
});

test('a new session is not limited by what the server said of the last one', async () => {
  const { server, tab, first } = await signedIn();
  server.next.push(refusal('RATE_LIMITED', { retryAfter: 60 }));
  await assert.rejects(tab.renew(first), { code: 'RATE_LIMITED' });
  await tab.signIn('bob', 'right');
  assert.equal((await tab.refresh()).user.username, 'bob');
});

test('the status 429 of a proxy is RATE_LIMITED, too', async () => {
  const { server, tab, first } = await signedIn();
  server.next.push(() => new Response('slow down', { status: 429, headers: { 'Retry-After': '99' } }));
  await assert.rejects(tab.renew(first), { code: 'RATE_LIMITED', retryAfter: 99 });
});

for (const reason of ['EXPIRED', 'REVOKED', 'STALE', 'REUSED', 'MALFORMED']) {
  test(`a refresh token that is ${reason} signs out, and the application is told once`, async () => {
    const { server, tab, first } = await signedIn();
    server.next.push(refusal('TOKEN_NOT_VALID', { reason }));
    const renewed = await Promise.all(Array.from({ length: 20 }, () => tab.renew(first, { reason: 'EXPIRED' })));
    assert.deepEqual(new Set(renewed), new Set([null]));
    assert.deepEqual(tab.states, [['signedOut', reason]]);
    assert.equal(await tab.getAccessToken(), null);
    assert.equal(await tab.renew(first), null);
    assert.equal((await tab.refresh()).status, 'signedOut');
    assert.equal(server.requests.length, 2, 'nothing is asked of the server any more');
  });
}

test('what says nothing of the session rejects, and is no sign-out', async () => {
  const { server, tab, first } = await signedIn();
  for (const code of ['CSRF_REJECTED', 'GRAPHQL_VALIDATION_FAILED', 'FORBIDDEN', 'BAD_USER_INPUT']) {
    server.next.push(refusal(code));
    await assert.rejects(tab.renew(first), { code });
  }
  assert.deepEqual(tab.states, []);
});

test('who waits can stop to, and the others do not', async () => {
  const { server, tab, first } = await signedIn();
  const release = server.hold();
  const stop = new AbortController();
  const [stopped, goesOn] = [tab.renew(first, { signal: stop.signal }), tab.renew(first)];
  stop.abort(new Error('no longer wanted'));
  await assert.rejects(stopped, { message: 'no longer wanted' });
  release();
  assert.equal(await goesOn, accessToken('id of ada', 2));
  await assert.rejects(tab.getAccessToken({ signal: stop.signal }), { message: 'no longer wanted' });
  await assert.rejects(tab.signIn('ada', 'right', { signal: stop.signal }), { message: 'no longer wanted' });
  assert.equal(server.count('LatchkeyRefresh'), 1);
});

test('signing out ends a refresh that is under way, and nobody is signed in by its answer', async () => {
  const { server, tab, first } = await signedIn();
  const release = server.hold();
  const renewed = tab.renew(first);
  await turns();
  const out = tab.signOut();
  assert.equal(tab.getState().status, 'signedOut', 'at once');
  assert.equal(await renewed, null);
  await out;
  release();
  await turns();
  assert.deepEqual(tab.states, [['signedOut', 'SIGNED_OUT']]);
  const { operationName, variables, access } = server.requests.at(-1);
  assert.deepEqual([operationName, variables.refresh, access], ['LatchkeySignOut', 'refresh 1', first]);
});

test('a sign-out that the server did not hear rejects, and can be repeated', async () => {
  const { server, tab, clock } = await signedIn();
  server.next.push(down, down, down, down);
  const out = assert.rejects(tab.signOut(), isNetworkError);
  await clock.pass(4_250);
  await out;
  assert.deepEqual(tab.states, [['signedOut', 'SIGNED_OUT']]);
  assert.equal(await tab.getAccessToken(), null);
  await tab.signOut();
  assert.equal(server.requests.at(-1).variables.refresh, 'refresh 1');
  assert.equal(server.sessions.size, 0);
  const { length } = server.requests;
  await tab.signOut();
  assert.equal(server.requests.length, length, 'there is nothing left to tell');
});

test('a session that had ended already can be signed out of', async () => {
  const { server, tab } = await signedIn();
  server.next.push(refusal('TOKEN_NOT_VALID', { reason: 'REVOKED' }));
  await tab.signOut();
  assert.equal(tab.getState().reason, 'SIGNED_OUT');
});

test('after another user has signed in, a refused request is not repeated in that name', async () => {
  const { tab, first } = await signedIn();
  await tab.signIn('bob', 'right');
  assert.equal(await tab.renew(first), null);
  assert.equal(tab.getState().user.username, 'bob');
});

test('changePassword goes on with the new session, and a refused request waits for it', async () => {
  const { server, tab, first } = await signedIn();
  const release = server.hold();
  const changing = tab.changePassword('right', 'another');
  await turns();
  const renewed = tab.renew(first, { reason: 'REVOKED' });
  release();
  assert.deepEqual(await changing, []);
  assert.equal(await renewed, accessToken('id of ada', 2));
  assert.equal(server.count('LatchkeyRefresh'), 0);
  assert.deepEqual(tab.states, [['signedIn', 'ada']]);
  await tab.refresh();
  assert.equal(server.requests.at(-1).variables.refresh, 'refresh 2');
});

test('changePassword gives what is wrong with the form, and the session goes on', async () => {
  const { tab, first } = await signedIn();
  const [{ code }] = await tab.changePassword('wrong', 'another');
  assert.equal(code, 'WRONG_PASSWORD');
  assert.equal(await tab.getAccessToken(), first);
});

test('changePassword is sent again where its token was refused, and not where it may have been done', async () => {
  const { server, tab, clock } = await signedIn();
  server.next.push(refusal('UNAUTHENTICATED', { reason: 'STALE' }));
  assert.deepEqual(await tab.changePassword('right', 'another'), []);
  assert.equal(server.count('LatchkeyChangePassword'), 2);
  server.next.push(down);
  await assert.rejects(tab.changePassword('right', 'another'), isNetworkError);
  await clock.pass(60_000);
  assert.equal(server.count('LatchkeyChangePassword'), 3);
});

test('a listener that fails keeps no other from being told, and one that left is told no more', async (t) => {
  const { tab } = await signedIn();
  const told = [];
  const faults = [];
  const others = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', (fault) => faults.push(fault.message));
  t.after(() => {
    process.removeAllListeners('uncaughtException');
    for (const other of others) process.on('uncaughtException', other);
  });
  tab.subscribe(() => {
    throw new Error('the fault of a listener');
  });
  const leave = tab.subscribe((state) => told.push(state.status));
  await tab.refresh();
  leave();
  await tab.signOut();
  await turns();
  assert.deepEqual(told, ['signedIn']);
  assert.deepEqual(faults, ['the fault of a listener', 'the fault of a listener']);
});

test('close ends what is under way', async () => {
  const { server, tab, first } = await signedIn();
  server.hold();
  const renewed = tab.renew(first);
  await turns();
  tab.close();
  await assert.rejects(renewed, { name: 'AbortError' });
});

test('with memory nothing leaves the tab', async () => {
  const { world, tab, server } = await signedIn();
  const other = world.tab();
  await tab.refresh();
  assert.equal(other.getState().reason, 'NO_SESSION');
  assert.equal(await other.getAccessToken(), null);
  assert.equal((await other.restore()).status, 'signedOut');
  assert.deepEqual([world.messages, world.channels.size], [[], 0]);
  assert.deepEqual(new Set(server.requests.map(({ credentials }) => credentials)), new Set([undefined]));
  assert.equal(server.requests[0].variables.delivery, 'BODY');
});

test('the documents have the names that they are sent with', () => {
  for (const [name, text] of Object.entries(documents)) assert.ok(text.startsWith(`mutation ${name}(`), name);
});

test('who has given up before asking leaves no failure behind that nobody handles', async (t) => {
  const { server, clock, tab } = await signedIn({ storage: 'cookie' });
  const unhandled = [];
  const note = (error) => unhandled.push(error);
  process.on('unhandledRejection', note);
  t.after(() => process.off('unhandledRejection', note));
  server.next.push(down, down, down, down);
  await assert.rejects(tab.refresh({ signal: AbortSignal.abort() }), { name: 'AbortError' });
  await clock.pass(4_250);
  assert.deepEqual(unhandled, []);
});

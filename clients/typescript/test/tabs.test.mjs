// The session of the cookie, in several tabs.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { createAuth } from '@latchkey/client';
import { accessToken, down, refusal, turns, World } from './world.mjs';

const cookie = { storage: 'cookie' };

/** twoTabs are signed in by the same cookie, as ada. */
async function twoTabs(options = {}) {
  const world = new World();
  const [one, other] = [world.tab({ ...cookie, ...options }), world.tab({ ...cookie, ...options })];
  await one.signIn('ada', 'right');
  await (options.channels === false ? other.restore() : turns());
  assert.equal(other.getState().user?.username, 'ada');
  for (const tab of [one, other]) tab.states.length = 0;
  world.server.requests.length = 0;
  return { ...world, world, one, other };
}

test('a page begins with a session that is unknown, and restores it from the cookie', async () => {
  const world = new World();
  await world.tab(cookie).signIn('ada', 'right');
  const after = world.tab(cookie);
  assert.equal(after.getState().status, 'unknown');
  const [state] = await Promise.all([after.restore(), after.restore()]);
  assert.equal(state.user.username, 'ada');
  assert.deepEqual(after.states, [['signedIn', 'ada']]);
  assert.deepEqual(world.server.requests.at(-1).variables, { refresh: null, delivery: 'COOKIE' });
  assert.equal(world.server.requests.at(-1).credentials, 'include');
  assert.equal(world.server.count('LatchkeyRefresh'), 1);
});

test('the first request restores the session, too', async () => {
  const world = new World();
  await world.tab(cookie).signIn('ada', 'right');
  assert.equal(await world.tab(cookie).getAccessToken(), accessToken('id of ada', 2));
});

test('without a cookie nobody is signed in, and no other tab is told so', async () => {
  const world = new World();
  const [signedIn, fresh] = [world.tab(cookie), world.tab(cookie)];
  await signedIn.signIn('ada', 'right');
  const late = world.tab(cookie);
  world.server.cookie = undefined;
  assert.equal((await late.restore()).reason, 'NO_SESSION');
  await turns();
  assert.equal(signedIn.getState().status, 'signedIn');
  assert.equal(fresh.getState().status, 'signedIn');
});

test('a server that cannot be reached leaves the session unknown', async () => {
  const world = new World();
  const tab = world.tab(cookie);
  world.server.next.push(down, down, down, down);
  const restored = assert.rejects(tab.restore(), { code: 'NETWORK_ERROR' });
  await world.clock.pass(4_250);
  await restored;
  assert.equal(tab.getState().status, 'unknown');
  assert.deepEqual(tab.states, []);
});

test('tabs that need a token at once take one refresh', async () => {
  const { server, clock, one, other } = await twoTabs();
  for (let round = 1; round <= 20; round++) {
    await clock.pass(290_000);
    const tokens = await Promise.all([one, other, one, other].map((tab) => tab.getAccessToken()));
    assert.equal(new Set(tokens).size, 1);
    assert.equal(server.count('LatchkeyRefresh'), round);
  }
});

test('a tab takes the token that another has refreshed, and knows how old it is', async () => {
  const { server, clock, one, other } = await twoTabs();
  const release = server.hold();
  const refreshed = one.refresh();
  await clock.pass(5_000);
  release();
  await refreshed;
  await turns();
  assert.equal(await other.getAccessToken(), await one.getAccessToken());
  clock.wall -= 86_400_000; // the clocks of the tabs must tell it, too
  await clock.pass(284_999);
  await other.getAccessToken();
  assert.equal(server.count('LatchkeyRefresh'), 1);
  await clock.pass(1);
  await other.getAccessToken();
  assert.equal(server.count('LatchkeyRefresh'), 2);
});

test('a tab whose turn comes before the message of the one before waits for it', async () => {
  const world = new World();
  const [slow, quick] = [world.tab({ ...cookie, latency: 40 }), world.tab(cookie)];
  await slow.signIn('ada', 'right');
  await turns();
  const before = await quick.getAccessToken();
  const [one, other] = await Promise.all([slow.renew(before), quick.renew(before)]);
  assert.equal(one, other);
  assert.equal(world.server.count('LatchkeyRefresh'), 1);
});

test('a message that does not come back is not waited for long', async () => {
  const { world, server, clock, one } = await twoTabs();
  const before = await one.getAccessToken();
  world.letThrough = new Promise(() => {});
  const renewed = one.renew(before);
  await clock.pass(100);
  assert.equal(server.count('LatchkeyRefresh'), 1);
  await clock.pass(100);
  assert.equal(await renewed, accessToken('id of ada', 2));
});

test('a tab whose turn comes when another has failed asks for itself', async () => {
  const { server, clock, one, other } = await twoTabs();
  const before = await one.getAccessToken();
  server.next.push(down, down, down, down);
  const [first, second] = [one.renew(before), other.renew(before)];
  const failed = assert.rejects(first, { code: 'NETWORK_ERROR' });
  await clock.pass(4_250);
  await failed;
  assert.equal(await second, accessToken('id of ada', 2));
});

test('no message holds the refresh token', async () => {
  const { messages, server, one } = await twoTabs();
  await one.refresh();
  server.cookie = undefined; // then changePassword gives it in the answer
  await one.changePassword('right', 'another');
  await one.refresh();
  assert.equal(server.requests.at(-1).variables.refresh, 'refresh 3', 'it goes back into the cookie');
  assert.ok(messages.length > 3);
  assert.doesNotMatch(JSON.stringify(messages), /refresh \d/);
});

test('signing out in one tab signs out of all, a tab that is refreshing among them', async () => {
  const { server, one, other } = await twoTabs();
  const release = server.hold();
  const renewed = other.renew(await other.getAccessToken());
  await turns();
  const out = one.signOut();
  await turns();
  assert.equal(await renewed, null);
  release();
  await out;
  await turns();
  assert.deepEqual(one.states, [['signedOut', 'SIGNED_OUT']]);
  assert.deepEqual(other.states, [['signedOut', 'SIGNED_OUT']]);
  assert.equal(server.count('LatchkeySignOut'), 1);
  assert.equal(server.cookie, undefined);
});

test('a tab that has refreshed when it hears of the sign-out does not sign in again', async () => {
  const { one, other } = await twoTabs();
  const renewed = other.refresh(); // its news and that of the sign-out cross
  while (other.states.length === 0) await new Promise(setImmediate);
  const out = one.signOut();
  await Promise.all([renewed, out]);
  await turns();
  assert.deepEqual(one.states.slice(-1), [['signedOut', 'SIGNED_OUT']]);
  assert.deepEqual(other.states.slice(-1), [['signedOut', 'SIGNED_OUT']]);
});

test('a third tab in which the news of both cross is signed out in the end', async () => {
  const { world, one, other } = await twoTabs();
  const third = world.tab(cookie);
  await third.restore();
  const refreshed = other.refresh();
  while (world.messages.at(-1).news.session) await new Promise(setImmediate); // the next thing it says is that it hears
  let release;
  world.letThrough = new Promise((done) => (release = done));
  const out = one.signOut();
  await turns();
  release();
  await Promise.all([refreshed, out]);
  await turns();
  for (const tab of [one, other, third]) assert.equal(tab.getState().reason, 'SIGNED_OUT');
});

test('the sign-in of another user is that of all tabs, and no request goes on in that name', async () => {
  const { server, clock, one, other } = await twoTabs();
  const before = await other.getAccessToken();
  await clock.pass(295_000);
  const release = server.hold();
  const signingIn = one.signIn('bob', 'right');
  const request = assert.rejects(other.getAccessToken(), { code: 'USER_CHANGED' });
  await turns();
  release();
  await Promise.all([signingIn, request]);
  assert.deepEqual(other.states, [['signedIn', 'bob']]);
  assert.equal(await other.renew(before), null);
  assert.equal(server.count('LatchkeyRefresh'), 0);
});

test('a session that was ended is over in all tabs, and each is told once, with the reason', async () => {
  const { server, one, other } = await twoTabs();
  const before = await one.getAccessToken();
  server.sessions.clear();
  const answers = await Promise.all([one, other, one].map((tab) => tab.renew(before, { reason: 'REVOKED' })));
  await turns();
  assert.deepEqual(answers, [null, null, null]);
  assert.deepEqual(one.states, [['signedOut', 'REVOKED']]);
  assert.deepEqual(other.states, [['signedOut', 'REVOKED']]);
});

test('the reason is what the server said, though it has removed the cookie by then', async () => {
  const { server, one } = await twoTabs();
  server.sessions.clear();
  await one.renew(await one.getAccessToken(), { reason: 'EXPIRED' });
  assert.deepEqual(one.states, [['signedOut', 'REVOKED']]);
});

test('where the cookie is gone, the reason is that of the refused request', async () => {
  const { server, one } = await twoTabs();
  server.cookie = undefined;
  await one.renew(await one.getAccessToken(), { reason: 'REVOKED' });
  assert.deepEqual(one.states, [['signedOut', 'REVOKED']]);
});

test('without Web Locks a tab that was overtaken goes on with what is in the cookie', async () => {
  const { server, one, other } = await twoTabs({ locks: false, channels: false });
  const [mine, theirs] = [await one.getAccessToken(), await other.getAccessToken()];
  server.next.push(() => {
    server.answer('LatchkeyRefresh', { delivery: 'COOKIE' }); // the other tab's request comes first
    return refusal('TOKEN_NOT_VALID', { reason: 'REVOKED' })();
  });
  assert.equal(await one.renew(mine), accessToken('id of ada', 4));
  assert.deepEqual(one.states, [['signedIn', 'ada']]);
  assert.notEqual(await other.renew(theirs), null);
});

test('without Web Locks a tab still refreshes once for all of its requests', async () => {
  const { server, one } = await twoTabs({ locks: false });
  const before = await one.getAccessToken();
  await Promise.all(Array.from({ length: 20 }, () => one.renew(before)));
  assert.equal(server.count('LatchkeyRefresh'), 1);
});

test('where there is no page, as on a server that renders some, nobody gets the session of another', async (t) => {
  const [ada, stranger] = ['ada', 'stranger'].map(() => {
    const { server } = new World(); // a browser of its own
    const fetch = (url, init) => server.fetch(url, init);
    return createAuth({ url: 'https://auth.example/graphql', storage: 'cookie', fetch });
  });
  t.after(() => [ada, stranger].forEach((auth) => auth.close()));
  await ada.signIn('ada', 'right');
  await turns();
  assert.equal(stranger.getState().status, 'unknown');
  assert.equal(await stranger.getAccessToken(), null);
});

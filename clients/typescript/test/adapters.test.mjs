// What the links of Apollo Client and the exchange of urql do where no server is needed to see it.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ApolloClient, ApolloLink, gql, InMemoryCache } from '@apollo/client';
import { ServerError } from '@apollo/client/errors';
import { Client, makeErrorResult, makeResult } from '@urql/core';
import { Observable } from 'rxjs';
import { filter, fromPromise, mergeMap, pipe, subscribe, tap } from 'wonka';

import { createAuthLink } from '@latchkey/client/apollo';
import { authExchange } from '@latchkey/client/urql';
import { accessToken, down, turns, World } from './world.mjs';

const [first, second] = [1, 2].map((number) => `Bearer ${accessToken('id of ada', number)}`);
const whole = { data: { a: 'ok' } };
const refused = {
  data: { a: null },
  errors: [{ message: 'no', path: ['a'], extensions: { code: 'UNAUTHENTICATED', reason: 'EXPIRED' } }],
};

async function signedIn() {
  const world = new World();
  const auth = world.tab();
  await auth.signIn('ada', 'right');
  return { ...world, auth };
}

// Each client, over something that answers without a network: `answer` gets the number of the request and gives a result,
// or the response whose status is told. `run` starts a query or a mutation and returns what ends it; `done` gets its end.
const clients = {
  'Apollo Client'(auth, answer) {
    const sent = [];
    const end = new ApolloLink((operation) => {
      sent.push(operation.getContext().headers?.authorization);
      return new Observable((observer) => {
        const result = answer(sent.length);
        if (result instanceof Response) {
          observer.error(new ServerError('refused', { response: result, bodyText: '' }));
        } else {
          observer.next(result); // at once, as a cache or a mock does
          observer.complete();
        }
      });
    });
    const link = createAuthLink(auth).concat(end);
    const client = new ApolloClient({ link, cache: new InMemoryCache() });
    const run = (text, done) => {
      const operation = { query: gql(text), variables: {} };
      const subscription = ApolloLink.execute(link, operation, { client }).subscribe({
        next: (result) => done(null, result),
        error: (error) => done(error),
      });
      return () => subscription.unsubscribe();
    };
    return { run, sent };
  },
  urql(auth, answer) {
    const sent = [];
    const end = () => (operations$) =>
      pipe(
        operations$,
        filter(({ kind }) => kind !== 'teardown'),
        tap(({ context }) => sent.push(new Headers(context.fetchOptions?.headers).get('Authorization') ?? undefined)),
        mergeMap((operation) => fromPromise(Promise.resolve(resultOf(operation, answer(sent.length))))),
      );
    const resultOf = (operation, result) =>
      result instanceof Response
        ? makeErrorResult(operation, new Error('refused'), result)
        : makeResult(operation, result, Response.json(null));
    const client = new Client({ url: auth.url, exchanges: [authExchange(auth), end], preferGetMethod: false });
    const run = (text, done) => {
      const source = text.startsWith('mutation') ? client.mutation(text, {}) : client.query(text, {});
      return pipe(
        source,
        subscribe(({ error, data }) => done(error?.networkError ?? null, { data, errors: error?.graphQLErrors })),
      ).unsubscribe;
    };
    return { run, sent };
  },
};

for (const [name, make] of Object.entries(clients)) {
  const ask = (client, text) =>
    new Promise((resolve, reject) => client.run(text, (error, result) => (error ? reject(error) : resolve(result))));

  test(`${name}: what is refused is sent again with the next token, once`, async () => {
    const { auth, server } = await signedIn();
    const client = make(auth, (number) => (number === 1 ? refused : whole));
    assert.deepEqual((await ask(client, '{ a }')).data, whole.data);
    assert.deepEqual(client.sent, [first, second]);

    const stubborn = make(auth, () => refused);
    const { data, errors } = await ask(stubborn, '{ a }');
    assert.deepEqual([data, errors.length], [{ a: null }, 1]);
    assert.equal(stubborn.sent.length, 2);
    assert.equal(server.count('LatchkeyRefresh'), 2);
  });

  test(`${name}: the status 401 alone is a refusal, of a mutation only where it has one field`, async () => {
    for (const [text, times] of [
      ['{ a b }', 2],
      ['mutation { a }', 2],
      ['mutation { a b }', 1],
    ]) {
      const { auth } = await signedIn();
      const client = make(auth, (number) => (number === 1 ? new Response('', { status: 401 }) : whole));
      await ask(client, text).catch((error) => assert.match(error.message, /refused/));
      assert.equal(client.sent.length, times, text);
    }
  });

  test(`${name}: another status is passed on`, async () => {
    const { auth } = await signedIn();
    const client = make(auth, () => new Response('', { status: 500 }));
    await assert.rejects(ask(client, '{ a }'), /refused/);
    assert.equal(client.sent.length, 1);
  });

  test(`${name}: where the session is over, the refusal itself comes through`, async () => {
    const { auth, server } = await signedIn();
    const client = make(auth, () => refused);
    server.sessions.clear();
    const { data, errors } = await ask(client, '{ a }');
    assert.deepEqual([data, errors[0].extensions.reason], [{ a: null }, 'EXPIRED']);
    assert.equal(client.sent.length, 1);
    await ask(client, '{ a }');
    assert.deepEqual(client.sent.slice(1), [undefined], 'then it goes without a token');
  });

  test(`${name}: where no token can be had just now, that is the error`, async () => {
    const { auth, server, clock } = await signedIn();
    const client = make(auth, () => refused);
    for (const before of [0, 300_000]) {
      await clock.pass(before);
      server.next.push(down, down, down, down);
      const asked = assert.rejects(ask(client, '{ a }'), { code: 'NETWORK_ERROR' });
      await clock.pass(4_250);
      await asked;
    }
    assert.equal(client.sent.length, 1, 'the second was not sent at all');
    assert.equal(auth.getState().status, 'signedIn');
  });

  test(`${name}: what is no longer wanted while it waits is not sent`, async () => {
    for (const expired of [false, true]) {
      const { auth, server, clock } = await signedIn();
      if (expired) await clock.pass(300_000);
      const client = make(auth, () => refused);
      const release = server.hold();
      const came = [];
      const stop = client.run('{ a }', (...what) => came.push(what));
      await turns();
      assert.equal(server.count('LatchkeyRefresh'), 1);
      stop();
      release();
      await turns();
      assert.deepEqual([came, client.sent.length], [[], expired ? 0 : 1]);
    }
  });
}

// Beside a real Django project with djangorestframework-simplejwt and the same key: both answer the same, and each takes
// the tokens of the other. PYTHON names an interpreter that has the two; Debian's python3-djangorestframework-simplejwt
// brings them for /usr/bin/python3.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import test from 'node:test';
import { folder, password, start, username } from './latchkey.mjs';

const python = process.env.PYTHON ?? '/usr/bin/python3';
const key = 'a secret that a Django project and Latchkey share, for this test';
const missing = spawnSync(python, ['-c', 'import rest_framework_simplejwt']).status !== 0;
const skip = missing && !process.env.CI && `${python} has no djangorestframework-simplejwt`;

// startDjango serves the project and returns its port.
async function startDjango(t, rotate) {
  const project = spawn(python, [new URL('django_project.py', import.meta.url).pathname, folder()], {
    env: { SIGNING_KEY: key, PASSWORD: password, ROTATE: rotate ? '1' : '0' }, stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.after(async () => {
    project.stdin.end();
    if (project.exitCode === null) await once(project, 'exit');
  });
  const [line] = await Promise.race([once(project.stdout, 'data'), once(project, 'exit').then(() => [''])]);
  assert.match(String(line), /^\d+\n$/, 'the Django project did not start');
  return Number(line);
}

// both serves the two, with refresh tokens that rotate or not, and returns their ports.
async function both(t, rotate) {
  const latchkey = await start(t, {
    LATCHKEY_ALGORITHM: 'HS256', LATCHKEY_SIGNING_KEY: key, LATCHKEY_ROTATE_REFRESH_TOKENS: String(rotate),
    LATCHKEY_REFRESH_REUSE_LEEWAY: '0s',
  });
  return { latchkey, django: await startDjango(t, rotate) };
}

// send sends a request as it stands, without what fetch would add, and returns the answer.
function send(port, { method = 'POST', path, headers = {}, body }) {
  return new Promise((resolve, reject) => {
    const request = http.request({ host: '127.0.0.1', port, method, path, headers, agent: false }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => resolve({
        status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks).toString(),
      }));
    });
    request.on('error', reject);
    if (body !== undefined) request.setHeader('Content-Length', Buffer.byteLength(body));
    request.end(body);
  });
}

const json = (path, value, headers = {}) => ({
  path, headers: { 'Content-Type': 'application/json', ...headers },
  body: typeof value === 'string' || Buffer.isBuffer(value) ? value : JSON.stringify(value),
});
const form = (path, fields) => ({
  path, headers: { 'Content-Type': 'application/x-www-form-urlencoded' }, body: new URLSearchParams(fields).toString(),
});
const multipart = (path, fields) => ({
  path, headers: { 'Content-Type': 'multipart/form-data; boundary=xyz' },
  body: `${Object.entries(fields).map(([name, value]) => `--xyz\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`).join('')}--xyz--\r\n`,
});
const bearer = (value, method = 'GET') => ({ method, path: '/protected/', headers: value === undefined ? {} : { Authorization: value } });

// seen is what both have to agree on. Tokens differ, and the words with which a view describes itself; Latchkey has no page
// for people at these paths; simplejwt before 5.5 has one text for two.
function seen({ status, headers, body }) {
  return {
    status,
    body: body.replace(/"description":"[^"]*",/, '').replace(',"text/html"]', ']').replace(/eyJ[\w-]+\.[\w-]+\.[\w-]+/g, 'TOKEN').replace(/Token is (invalid|expired)"/g, 'Token is invalid or expired"'),
    allow: headers.allow,
    vary: headers.vary,
    challenge: headers['www-authenticate'],
    type: body === '' ? undefined : headers['content-type'],
  };
}

const credentials = { username, password };

function cases() {
  const obtain = '/api/token/';
  const list = {
    'a form': form(obtain, credentials),
    'a form with a field twice': { ...form(obtain, {}), body: `username=x&${new URLSearchParams(credentials)}` },
    multipart: multipart(obtain, credentials),
    JSON: json(obtain, credentials),
    'JSON with a charset': json(obtain, credentials, { 'Content-Type': 'Application/JSON; charset=utf-8' }),
    'JSON with unknown members': json(obtain, { ...credentials, other: [1] }),
    'white space around the fields': json(obtain, { username: ` ${username}\t`, password: `\n${password} ` }),
    'a wrong password': json(obtain, { ...credentials, password: 'wrong' }),
    'an unknown user': json(obtain, { ...credentials, username: 'nobody' }),
    'another case': json(obtain, { ...credentials, username: 'ADA' }),
    'a broken Authorization header': json(obtain, credentials, { Authorization: 'Bearer junk' }),
    'no body': { path: obtain },
    'an empty body of any type': { path: obtain, headers: { 'Content-Type': 'text/plain' }, body: '' },
    'another content type': { path: obtain, headers: { 'Content-Type': 'text/plain; charset=x' }, body: 'username=ada' },
    'multipart without a boundary': { path: obtain, headers: { 'Content-Type': 'multipart/form-data' }, body: 'x' },
    'a number for the password': json(obtain, { username, password: 1 }),
    'a fraction for the password': json(obtain, { username, password: 1.5 }),
    'both fields missing': json(obtain, {}),
    'one field missing': json(obtain, { username }),
    'names in another case': json(obtain, { Username: username, Password: password }),
    'a member twice': json(obtain, `{"username":"x","username":"${username}","password":"${password}"}`),
    GET: { method: 'GET', path: obtain },
    PUT: { ...json(obtain, credentials), method: 'PUT' },
    DELETE: { method: 'DELETE', path: obtain },
    OPTIONS: { method: 'OPTIONS', path: obtain },
    'Accept: application/xml': json(obtain, credentials, { Accept: 'application/xml' }),
    'Accept: application/json': json(obtain, credentials, { Accept: 'application/json' }),
    '?format=json': json(`${obtain}?format=json`, credentials),
    '?format=xml': json(`${obtain}?format=xml`, credentials),
    'bytes that are not UTF-8': json(obtain, Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d])),
    'a byte order mark': json(obtain, `\ufeff${JSON.stringify(credentials)}`),
  };
  for (const value of ['null', '""', '"  "', 'true', '[]', '{}', '"\\u0000"', '"\\ud800"']) {
    list[`username ${value}`] = json(obtain, `{"username":${value},"password":"x"}`);
  }
  for (const body of [
    '{', 'hello', ' ', '{"username":"a"} x', '[1,2', '{"a":}', '{"a":1,}', '{"a" 1}', '{a:1}', '"abc', '"\\x"', '{"a":NaN}',
    '[Infinity]', '01', '-', '1.', 'tru', '{"a":"\u0001"}', '{"a":"\\u12"}', '["é\n", x]', 'null', '[]', '"x"', '1', '1.5', 'false',
  ]) {
    list[`the body ${JSON.stringify(body)}`] = json(obtain, body);
  }
  for (const [path, field] of [['/api/token/refresh/', 'refresh'], ['/api/token/verify/', 'token'], ['/api/token/blacklist/', 'refresh']]) {
    list[`${path} with nothing`] = json(path, {});
    list[`${path} with null`] = json(path, { [field]: null });
    list[`${path} with an empty text`] = json(path, { [field]: '' });
    list[`${path} with an array`] = json(path, { [field]: ['x'] });
    list[`${path} with junk`] = json(path, { [field]: 'junk' });
    list[`${path} with junk in a form`] = form(path, { [field]: 'a.b.c' });
    list[`${path} with a number`] = json(path, { [field]: 7 });
    list[`GET ${path}`] = { method: 'GET', path };
    list[`OPTIONS ${path}`] = { method: 'OPTIONS', path };
  }
  for (const header of [
    undefined, '', 'Bearer', 'Bearer ', 'Bearer a b', 'Bearer junk', 'bearer junk', 'BEARER junk', 'Basic eDp5', 'JWT junk', 'Token junk', 'junk',
    'Bearer  junk', 'Bearer\tjunk', 'Bearer a.b.c',
  ]) {
    list[`the protected view with ${JSON.stringify(header)}`] = bearer(header);
  }
  list['POST to the protected view'] = bearer(undefined, 'POST');
  list['POST to the protected view with junk'] = bearer('Bearer junk', 'POST');
  list['OPTIONS of the protected view'] = bearer(undefined, 'OPTIONS');
  return list;
}

test('both answer the same', { skip }, async (t) => {
  const { latchkey, django } = await both(t, false);
  for (const [name, request] of Object.entries(cases())) {
    await t.test(name, async () => {
      assert.deepEqual(seen(await send(latchkey, request)), seen(await send(django, request)));
    });
  }
});

async function signIn(port) {
  const { status, body } = await send(port, form('/api/token/', credentials));
  assert.equal(status, 200, body);
  return JSON.parse(body);
}

// Every use of a token, of the one that made it and of the other: refreshed, verified, sent and blacklisted.
for (const rotate of [false, true]) {
  test(`each takes the other's tokens, where refresh tokens ${rotate ? 'rotate' : 'stay'}`, { skip }, async (t) => {
    const ports = await both(t, rotate);
    for (const [maker, taker] of [['django', 'latchkey'], ['latchkey', 'django'], ['latchkey', 'latchkey']]) {
      await t.test(`of ${maker}, at ${taker}`, async () => {
        const [from, at] = [ports[maker], ports[taker]];
        const answer = async (request) => {
          const { status, body } = await send(at, request);
          return [status, JSON.parse(body)];
        };
        const refresh = (token) => answer(form('/api/token/refresh/', { refresh: token }));
        const { access, refresh: first } = await signIn(from);
        assert.deepEqual(await answer(bearer(`Bearer ${access}`)), [200, { content: 'This view is protected' }]);
        for (const token of [access, first]) assert.deepEqual(await answer(json('/api/token/verify/', { token })), [200, {}]);
        for (const path of ['refresh', 'blacklist']) {
          assert.deepEqual(await answer(json(`/api/token/${path}/`, { refresh: access })), [401, { detail: 'Token has wrong type', code: 'token_not_valid' }]);
        }
        const wrong = await answer(bearer(`Bearer ${first}`));
        assert.deepEqual([wrong[0], wrong[1].code, wrong[1].messages[0].message], [401, 'token_not_valid', 'Token has wrong type']);

        const [status, second] = await refresh(first);
        assert.deepEqual([status, Object.keys(second)], [200, rotate ? ['access', 'refresh'] : ['access']]);
        assert.deepEqual((await answer(bearer(`Bearer ${second.access}`)))[0], 200);
        const blacklisted = [401, { detail: 'Token is blacklisted', code: 'token_not_valid' }];
        const last = rotate ? second.refresh : first;
        assert.deepEqual(await answer(json('/api/token/blacklist/', { refresh: last })), [200, {}]);
        assert.deepEqual(await answer(json('/api/token/blacklist/', { refresh: last })), blacklisted);
        assert.deepEqual(await refresh(last), blacklisted);
        assert.deepEqual(await refresh(first), blacklisted);
        if (rotate || taker === 'latchkey') {
          assert.deepEqual(await answer(json('/api/token/verify/', { token: last })), [400, { non_field_errors: ['Token is blacklisted'] }]);
        }
      });
    }
  });
}

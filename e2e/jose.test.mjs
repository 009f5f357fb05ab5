// Another service verifies the tokens with jose and the published keys, before and after they are rotated.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import test from 'node:test';
import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';
import { folder, password, start, username } from './latchkey.mjs';

const root = new URL('..', import.meta.url).pathname;

async function signIn(base) {
  const response = await fetch(`${base}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      query: 'mutation ($u: String!, $p: String!) { tokenObtain(username: $u, password: $p) { access } }',
      variables: { u: username, p: password },
    }),
  });
  const { data } = await response.json();
  return data.tokenObtain.access;
}

for (const algorithm of ['ES256', 'EdDSA', 'RS256']) {
  test(`jose goes on verifying ${algorithm} tokens with a cached key set while the keys are rotated`, async (t) => {
    const env = {
      LATCHKEY_DATABASE_URL: `sqlite:${folder()}/latchkey.db`,
      LATCHKEY_SECRET_KEY: 'a secret key of this test alone, made of words',
      LATCHKEY_ALGORITHM: algorithm,
    };
    const base = `http://127.0.0.1:${await start(t, env)}`;
    const { jwks_uri: uri, id_token_signing_alg_values_supported: algorithms } =
      await (await fetch(`${base}/.well-known/openid-configuration`)).json();
    assert.deepEqual(algorithms, [algorithm]);

    const keys = createRemoteJWKSet(new URL(uri), { cooldownDuration: 3_600_000 }); // it may fetch once, and no more
    const verify = async (token) => (await jwtVerify(token, keys, { algorithms })).payload;
    const before = await signIn(base);
    const { sub, user_id: userID, token_type: type } = await verify(before);
    assert.deepEqual([sub, userID, type], ['1', '1', 'access']);

    const rotate = ['keys', 'rotate', '--force']; // a next key that was just made waits else
    const binary = process.env.LATCHKEY_BINARY;
    if (binary) execFileSync(binary, rotate, { env });
    else execFileSync('go', ['run', '.', ...rotate], { cwd: root, env: { ...process.env, ...env } });

    const kid = decodeProtectedHeader(before).kid;
    let after = before;
    for (const began = Date.now(); decodeProtectedHeader(after).kid === kid; after = await signIn(base)) {
      assert.ok(Date.now() - began < 10_000, 'the server does not take up the new key');
    }
    await verify(after);
    await verify(before);
    await assert.rejects(verify(`${after.slice(0, -4)}AAAA`));
  });
}

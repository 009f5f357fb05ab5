// The audits of graphql-http: GraphQL over HTTP as the draft asks for it, its
// recommendations included.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';

import { serverAudits } from 'graphql-http';

import { baseURL } from './settings.mjs';

const audits = serverAudits({ url: `${baseURL}/graphql` });
let passed = 0;

test('the suite has 61 audits', () => {
  assert.equal(audits.length, 61);
});

for (const audit of audits) {
  test(`${audit.id} ${audit.name}`, async () => {
    const result = await audit.fn();
    assert.equal(result.status, 'ok', result.reason);
    passed++;
  });
}

after(() => console.log(`graphql-http audits: ${passed} of ${audits.length} ok`));

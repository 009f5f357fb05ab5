// When a request is repeated.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { parse } from 'graphql';

import { operationInText } from '../dist/fetch.js';
import { operationOf, refusalOf } from '../dist/refusal.js';

const error = (path, code = 'UNAUTHENTICATED') => ({ message: '', path, extensions: { code, reason: 'EXPIRED' } });
const query = { changes: false, fields: 2 };
const mutation = (fields) => ({ changes: true, fields });

const answers = [
  ['a query of which a part was refused', query, { data: { a: 1, b: null }, errors: [error(['b'])] }, true],
  [
    'a query that was refused deep inside',
    query,
    { data: { a: { c: null }, b: 1 }, errors: [error(['a', 'c'])] },
    true,
  ],
  ['a query that was refused wholly', query, { data: null, errors: [error(['a'])] }, true],
  ['a query with another error', query, { data: null, errors: [error(['a'], 'FORBIDDEN')] }, false],
  ['a query with another error first', query, { data: null, errors: [error(['a'], 'NOT_FOUND'), error(['b'])] }, true],
  ['a query without an error', query, { data: { a: 1, b: 2 } }, false],
  ['a mutation of one field', mutation(1), { data: null, errors: [error(['a'])] }, true],
  ['a mutation of one field that is nullable', mutation(1), { data: { a: null }, errors: [error(['a'])] }, true],
  [
    'a mutation that ran, and was refused a part of its answer',
    mutation(1),
    { data: null, errors: [error(['a', 'b'])] },
    false,
  ],
  ['a mutation of two fields, one refused', mutation(2), { data: null, errors: [error(['b'])] }, false],
  ['a mutation of two fields, both refused', mutation(2), { data: null, errors: [error(['a']), error(['b'])] }, true],
  [
    'a mutation of two fields, one refused for another reason',
    mutation(2),
    { data: null, errors: [error(['a']), error(['b'], 'FORBIDDEN')] },
    false,
  ],
  ['a mutation of unknown fields, without data', mutation(undefined), { data: null, errors: [error(['a'])] }, false],
  [
    'a mutation of unknown fields, all refused',
    mutation(undefined),
    { data: { a: null }, errors: [error(['a'])] },
    true,
  ],
  [
    'a mutation of unknown fields, all but the name of the type refused',
    mutation(undefined),
    { data: { __typename: 'Mutation', a: null }, errors: [error(['a'])] },
    true,
  ],
  [
    'a mutation of unknown fields, one refused',
    mutation(undefined),
    { data: { a: null, b: 1 }, errors: [error(['a'])] },
    false,
  ],
  ['a mutation with an error that has no place', mutation(undefined), { data: {}, errors: [error(undefined)] }, false],
];
for (const [name, operation, answer, repeatable] of answers) {
  test(`${name} is ${repeatable ? '' : 'not '}repeated`, () => {
    assert.deepEqual(refusalOf(answer, operation), repeatable ? { reason: 'EXPIRED' } : null);
  });
}

const documents = [
  ['{ a b }'],
  ['query { a }'],
  ['query Q($a: In = {x: {y: 1}}, $b: [Int!]! = [1]) @d(x: {y: 1}) { a(x: {y: "}"}) { b c } d }'],
  ['mutation { a }'],
  ['mutation M { a { b c d { e } } }'],
  ['mutation M($in: In! = {a: "mutation {"}) { x: a(in: $in) @include(if: true) { b } y: a(in: $in) { b } }'],
  ['mutation M { a, b # c }\n }'],
  ['mutation M { a(text: """ } { \\""" mutation { """) b(text: "\\"}") }'],
  ['mutation M { ...F a } fragment F on Mutation { b }'],
  ['mutation M { ... on Mutation { b } }'],
  ['mutation M { ... @include(if: true) { b } a }'],
  ['subscription S { a }'],
  ['fragment query on T { a b } mutation mutation { query mutation }'],
  ['query fragment { fragment } fragment mutation on Query { mutation }'],
  ['query A { a } mutation B { b c } mutation C { c }', 'A'],
  ['query A { a } mutation B { b c } mutation C { c }', 'B'],
  ['query A { a } mutation B { b c } mutation C { c }', 'C'],
  ['query A { a } mutation B { b c }', 'D'],
  ['query A { a } mutation B { b c }'],
  ['\uFEFFmutation\n{\ta\r\n\talias\n:\nb\n@ skip ( if : false ) }'],
  ['mutation { a @x @y(z: 1) b @x }'],
  ['mutation { __typename a kind: __typename }'],
  ['mutation { __typename }'],
];
for (const [text, name] of documents) {
  test(`the text is read as a parser reads it: ${JSON.stringify(text)} ${name ?? ''}`, () => {
    assert.deepEqual(operationInText(text, name), operationOf(parse(text), name));
  });
}

test('a text that is no document may change something', () => {
  for (const text of ['', '}', '{ a', 'mutation', 'nonsense { a }'])
    assert.equal(operationInText(text).changes, true, text);
});

// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { inputsDigest, isSameInputs, type PolicyInputs } from './inputs.ts';

const INPUTS = {
  spec: {
    images: ['registry.example/*'],
    enforcement: 'Enforce',
    unknown: 'Deny',
    maxAgeSeconds: 86_400,
    platforms: 'Index',
    authorities: [{ name: 'builder', key: { secretRef: { name: 'keys', key: 'k' } } }],
    require: { signatures: { from: ['builder'] } },
  },
  roots: { own: '{}' },
  keys: { 'keys/k': 'PEM' },
  waivers: [{ name: 'w', vulnerability: 'CVE-2026-1', expires: '2026-12-01T00:00:00Z' }],
} as unknown as PolicyInputs;

function withSpec(fields: object): PolicyInputs {
  return { ...INPUTS, spec: { ...INPUTS.spec, ...fields } };
}

for (const { name, given, isOther } of [
  { name: 'nothing', given: structuredClone(INPUTS), isOther: false },
  { name: 'where it is asked', given: withSpec({ images: ['*'] }), isOther: false },
  {
    name: 'what becomes of the answer',
    given: withSpec({ enforcement: 'Warn', unknown: 'Allow' }),
    isOther: false,
  },
  { name: 'how long the answer counts', given: withSpec({ maxAgeSeconds: 300 }), isOther: false },
  { name: 'who is trusted', given: withSpec({ authorities: [] }), isOther: true },
  { name: 'what is asked', given: withSpec({ require: {} }), isOther: true },
  { name: 'who is not trusted any more', given: withSpec({ revoked: ['a'.repeat(64)] }), isOther: true },
  { name: 'what of an index is asked', given: withSpec({ platforms: 'Each' }), isOther: true },
  { name: 'a key', given: { ...INPUTS, keys: { 'keys/k': 'OTHER' } }, isOther: true },
  { name: 'a key that is gone', given: { ...INPUTS, keys: {} }, isOther: true },
  { name: 'a root', given: { ...INPUTS, roots: { own: '[]' } }, isOther: true },
  { name: 'a waiver that is gone', given: { ...INPUTS, waivers: [] }, isOther: true },
  {
    name: 'until when a waiver counts',
    given: { ...INPUTS, waivers: [{ ...INPUTS.waivers[0]!, expires: '2026-12-02T00:00:00Z' }] },
    isOther: true,
  },
]) {
  test(`what a verdict is found by is ${isOther ? 'something else' : 'the same'} where it changes ${name}`, (t) => {
    t.is(inputsDigest(given) !== inputsDigest(INPUTS), isOther);
  });
}

for (const { name, given, isSame } of [
  { name: 'nothing', given: { ...structuredClone(INPUTS), spec: INPUTS.spec }, isSame: true },
  { name: 'the policy', given: structuredClone(INPUTS), isSame: false },
  { name: 'a root', given: { ...INPUTS, roots: { own: '[]' } }, isSame: false },
  { name: 'the name of a root', given: { ...INPUTS, roots: { other: '{}' } }, isSame: false },
  { name: 'a root more', given: { ...INPUTS, roots: { own: '{}', other: '{}' } }, isSame: false },
  { name: 'a key', given: { ...INPUTS, keys: { 'keys/k': 'OTHER' } }, isSame: false },
  { name: 'what may not be read', given: { ...INPUTS, forbidden: ['keys'] }, isSame: false },
  { name: 'a waiver that is gone', given: { ...INPUTS, waivers: [] }, isSame: false },
  {
    name: 'a waiver more',
    given: { ...INPUTS, waivers: [...INPUTS.waivers, ...INPUTS.waivers] },
    isSame: false,
  },
  {
    name: 'what a waiver is for',
    given: { ...INPUTS, waivers: [{ ...INPUTS.waivers[0]!, purl: 'pkg:npm/a' }] },
    isSame: false,
  },
]) {
  test(`what is read of a policy is ${isSame ? 'the same' : 'read anew'} where it changes ${name}`, (t) => {
    t.is(isSameInputs(INPUTS, given), isSame);
    t.is(isSameInputs(given, INPUTS), isSame);
  });
}

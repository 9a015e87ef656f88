// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { type ManagedFields, ownedByApply } from './field-ownership.ts';

const US = 'nexusos-tenant';
const THEIRS: ManagedFields = {
  manager: 'kubectl',
  operation: 'Update',
  fieldsV1: { 'f:data': { 'f:x': {} } },
};
const STATUS: ManagedFields = { manager: US, operation: 'Update', subresource: 'status', fieldsV1: {} };

function ours(
  operation: string,
  fieldsV1: ManagedFields['fieldsV1'] = { 'f:data': { 'f:a': {} } },
): ManagedFields {
  return { manager: US, operation, apiVersion: 'v1', fieldsV1 };
}

const CASES: Readonly<
  Record<
    string,
    { readonly entries: readonly ManagedFields[]; readonly want: readonly ManagedFields[] | undefined }
  >
> = {
  'what was created is owned by apply': {
    entries: [THEIRS, ours('Update')],
    want: [THEIRS, ours('Apply')],
  },
  'what is owned both ways is owned by apply, all of it': {
    entries: [
      ours('Apply', { 'f:data': { 'f:a': {}, 'f:c': {} } }),
      ours('Update', { 'f:data': { 'f:b': {} }, 'f:type': {} }),
    ],
    want: [ours('Apply', { 'f:data': { 'f:a': {}, 'f:c': {}, 'f:b': {} }, 'f:type': {} })],
  },
  'what is owned by apply already stays as it is': { entries: [THEIRS, ours('Apply')], want: undefined },
  'others are left alone, and status too': { entries: [THEIRS, STATUS], want: undefined },
};

for (const [sentence, { entries, want }] of Object.entries(CASES)) {
  test(sentence, (t) => {
    t.deepEqual(ownedByApply(entries, US), want);
  });
}

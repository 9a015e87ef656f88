// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { KubeObject } from '../object.ts';
import { refusalOf } from './refusal.ts';
import { ago, makePod } from './testing/make.ts';

const FORBIDDEN = 'Error creating: pods "x" is forbidden: RuntimeClass "gvisor" not found';
const QUOTA =
  'Error creating: pods "x" is forbidden: exceeded quota: nexusos, requested: pods=1, used: pods=1, limited: pods=1';

interface Told {
  readonly message: string;
  /** Seconds since it was told first, and last. */
  readonly first: number;
  readonly last: number;
}

function eventOf({ message, first, last }: Told): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: 'e', namespace: 'acme-dev', creationTimestamp: ago(first) },
    firstTimestamp: ago(first),
    lastTimestamp: ago(last),
    message,
  };
}

interface Case {
  readonly told: readonly Told[];
  readonly pods?: readonly KubeObject[];
  /** `since` in seconds ago. */
  readonly want: { readonly message: string; readonly since?: number } | undefined;
}

const cases: Record<string, Case> = {
  'nothing told is no refusal': { told: [], want: undefined },
  'one refusal counts from when it was told first': {
    told: [{ message: FORBIDDEN, first: 40, last: 5 }],
    want: { message: FORBIDDEN, since: 40 },
  },
  'the last one is told, the first one counts': {
    told: [
      { message: FORBIDDEN, first: 40, last: 30 },
      { message: 'Error creating: another', first: 20, last: 10 },
    ],
    want: { message: 'Error creating: another', since: 40 },
  },
  'quota alone counts for nothing': {
    told: [{ message: QUOTA, first: 400, last: 5 }],
    want: { message: QUOTA },
  },
  'quota before another refusal is no part of it': {
    told: [
      { message: QUOTA, first: 400, last: 300 },
      { message: FORBIDDEN, first: 20, last: 10 },
    ],
    want: { message: FORBIDDEN, since: 20 },
  },
  'what was told before a pod was made is over': {
    told: [{ message: FORBIDDEN, first: 40, last: 30 }],
    pods: [makePod({}, { phase: 'Failed' })],
    want: undefined,
  },
  'what began before and goes on counts from the pod': {
    told: [{ message: FORBIDDEN, first: 40, last: 1 }],
    pods: [makePod({}, { phase: 'Failed' })],
    want: { message: FORBIDDEN, since: 10 },
  },
};

for (const [name, { told, pods = [], want }] of Object.entries(cases)) {
  test(name, (t) => {
    const found = refusalOf(told.map(eventOf), pods);
    const sinceMs = want?.since === undefined ? undefined : Date.parse(ago(want.since));
    t.deepEqual(found, want && { message: want.message, sinceMs });
  });
}

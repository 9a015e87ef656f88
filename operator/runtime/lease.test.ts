// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { KubeObject } from '../core/object.ts';
import { heldSpec, type LeaseSpec, type LeaseStep, nextStep, releasedSpec, sight } from './lease.ts';

const NOW = new Date('2026-01-01T00:00:00.123Z');
const lease = (spec: LeaseSpec): KubeObject => ({
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: { name: 'l' },
  spec,
});

const STEPS: Record<string, { spec: LeaseSpec | undefined; silentMs: number; want: LeaseStep }> = {
  'there is no lease': { spec: undefined, silentMs: 0, want: 'create' },
  'we hold it': { spec: { holderIdentity: 'us', leaseDurationSeconds: 10 }, silentMs: 0, want: 'renew' },
  'another holds it and was just seen': {
    spec: { holderIdentity: 'other', leaseDurationSeconds: 10 },
    silentMs: 9999,
    want: 'wait',
  },
  'another was silent for its whole lease': {
    spec: { holderIdentity: 'other', leaseDurationSeconds: 10 },
    silentMs: 10_000,
    want: 'take',
  },
  'it was given back': { spec: { holderIdentity: '', leaseDurationSeconds: 1 }, silentMs: 0, want: 'take' },
  'nobody ever held it': { spec: {}, silentMs: 0, want: 'take' },
  'its times are of another clock, which tells nothing': {
    spec: { holderIdentity: 'other', leaseDurationSeconds: 10, renewTime: '1999-01-01T00:00:00.000000Z' },
    silentMs: 10,
    want: 'wait',
  },
};

for (const [sentence, { spec, silentMs, want }] of Object.entries(STEPS)) {
  test(`${want}: ${sentence}`, (t) => {
    const seen = spec === undefined ? undefined : { lease: lease(spec), spec, seenAtMs: 1000 };
    t.is(nextStep(seen, 'us', 1000 + silentMs), want);
  });
}

test('a lease that did not change keeps the time since when we know it so', (t) => {
  const spec = { holderIdentity: 'other', renewTime: 'r1' };
  const first = sight(undefined, lease(spec), 100);
  t.is(sight(first, lease(spec), 500).seenAtMs, 100);
  t.is(sight(first, lease({ ...spec, renewTime: 'r2' }), 500).seenAtMs, 500);
  t.is(sight(first, lease({ ...spec, holderIdentity: 'third' }), 500).seenAtMs, 500);
});

test('taking counts a transition, renewing does not', (t) => {
  const holder = { identity: 'us', leaseDurationMs: 1500 };
  const taken = heldSpec({ holderIdentity: 'other', leaseTransitions: 4 }, holder, NOW);
  t.deepEqual(taken, {
    holderIdentity: 'us',
    leaseDurationSeconds: 2,
    acquireTime: '2026-01-01T00:00:00.123000Z',
    renewTime: '2026-01-01T00:00:00.123000Z',
    leaseTransitions: 5,
  });
  const renewed = heldSpec(taken, holder, new Date('2026-01-01T00:00:09Z'));
  t.is(renewed.leaseTransitions, 5);
  t.is(renewed.acquireTime, taken.acquireTime);
  t.is(renewed.renewTime, '2026-01-01T00:00:09.000000Z');
});

test('a lease given back is anybody’s at once', (t) => {
  const spec = releasedSpec({ holderIdentity: 'us', leaseDurationSeconds: 10 }, NOW);
  t.is(nextStep({ lease: lease(spec), spec, seenAtMs: 0 }, 'other', 0), 'take');
});

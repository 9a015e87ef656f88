// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { RunStatus } from '#crds/v1alpha1/run';
import type { KubeObject } from '../object.ts';
import { ago, makePod } from './testing/make.ts';
import { ACTIVE, type Case, RUNNING, running, testPlans } from './testing/plan-cases.ts';
import { unmountedOf } from './unmounted.ts';

const MISSING = 'MountVolume.SetUp failed for volume "input" : secret "prompt" not found';

/** An Event that was told first, and last, so many seconds ago. */
function eventOf(message: string, first: number, last: number): KubeObject {
  const metadata = { name: 'e', namespace: 'acme-dev', creationTimestamp: ago(first) };
  const times = { firstTimestamp: ago(first), lastTimestamp: ago(last) };
  return { apiVersion: 'v1', kind: 'Event', metadata, ...times, message };
}

/** A pod on a node, whose container is waited for, and which volume could not be mounted. */
function seen(first: number, last: number) {
  const scheduled = { type: 'PodScheduled', status: 'True', lastTransitionTime: ago(first) };
  const waiting = { reason: 'ContainerCreating' };
  const pod = makePod({ waiting }, { phase: 'Pending', conditions: [scheduled] });
  return { pod, unmounted: unmountedOf([eventOf(MISSING, first, last)]) };
}

function starting(message: string): RunStatus {
  const { child } = RUNNING;
  const conditions = RUNNING.conditions?.map((one) => ({ ...one, reason: 'Starting', message })) ?? [];
  return { ...ACTIVE, ...(child && { child }), conditions };
}

const cases: Record<string, Case> = {
  'a volume that is mounted at the second try is nothing to tell of': {
    status: ACTIVE,
    seen: seen(1, 1),
    wantSoon: true,
  },
  'one that cannot be mounted is told, in the words of the node': {
    status: ACTIVE,
    seen: seen(30, 5),
    want: { phase: 'Admitted', reason: 'Starting' },
    wantWords: 'secret "prompt" not found',
    wantSoon: true,
  },
  'also where it was told before that there was no node': {
    status: starting('waits for a node: none has room'),
    seen: seen(30, 5),
    want: { phase: 'Admitted', reason: 'Starting' },
    wantWords: 'secret "prompt" not found',
    wantSoon: true,
  },
  'but not again for other words of the node': {
    status: starting('a volume cannot be mounted: configmap'),
    seen: seen(30, 5),
    wantSoon: true,
    wantWords: 'configmap',
  },
  'and is given up after ten minutes, like an image': {
    status: ACTIVE,
    seen: seen(601, 90),
    want: { phase: 'Admitted', reason: 'StartFailed', code: 'dependency_unavailable' },
    wantRemoved: ['Pod'],
    wantSaid: ['600 seconds', 'secret "prompt" not found'],
  },
  'a node that says no more of it has mounted it, and pulls an image for long': {
    status: ACTIVE,
    seen: seen(901, 300),
  },
  'nor does it matter to a container that runs': {
    status: RUNNING,
    seen: { ...seen(30, 5), pod: running },
  },
};

testPlans(cases);

test('of several Events the last one is told, and the first one counts', (t) => {
  const events = [eventOf('first', 60, 50), eventOf('last', 40, 10), eventOf('between', 30, 20)];
  t.deepEqual(unmountedOf(events), {
    message: 'last',
    sinceMs: Date.parse(ago(60)),
    toldMs: Date.parse(ago(10)),
  });
  t.is(unmountedOf([]), undefined);
});

// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { KubeObject } from '../object.ts';
import { missesDevicesSince } from './no-devices.ts';
import { ago, going, makeClass, makePod, NOW } from './testing/make.ts';
import { type Case, PAUSING, RUNNING, running, testPlans, WAITING, succeeded } from './testing/plan-cases.ts';

function unscheduled(message: string, more: object = {}): KubeObject {
  const condition = { type: 'PodScheduled', status: 'False', message, lastTransitionTime: ago(40) };
  return makePod({}, { phase: 'Pending', conditions: [condition], ...more });
}

const NO_GPU = unscheduled(
  '0/9 nodes are available: 2 Insufficient nvidia.com/gpu, 7 had untolerated taints.',
);
const looking = { pod: NO_GPU };
const since = (seconds: number) => NOW.getTime() - seconds * 1000;
const missing = (seconds: number, isShort = true) => ({ sinceMs: since(seconds), isShort });
const decided = (phase: 'Admitted' | 'Running') => ({
  ...RUNNING,
  phase,
  conditions: RUNNING.conditions?.map((one) => ({ ...one, reason: 'NoFreeDevices' })) ?? [],
});
const ADMITTED = { ...RUNNING, phase: 'Admitted' } as const;

const cases: Record<string, Case> = {
  'a pod that looks for devices is given a moment, and looked at again': {
    status: ADMITTED,
    seen: { ...looking, missing: missing(29) },
    want: { phase: 'Admitted', reason: 'Starting' },
    wantSoon: true,
  },
  'then its Run is taken back, so that it waits in the queue': {
    status: ADMITTED,
    seen: { ...looking, missing: missing(30) },
    want: { phase: 'Admitted', reason: 'NoFreeDevices' },
    wantRemoved: ['Pod'],
  },
  'also one that ran until its node was lost': {
    status: RUNNING,
    seen: { ...looking, missing: missing(30) },
    want: { phase: 'Running', reason: 'NoFreeDevices' },
    wantRemoved: ['Pod'],
  },
  'one that lacks something else beside devices that are free keeps its place, and is looked at again': {
    status: ADMITTED,
    seen: { ...looking, missing: missing(40, false) },
    want: { phase: 'Admitted', reason: 'Starting' },
    wantSoon: true,
  },
  'what was decided stays so, though its pod has found devices meanwhile': {
    status: decided('Admitted'),
    seen: { pod: running },
    wantRemoved: ['Pod'],
  },
  'it is in the queue when nothing is left of it': {
    status: decided('Running'),
    want: { phase: 'Queued', reason: 'NoFreeDevices' },
  },
  'and not before its pod has ended': {
    status: decided('Admitted'),
    seen: { pod: going(running) },
    wantRemoved: ['Pod'],
  },
  'one that has succeeded before its pod could be removed has succeeded': {
    status: decided('Admitted'),
    seen: { pod: succeeded },
    want: { phase: 'Succeeded', reason: 'Succeeded' },
  },
  'a tenant that pauses its Runs comes first': {
    status: ADMITTED,
    seen: { ...looking, missing: missing(30), ...PAUSING },
    want: { phase: 'Admitted', reason: 'Paused' },
    wantRemoved: ['Pod'],
  },
  'in the queue it says what it waits for now': {
    status: { phase: 'Queued', attempt: 1 },
    seen: { place: { ...WAITING, reason: 'NoFreeDevices' } },
    want: { phase: 'Queued', reason: 'NoFreeDevices' },
    wantSoon: true,
  },
};

testPlans(cases);

const h100 = makeClass('h100');
const dra = makeClass('dra', { deviceClassName: 'gpu.nvidia.com' });
const WORDS: Readonly<
  Record<string, { readonly pod: KubeObject; readonly of?: typeof h100; readonly want: boolean }>
> = {
  'no node with enough devices': { pod: NO_GPU, want: true },
  'no node with enough cores': {
    pod: unscheduled('0/9 nodes are available: 9 Insufficient cpu.'),
    want: false,
  },
  'no devices that a claim could have': {
    pod: unscheduled('0/9 nodes are available: 1 cannot allocate all claims.'),
    of: dra,
    want: true,
  },
  'a pod that runs': { pod: running, want: false },
  'a pod that is going': {
    pod: going(NO_GPU),
    want: false,
  },
};

for (const [sentence, { pod, of = h100, want }] of Object.entries(WORDS)) {
  test(`${sentence}: ${want ? '' : 'not '}a matter of devices`, (t) => {
    t.is(missesDevicesSince(pod, of), want ? since(40) : undefined);
  });
}

test('a Run without devices misses none', (t) => {
  t.is(missesDevicesSince(NO_GPU, undefined), undefined);
});

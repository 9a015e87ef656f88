// SPDX-License-Identifier: Apache-2.0
import type { RunStatus } from '#crds/v1alpha1/run';
import type { KubeObject } from '../object.ts';
import type { RunObserved } from './observed.ts';
import { ago, makeJob, makePod } from './testing/make.ts';
import { ACTIVE, type Case, RESERVED, testPlans, succeeded } from './testing/plan-cases.ts';

/** A pod on a node whose container waits; `seconds` ago it came there. */
function waitingPod(reason: string, seconds: number): KubeObject {
  const scheduled = { type: 'PodScheduled', status: 'True', lastTransitionTime: ago(seconds) };
  const waiting = { reason, message: 'says the node' };
  return makePod({ waiting }, { phase: 'Pending', conditions: [scheduled] });
}

/** A Job whose pods are refused, and have been for `seconds`. */
function refusedFor(seconds: number, message: string): Partial<RunObserved> {
  return { job: makeJob(), refusal: { message, sinceMs: Date.parse(ago(seconds)) } };
}

const GIVEN_UP: RunStatus = {
  ...ACTIVE,
  child: { kind: 'Job', name: 'r-x-1', uid: 'job-uid' },
  error: { code: 'forbidden', message: 'given up: refused', retryable: false },
  conditions: [
    {
      type: 'Ready',
      status: 'False',
      reason: 'WorkloadRefused',
      message: 'given up: refused',
      observedGeneration: 1,
      lastTransitionTime: ago(3),
    },
  ],
};

const cases: Record<string, Case> = {
  'one that is refused by more than quota is looked at again': {
    status: ACTIVE,
    seen: refusedFor(30, 'pods "x" is forbidden: RuntimeClass "gvisor" not found'),
    want: { phase: 'Admitted', reason: 'WorkloadRefused' },
    wantSoon: true,
  },
  'and given up after a minute: its Job is ended': {
    status: ACTIVE,
    seen: refusedFor(61, 'pods "x" is forbidden: RuntimeClass "gvisor" not found'),
    want: { phase: 'Admitted', reason: 'WorkloadRefused', code: 'forbidden' },
    wantRemoved: ['Job'],
    wantSaid: ['60 seconds', 'RuntimeClass "gvisor" not found'],
  },
  'a webhook that is away gets ten minutes': {
    status: ACTIVE,
    seen: refusedFor(300, 'failed calling webhook "x": connection refused'),
    want: { phase: 'Admitted', reason: 'WorkloadRefused' },
    wantSoon: true,
  },
  'and not more': {
    status: ACTIVE,
    seen: refusedFor(601, 'failed calling webhook "x": connection refused'),
    want: { phase: 'Admitted', reason: 'WorkloadRefused', code: 'dependency_unavailable' },
    wantRemoved: ['Job'],
  },
  'a Run that was given up is left so while its Job goes': {
    status: GIVEN_UP,
    seen: { job: makeJob() },
    wantRemoved: ['Job'],
  },
  'and fails when nothing of it is left': {
    status: GIVEN_UP,
    want: { phase: 'Failed', reason: 'WorkloadRefused', code: 'forbidden' },
  },
  'also when it is cancelled meanwhile': {
    spec: { cancel: true },
    status: GIVEN_UP,
    want: { phase: 'Failed', reason: 'WorkloadRefused', code: 'forbidden' },
  },
  'one that got through at the last moment is a success without an error': {
    status: GIVEN_UP,
    seen: { job: makeJob({ type: 'Complete' }), pods: [succeeded] },
    want: { phase: 'Succeeded', reason: 'Succeeded' },
  },
  'an image that no node can read the name of is given up after a minute': {
    status: ACTIVE,
    seen: { job: makeJob(), pods: [waitingPod('InvalidImageName', 61)] },
    want: { phase: 'Admitted', reason: 'WorkloadRefused', code: 'invalid_request' },
    wantRemoved: ['Job'],
  },
  'an image that cannot be pulled gets longer, from when its pod has a node': {
    status: ACTIVE,
    seen: { job: makeJob(), pods: [waitingPod('ImagePullBackOff', 61)] },
    want: { phase: 'Admitted', reason: 'Starting' },
    wantSoon: true,
  },
  'and is given up after ten minutes': {
    status: ACTIVE,
    seen: { job: makeJob(), pods: [waitingPod('ImagePullBackOff', 601)] },
    want: { phase: 'Admitted', reason: 'StartFailed', code: 'dependency_unavailable' },
    wantRemoved: ['Job'],
  },
  'a Run whose Job cannot be made is over with its timeout': {
    spec: { timeoutSeconds: 4 },
    status: ACTIVE,
    seen: { reservation: RESERVED },
    want: { phase: 'Failed', reason: 'TimedOut', code: 'timeout' },
  },
};

testPlans(cases);

// SPDX-License-Identifier: Apache-2.0
import type { RunStatus } from '#crds/v1alpha1/run';
import type { KubeObject } from '../object.ts';
import { ago, going, makePod, starting } from './testing/make.ts';
import { ACTIVE, type Case, RESERVED, testPlans, succeeded } from './testing/plan-cases.ts';

/** A pod on a node whose container waits; `seconds` ago it came there. */
function waitingPod(reason: string, seconds: number): KubeObject {
  const scheduled = { type: 'PodScheduled', status: 'True', lastTransitionTime: ago(seconds) };
  const waiting = { reason, message: 'says the node' };
  return makePod({ waiting }, { phase: 'Pending', conditions: [scheduled] });
}

const GIVEN_UP: RunStatus = {
  ...ACTIVE,
  child: { name: 'r-x-1', uid: 'pod-uid' },
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
  'a Run that was given up is left so while its pod goes': {
    status: GIVEN_UP,
    seen: { pod: going(starting) },
    wantRemoved: ['Pod'],
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
    seen: { pod: succeeded },
    want: { phase: 'Succeeded', reason: 'Succeeded' },
  },
  'an image that no node can read the name of is given up after a minute': {
    status: ACTIVE,
    seen: { pod: waitingPod('InvalidImageName', 61) },
    want: { phase: 'Admitted', reason: 'WorkloadRefused', code: 'invalid_request' },
    wantRemoved: ['Pod'],
  },
  'an image that cannot be pulled gets longer, from when its pod has a node': {
    status: ACTIVE,
    seen: { pod: waitingPod('ImagePullBackOff', 61) },
    want: { phase: 'Admitted', reason: 'Starting' },
    wantSoon: true,
  },
  'and is given up after ten minutes': {
    status: ACTIVE,
    seen: { pod: waitingPod('ImagePullBackOff', 601) },
    want: { phase: 'Admitted', reason: 'StartFailed', code: 'dependency_unavailable' },
    wantRemoved: ['Pod'],
  },
  'a Run whose pod cannot be made is over with its timeout': {
    spec: { timeoutSeconds: 4 },
    status: ACTIVE,
    seen: { reservation: RESERVED },
    want: { phase: 'Failed', reason: 'TimedOut', code: 'timeout' },
  },
};

testPlans(cases);

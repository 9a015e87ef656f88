// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { RunStatus } from '#crds/v1alpha1/run';
import { RUN_REASONS } from '#crds/v1alpha1/run';
import { rateOf } from '../metering/rate.ts';
import type { Run } from './run.ts';
import { admittedStatus, queuedStatus } from './status.ts';
import { makeAgent, makeRun, NOW } from './testing/make.ts';

function at(version: string, status?: RunStatus): Run {
  const run = makeRun({}, status);
  return { ...run, metadata: { ...run.metadata, resourceVersion: version } };
}

const queued = (run: Run): RunStatus =>
  queuedStatus(run, { position: 1, reason: RUN_REASONS.SessionBusy, message: 'it waits' }, NOW);

function admitted(run: Run): RunStatus {
  const resources = { requests: {}, limits: {} };
  const rate = rateOf({ agent: makeAgent().spec, resources, timeoutSeconds: 60 });
  const madeFrom = { agent: { uid: 'a', generation: 1 }, revision: { name: 'agent-1', number: 1 } };
  return admittedStatus(run, { attempt: 1, childName: 'r-1', ...madeFrom, rate }, NOW);
}

const CASES: Readonly<Record<string, { readonly status: RunStatus; readonly want: number }>> = {
  'a Run that waits keeps the version that it came with': { status: queued(at('7')), want: 7 },
  'one that starts at once does, too': { status: admitted(at('7')), want: 7 },
  'later versions change nothing of that': { status: admitted(at('9', queued(at('7')))), want: 7 },
  'nor does its way back to the queue': { status: queued(at('12', admitted(at('7')))), want: 7 },
};

for (const [title, { status, want }] of Object.entries(CASES)) {
  test(title, (t) => t.is(status.arrival, want));
}

// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { planRun } from './plan.ts';
import { makeClass, makeRun, NOW } from './testing/make.ts';
import { ACTIVE, NOTHING_SEEN, RESERVED, RUNNING } from './testing/plan-cases.ts';

const GPU = { class: 'h100', count: 2 };

test('a ledger that is seen late brings back no attempt that is over', (t) => {
  const run = makeRun({}, { ...ACTIVE, attempt: 2 });
  const plan = planRun(run, { ...NOTHING_SEEN, reservation: RESERVED }, NOW);
  t.is(plan.status?.attempt, 2);
  t.regex(plan.create[0]?.metadata.name ?? '', /-2$/);
});

test('a workload that was not made yet has the devices that its Run was admitted to', (t) => {
  const run = makeRun({}, { ...ACTIVE, gpu: GPU });
  const plan = planRun(run, { ...NOTHING_SEEN, gpuClass: makeClass('h100') }, NOW);
  t.regex(JSON.stringify(plan.create), /"nvidia.com\/gpu":"2"/);
});

test('back in the queue, a Run holds no devices, and says nothing of an input that is read anew', (t) => {
  const input = { digest: `sha256:${'0'.repeat(64)}`, sizeBytes: 1 };
  const run = makeRun({ suspend: true }, { ...RUNNING, gpu: GPU, input });
  const { status } = planRun(run, NOTHING_SEEN, NOW);
  t.like(status, { phase: 'Queued', gpu: undefined, input: undefined, attempt: 1 });
});

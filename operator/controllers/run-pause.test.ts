// SPDX-License-Identifier: Apache-2.0
// Who pauses a Run, and who has it looked at: the Tenant says so, and its ledger admits nobody since.
import test from 'ava';
import { preemptingLedger } from '../core/quota/testing/make-held.ts';
import { makeAgent, makeRun, makeTenant, NOW } from '../core/run/testing/make.ts';
import { RESERVED, RUNNING } from '../core/run/testing/plan-cases.ts';
import type { Reader } from '../runtime/controller.ts';
import { loneRunController } from './testing/lone-run.ts';

const RUN = makeRun({}, RUNNING);
const PAUSES = { suspended: true, suspendPolicy: 'Pause' } as const;

function reading(tenant: Partial<Parameters<typeof makeTenant>[0]>, isClosed: boolean) {
  const ledger = preemptingLedger({ suspended: isClosed }, [RESERVED]);
  const known = [ledger, makeTenant(tenant), makeAgent(), RUN];
  const read: Reader = {
    get: ({ kind }, { name }) => known.find((one) => one.kind === kind && one.metadata.name === name),
    list: ({ kind }) => (kind === ledger.kind ? [ledger] : []),
    live: () => Promise.resolve(undefined),
    listLive: () => Promise.resolve([]),
    anyLive: () => Promise.resolve(false),
  };
  return { read, ledger };
}

const CASES = {
  'the tenant pauses, and its ledger is closed': { tenant: PAUSES, isClosed: true, pauses: true },
  'the tenant pauses, and its ledger was not told yet': { tenant: PAUSES, isClosed: false, pauses: false },
  'the ledger was not told yet that the tenant goes on': { tenant: {}, isClosed: true, pauses: false },
  'the tenant lets its Runs come to an end': {
    tenant: { suspended: true, suspendPolicy: 'Finish' },
    isClosed: true,
    pauses: false,
  },
} as const;

for (const [title, { tenant, isClosed, pauses }] of Object.entries(CASES)) {
  test(`a Run that is under way ${pauses ? 'pauses' : 'goes on'} where ${title}`, async (t) => {
    const controller = loneRunController();
    const { read, ledger } = reading(tenant, isClosed);
    const { status } = controller.plan(RUN, await controller.observe(RUN, read), NOW);
    const told = status?.conditions?.find(({ type }) => type === 'Ready')?.reason;
    t.is(told === 'Paused', pauses, told ?? 'nothing');
    const watch = controller.watches.find(({ resource }) => resource.kind === ledger.kind);
    const woken = watch?.keys(ledger, read) ?? [];
    t.deepEqual(
      woken.map(({ name }) => name),
      pauses ? [RUN.metadata.name] : [],
    );
  });
}

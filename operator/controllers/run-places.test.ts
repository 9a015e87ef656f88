// SPDX-License-Identifier: Apache-2.0
// Who takes a shard over knows of pods only what its watch has told yet: places are not given away by that.
import test from 'ava';
import type { Reservation } from '#crds/v1alpha1/quota-ledger';
import type { RunSpec } from '#crds/v1alpha1/run';
import type { Agent } from '../core/agent/agent.ts';
import type { KubeObject } from '../core/object.ts';
import { preemptingLedger } from '../core/quota/testing/make-held.ts';
import { nextChildName } from '../core/run/admission-record.ts';
import { planRun } from '../core/run/plan.ts';
import { makeAgent, makePod, makeRun, makeTenant, NOW } from '../core/run/testing/make.ts';
import { NOTHING_SEEN, RESERVED } from '../core/run/testing/plan-cases.ts';
import type { Reader } from '../runtime/controller.ts';
import { loneRunController } from './testing/lone-run.ts';

const MADE = planRun(makeRun(), { ...NOTHING_SEEN, reservation: RESERVED }, NOW).create.at(-1);
/** Was made by another operator; only the API server knows it yet. */
const UNSEEN = makePod(
  {},
  { phase: 'Pending' },
  { name: nextChildName(makeRun()), annotations: MADE?.metadata.annotations ?? {} },
);

interface Case {
  /** What is there of the Agent by now. */
  readonly agent?: Agent;
  readonly spec?: Partial<RunSpec>;
  readonly reserved?: Partial<Reservation>;
  readonly wantReason: string;
}

const NEEDS: Agent = makeAgent({ parameters: [{ name: 'topic', required: true }] });

const CASES: Readonly<Record<string, Case>> = {
  'its Agent is gone': { wantReason: 'AgentNotFound' },
  'its quota was reserved for another template': {
    agent: makeAgent(),
    reserved: { revision: 'of-another' },
    wantReason: 'Pending',
  },
  'its revision is gone': {
    agent: makeAgent(),
    spec: { revision: 'agent-gone' },
    wantReason: 'RevisionNotFound',
  },
  'its GPU class is gone': {
    agent: makeAgent(),
    reserved: { gpuClass: 'h100', gpus: 1 },
    wantReason: 'AgentNotReady',
  },
  'its Agent needs other parameters by now': { agent: NEEDS, wantReason: 'InvalidParameters' },
};

interface Sight {
  readonly agent: Agent | undefined;
  readonly reserved: Reservation;
  readonly live?: KubeObject;
}

/** Names of the pods that were asked for directly. */
type Asked = string[];

function reading({ agent, reserved, live }: Sight): { readonly read: Reader; readonly asked: Asked } {
  const asked: Asked = [];
  const ledger = preemptingLedger({}, [reserved]);
  const known = [ledger, makeTenant(), ...(agent === undefined ? [] : [agent])];
  const read: Reader = {
    get: ({ kind }, { name }) => known.find((one) => one.kind === kind && one.metadata.name === name),
    list: ({ kind }) => (kind === ledger.kind ? [ledger] : []),
    live: async ({ kind }, { name }) => {
      if (kind !== 'Pod') return undefined;
      asked.push(name);
      return live?.metadata.name === name ? live : undefined;
    },
    listLive: () => Promise.resolve([]),
    anyLive: () => Promise.resolve(false),
  };
  return { read, asked };
}

for (const [name, { agent, spec = {}, reserved = {}, wantReason }] of Object.entries(CASES)) {
  test(`a place is kept while its pod runs, seen or not, also when ${name}`, async (t) => {
    const controller = loneRunController();
    const run = makeRun(spec);
    const place = { agent, reserved: { ...RESERVED, ...reserved } };
    const found = reading({ ...place, live: UNSEEN });
    const observed = await controller.observe(run, found.read);
    t.is(observed.early?.pod, UNSEEN);
    const later = new Date(NOW.getTime() + 60_000);
    t.is(controller.plan(run, observed, later).status?.phase, 'Admitted');
    const none = reading(place);
    const { status } = controller.plan(run, await controller.observe(run, none.read), NOW);
    t.is(status?.conditions?.find(({ type }) => type === 'Ready')?.reason, wantReason);
    t.deepEqual(none.asked, [UNSEEN.metadata.name]);
  });
}

test('who starts as usual asks nobody', async (t) => {
  const { read, asked } = reading({ agent: makeAgent(), reserved: RESERVED, live: UNSEEN });
  const observed = await loneRunController().observe(makeRun(), read);
  t.is(observed.early, undefined);
  t.deepEqual(asked, []);
});

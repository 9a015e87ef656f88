// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { LABELS } from '#crds/v1alpha1/names';
import type { AgentSpec } from '#crds/v1alpha1/agent';
import type { TenantSpec } from '#crds/v1alpha1/tenant';
import { hasHistoryLimits, planHistory } from './history.ts';
import { type Kinship, NO_KIN } from './retirement.ts';
import type { Phase, Run } from './run.ts';
import { ago, makeAgent, makeRun, makeTenant, NOW } from './testing/make.ts';

interface Finished {
  readonly seconds: number;
  readonly phase?: Phase;
  readonly ttl?: number;
  readonly agent?: string;
  readonly scheduled?: true;
  /** As `status.arrival` says. */
  readonly arrival?: number;
}

interface Case {
  /** By name: how long ago they ended, and how. */
  readonly runs: Readonly<Record<string, Finished>>;
  readonly agent?: AgentSpec['history'];
  readonly tenant?: TenantSpec['runHistory'];
  readonly held?: readonly string[];
  /** What the archive will not have. */
  readonly refused?: readonly string[];
  /** Names, in order. */
  readonly want: readonly string[];
  /** When it is looked at again, in seconds; undefined when nothing is due. */
  readonly wantAgain?: number;
}

const THREE = { a: { seconds: 30 }, b: { seconds: 20 }, c: { seconds: 10 } };

const cases: Record<string, Case> = {
  'without limits all are kept': { runs: THREE, want: [] },
  'the newest are kept': { runs: THREE, agent: { successfulRunsLimit: 1 }, want: ['a', 'b'], wantAgain: 60 },
  'of those that ended in the same second, the one that came later is the newer': {
    runs: { z: { seconds: 10, arrival: 7 }, a: { seconds: 10, arrival: 9 } },
    agent: { successfulRunsLimit: 1 },
    want: ['z'],
    wantAgain: 60,
  },
  'as many as the limit are kept': { runs: THREE, agent: { successfulRunsLimit: 3 }, want: [] },
  'none is kept where the limit is none': {
    runs: THREE,
    agent: { successfulRunsLimit: 0 },
    want: ['a', 'b', 'c'],
    wantAgain: 60,
  },
  'those that failed are counted by themselves, with those that were cancelled': {
    runs: { ...THREE, d: { seconds: 9, phase: 'Failed' }, e: { seconds: 8, phase: 'Cancelled' } },
    agent: { failedRunsLimit: 1 },
    want: ['d'],
    wantAgain: 60,
  },
  'those of a schedule are counted by its own limits': {
    runs: { a: { seconds: 30, scheduled: true }, b: { seconds: 20 }, c: { seconds: 10 } },
    agent: { successfulRunsLimit: 1 },
    want: ['b'],
    wantAgain: 60,
  },
  'an Agent says nothing of the Runs of another': {
    runs: { a: { seconds: 30, agent: 'other' }, b: { seconds: 20 } },
    agent: { successfulRunsLimit: 0 },
    want: ['b'],
    wantAgain: 60,
  },
  'those whose time is over go, and whether they have gone is looked at before the next is due': {
    runs: { a: { seconds: 400 }, b: { seconds: 310 }, c: { seconds: 100 } },
    agent: { ttlSecondsAfterFinished: 300 },
    want: ['a', 'b'],
    wantAgain: 60,
  },
  'a Run that says itself how long it is kept is not kept shorter by its Agent': {
    runs: { a: { seconds: 400, ttl: 1000 } },
    agent: { ttlSecondsAfterFinished: 300 },
    want: [],
  },
  'but by its tenant': {
    runs: { a: { seconds: 400, ttl: 1000 }, b: { seconds: 200, ttl: 1000 } },
    tenant: { ttlSecondsAfterFinished: 300 },
    want: ['a'],
    wantAgain: 60,
  },
  'the tenant counts them all, those of schedules and of Agents that are gone, too': {
    runs: {
      a: { seconds: 40, scheduled: true },
      b: { seconds: 30, agent: 'gone' },
      c: { seconds: 20, phase: 'Failed' },
      d: { seconds: 10 },
    },
    tenant: { limit: 2 },
    want: ['a', 'b'],
    wantAgain: 60,
  },
  'what goes anyhow is not counted': {
    runs: { ...THREE, old: { seconds: 900 } },
    agent: { ttlSecondsAfterFinished: 300 },
    tenant: { limit: 3 },
    want: ['old'],
    wantAgain: 60,
  },
  'the next is looked at in time': {
    runs: { c: { seconds: 100 } },
    agent: { ttlSecondsAfterFinished: 300 },
    want: [],
    wantAgain: 200,
  },
  'and earlier than that others are gone, if it is due by then': {
    runs: { a: { seconds: 400 }, c: { seconds: 270 } },
    agent: { ttlSecondsAfterFinished: 300 },
    want: ['a'],
    wantAgain: 30,
  },
  'one whose use has still to be counted waits for that': {
    runs: THREE,
    agent: { successfulRunsLimit: 1 },
    held: ['a'],
    want: ['b'],
    wantAgain: 1,
  },
  'one that the archive will not have is not asked for again, and not looked for': {
    runs: { ...THREE, d: { seconds: 5 } },
    agent: { successfulRunsLimit: 1 },
    refused: ['a', 'b', 'c'],
    want: [],
  },
  'nor are others kept by it': {
    runs: { a: { seconds: 400 }, b: { seconds: 310 }, c: { seconds: 290 } },
    agent: { ttlSecondsAfterFinished: 300 },
    refused: ['a'],
    want: ['b'],
    wantAgain: 10,
  },
  'a time that is far off is looked at again before': {
    runs: { a: { seconds: 10 } },
    tenant: { ttlSecondsAfterFinished: 1_000_000 },
    want: [],
    wantAgain: 3600,
  },
};

function runOf(
  name: string,
  { seconds, phase = 'Succeeded', ttl, agent = 'agent', scheduled, arrival }: Finished,
): Run {
  const spec = { agentRef: { name: agent }, ...(ttl !== undefined && { ttlSecondsAfterFinished: ttl }) };
  const run = makeRun(spec, { phase, finishedAt: ago(seconds), ...(arrival !== undefined && { arrival }) });
  const labels = scheduled === true ? { [LABELS.scheduledBy]: 'agent-uid' } : {};
  return { ...run, metadata: { ...run.metadata, name, uid: name, labels } };
}

function kinOf({ held, refused }: { held: readonly string[]; refused: readonly string[] }): Kinship {
  return {
    ...NO_KIN,
    isHeld: ({ metadata }) => held.includes(metadata.name),
    isRefused: ({ metadata }) => refused.includes(metadata.name),
  };
}

for (const [name, { runs, agent, tenant, held = [], refused = [], want, wantAgain }] of Object.entries(
  cases,
)) {
  test(name, (t) => {
    const known = makeAgent(agent === undefined ? {} : { history: agent });
    const observed = {
      runs: Object.entries(runs).map(([one, given]) => runOf(one, given)),
      agents: new Map([['acme-dev/agent', known]]),
      kin: kinOf({ held, refused }),
    };
    const plan = planHistory(makeTenant(tenant === undefined ? {} : { runHistory: tenant }), observed, NOW);
    t.deepEqual(
      plan.remove.map(({ ref }) => ref.name),
      want,
    );
    const again = plan.result.kind === 'requeueAfter' ? plan.result.afterMs / 1000 : undefined;
    t.is(again, wantAgain);
  });
}

test('of very many, the oldest go first, a part at a time', (t) => {
  const runs = Array.from({ length: 700 }, (_, i) => runOf(`r${i}`, { seconds: 700 - i }));
  const observed = { runs, agents: new Map(), kin: NO_KIN };
  const plan = planHistory(makeTenant({ runHistory: { limit: 0 } }), observed, NOW);
  t.is(plan.remove.length, 500);
  t.is(plan.remove[0]?.ref.name, 'r0');
  t.is(plan.result.kind, 'requeueAfter');
});

test('what the archive will not have takes the place of nobody', (t) => {
  const runs = Array.from({ length: 700 }, (_, i) => runOf(`r${i}`, { seconds: 700 - i }));
  const refused = runs.slice(0, 600).map(({ metadata }) => metadata.name);
  const observed = { runs, agents: new Map(), kin: kinOf({ held: [], refused }) };
  const plan = planHistory(makeTenant({ runHistory: { limit: 0 } }), observed, NOW);
  t.is(plan.remove.length, 100);
  t.is(plan.remove[0]?.ref.name, 'r600');
  t.like(plan.result, { kind: 'requeueAfter', afterMs: 60_000 });
});

test('nothing is looked at where nothing is limited', (t) => {
  t.false(hasHistoryLimits(makeTenant(), [makeAgent()]));
  t.true(hasHistoryLimits(makeTenant({ runHistory: { limit: 5 } }), []));
  t.true(hasHistoryLimits(makeTenant(), [makeAgent(), makeAgent({ history: {} })]));
});

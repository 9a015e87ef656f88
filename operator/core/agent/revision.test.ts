// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { AgentSpec } from '#crds/v1alpha1/agent';
import { ReconcileError } from '../errors.ts';
import { DONE } from '../plan.ts';
import { ago, makeAgent, makeTenant, NOW } from '../run/testing/make.ts';
import type { Agent } from './agent.ts';
import { type AgentObserved, planAgent, planRefused } from './plan.ts';
import type { AgentRevision } from './template.ts';
import { revisionOf } from './testing/revisions.ts';

function imageOf(number: number): Partial<AgentSpec> {
  return { container: { image: `registry.example.com/agent:${number}` } };
}

/** The revision of the Agent with that image. */
function revision(number: number): AgentRevision {
  return revisionOf(makeAgent(imageOf(number)), number);
}

/** An Agent whose revision `number` is the active one since so many seconds. */
function settled(number: number, since: number, limit = 10): Agent {
  const agent = makeAgent({ ...imageOf(number), revisionHistoryLimit: limit });
  const name = revision(number).metadata.name;
  const activeRevision = { name, number, generation: 1, since: ago(since) };
  return { ...agent, status: { ...agent.status, activeRevision, lastRevision: number } };
}

/** The same with another spec, which nobody has looked at. */
function changedTo(agent: Agent, spec: Partial<AgentSpec>): Agent {
  const metadata = { ...agent.metadata, generation: 2 };
  return { ...agent, metadata, spec: { ...agent.spec, ...spec } };
}

function without(agent: Agent): Agent {
  return { ...agent, status: {} };
}

interface Case {
  readonly agent: Agent;
  readonly revisions?: readonly AgentRevision[];
  readonly unused?: readonly number[];
  readonly tenant?: undefined;
  /** Number of the revision that is made. */
  readonly makes?: number;
  /** Number of the one that is active then. */
  readonly active?: number;
  readonly since?: string;
  readonly removes?: readonly number[];
  readonly tells?: RegExp;
  readonly reason?: string;
  readonly againMs?: number;
}

const four = [1, 2, 3, 4].map(revision);
const namesake = { ...revision(1), metadata: { ...revision(1).metadata, ownerReferences: [] } };
const going = { ...revision(1), metadata: { ...revision(1).metadata, deletionTimestamp: ago(1) } };
const collision = { ...revision(1), spec: { ...revision(1).spec, digest: revision(2).spec.digest } };

const CASES: Readonly<Record<string, Case>> = {
  'a new Agent gets revision 1': { agent: without(makeAgent(imageOf(1))), makes: 1 },
  'once that is there, it is the active one, which goes without saying': {
    agent: without(makeAgent(imageOf(1))),
    revisions: [revision(1)],
    active: 1,
    since: ago(0),
  },
  'nothing more happens then': {
    agent: settled(1, 60),
    revisions: [revision(1)],
    active: 1,
    since: ago(60),
  },
  'a new template gets the next number': {
    agent: changedTo(settled(1, 60), imageOf(2)),
    revisions: [revision(1)],
    makes: 2,
  },
  'it becomes the active one, and an Event says so': {
    agent: changedTo(settled(1, 60), imageOf(2)),
    revisions: [revision(1), revision(2)],
    active: 2,
    since: ago(0),
    tells: /revision 2 .* after revision 1/,
  },
  'what is no part of the template makes no revision': {
    agent: changedTo(settled(1, 60), { limits: { timeoutSeconds: 5 } }),
    revisions: [revision(1)],
    active: 1,
    since: ago(60),
  },
  'a template that comes back has its old revision': {
    agent: changedTo(settled(2, 60), imageOf(1)),
    revisions: [revision(1), revision(2)],
    active: 1,
    since: ago(0),
    tells: /revision 1 .* after revision 2/,
  },
  'a number is given once, also when its revision is gone': {
    agent: {
      ...changedTo(settled(1, 60), imageOf(2)),
      status: { ...settled(1, 60).status, lastRevision: 7 },
    },
    revisions: [revision(1)],
    makes: 8,
  },
  'a status that was lost gives no number twice': {
    agent: without(settled(5, 60)),
    revisions: four,
    makes: 5,
  },
  'one that was deleted by hand is made again': { agent: settled(1, 60), makes: 2 },
  'the active one stays when a template would be called something else now': {
    agent: { ...settled(1, 60), spec: { ...settled(1, 60).spec, tier: 'heavy' } },
    revisions: [revision(1)],
    active: 1,
    since: ago(60),
  },
  'where the name is taken by that of an Agent that was deleted, it waits': {
    agent: without(makeAgent(imageOf(1))),
    revisions: [namesake],
    reason: 'RevisionPending',
  },
  'or by one that is going': {
    agent: without(makeAgent(imageOf(1))),
    revisions: [going],
    reason: 'RevisionPending',
  },
  'or by one with another template': {
    agent: without(makeAgent(imageOf(1))),
    revisions: [collision],
    reason: 'RevisionPending',
  },
  'an Agent of no tenant has none': {
    agent: without(makeAgent(imageOf(1))),
    tenant: undefined,
    reason: 'TenantNotFound',
  },
  'the oldest over the limit go': {
    agent: settled(4, 600, 1),
    revisions: four,
    unused: [1, 2],
    active: 4,
    since: ago(600),
    removes: [1, 2],
  },
  'but for those that a Run uses': {
    agent: settled(4, 600, 1),
    revisions: four,
    unused: [2],
    active: 4,
    since: ago(600),
    removes: [2],
  },
  'those within the limit stay, though nobody uses them': {
    agent: settled(4, 600, 3),
    revisions: four,
    unused: [1, 2, 3],
    active: 4,
    since: ago(600),
  },
  'the active one stays with a limit of none': {
    agent: settled(1, 600, 0),
    revisions: four,
    unused: [1, 2, 3, 4],
    active: 1,
    since: ago(600),
    removes: [2, 3, 4],
  },
  'nothing goes while Runs may still be admitted with it': {
    agent: settled(4, 10, 1),
    revisions: four,
    unused: [1, 2],
    active: 4,
    since: ago(10),
    againMs: 30_000,
  },
  'a clock that went back holds nothing up': {
    agent: settled(4, -600, 1),
    revisions: four,
    unused: [1],
    active: 4,
    since: ago(-600),
    removes: [1],
  },
};

function observedOf(given: Case): AgentObserved {
  const tenant = 'tenant' in given ? given.tenant : makeTenant();
  const unused = new Set(namesOf(given.unused));
  const counts = { runs: { queued: 0, active: 0 }, gpuClass: undefined, scheduled: [], starting: undefined };
  return { ...counts, tenant, revisions: given.revisions ?? [], unused };
}

function namesOf(numbers: readonly number[] = []): readonly string[] {
  return numbers.map((number) => revision(number).metadata.name);
}

/** What a plan says of the active revision, as a case names it. */
function activeIn({ status }: AgentPlan, { agent, active, since }: Case) {
  if (active === undefined) return [undefined, undefined];
  const { generation = 0 } = agent.metadata;
  const wanted = { name: revision(active).metadata.name, number: active, since, generation };
  return [status.activeRevision, wanted];
}

type AgentPlan = ReturnType<typeof planAgent>;

for (const [sentence, given] of Object.entries(CASES)) {
  test(sentence, (t) => {
    const plan = planAgent(given.agent, observedOf(given), NOW);
    const { makes, reason, tells = /^$/, againMs } = given;
    const made = plan.create.map((one) => (one['spec'] as AgentRevision['spec']).revision);
    t.deepEqual(
      made,
      [makes].filter((one) => one !== undefined),
    );
    t.is(plan.defersStatus === true, makes !== undefined, 'until it is there, nothing is said');
    t.deepEqual(
      plan.remove.map(({ ref }) => ref.name),
      namesOf(given.removes),
    );
    const [active, wanted] = activeIn(plan, given);
    t.deepEqual(active, wanted);
    t.regex(plan.events.map(({ message }) => message).join(), tells);
    const ready = plan.status.conditions?.find(({ type }) => type === 'Ready');
    t.is(ready?.reason, reason ?? (makes === undefined ? 'Accepted' : 'RevisionPending'));
    if (againMs !== undefined) t.like(plan.result, { kind: 'requeueAfter', afterMs: againMs });
  });
}

test('in a namespace that goes nothing is made of it, nor said of that', (t) => {
  for (const agent of [without(makeAgent(imageOf(1))), settled(1, 60)]) {
    const plan = planAgent(agent, { ...observedOf({ agent }), isNamespaceGoing: true }, NOW);
    t.deepEqual([plan.create, plan.status, plan.result], [[], agent.status, DONE]);
    t.is(planAgent(agent, observedOf({ agent }), NOW).create.length, 1);
  }
});

test('what is made is found by the next pass', (t) => {
  const agent = without(makeAgent(imageOf(1)));
  const [made] = planAgent(agent, observedOf({ agent }), NOW).create as readonly AgentRevision[];
  const next = planAgent(agent, observedOf({ agent, revisions: [made!] }), NOW);
  t.is(next.status.activeRevision?.name, made?.metadata.name);
  t.deepEqual(next.create, []);
});

test('a revision that is refused is told, and tried again after a wait that begins short', (t) => {
  const agent = changedTo(settled(1, 60), imageOf(2));
  const plan = planRefused(agent, new ReconcileError('forbidden', 'exceeded quota'), NOW);
  const ready = plan?.status.conditions?.find(({ type }) => type === 'Ready');
  t.like(ready, { status: 'False', reason: 'RevisionRefused', observedGeneration: 2 });
  t.regex(ready?.message ?? '', /exceeded quota/);
  t.like(plan?.result, { kind: 'retry', atMostMs: 30_000 });
  t.like(plan?.status.activeRevision, { number: 1, generation: 1 });
  const told = { ...agent, status: plan!.status };
  const again = planAgent(told, observedOf({ agent: told, revisions: [revision(1)] }), NOW);
  t.is(again.create.length, 1);
  t.is(again.status, told.status, 'that it is tried again is no news');
});

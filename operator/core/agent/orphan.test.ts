// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { makeAgent, makeTenant, NOW } from '../run/testing/make.ts';
import type { Agent } from './agent.ts';
import { type AgentObserved, planAgent } from './plan.ts';
import { blockingOrphan } from './revision.ts';
import type { AgentRevision } from './template.ts';
import { revisionOf } from './testing/revisions.ts';

const agent: Agent = { ...makeAgent(), status: {} };
const { metadata, spec } = revisionOf(agent, 3);
const orphan: AgentRevision = {
  ...revisionOf(agent, 3),
  metadata: { ...metadata, resourceVersion: '17', ownerReferences: [] },
};
const other = { apiVersion: 'v1', kind: 'ConfigMap', name: 'keep', uid: 'keep-uid' };
const theirs = { ...other, controller: true };
/** Another revision of the Agent, with the number of the orphan. */
const third = revisionOf(makeAgent({ container: { image: 'registry.example.com/agent:third' } }), 3);

function withMetadata(changes: Partial<AgentRevision['metadata']>): AgentRevision {
  return { ...orphan, metadata: { ...orphan.metadata, ...changes } };
}

function planFor(given: Agent, seen: Partial<AgentObserved>) {
  const nothing = { runs: { queued: 0, active: 0 }, gpuClass: undefined, scheduled: [], starting: undefined };
  const observed = { ...nothing, tenant: makeTenant(), revisions: [], unused: new Set<string>(), ...seen };
  return planAgent(given, observed, NOW);
}

test('what a namesake left is adopted as it is, on the version that was seen', (t) => {
  const plan = planFor(agent, { revisions: [orphan], orphan });
  const [adopted, ...more] = plan.replace ?? [];
  t.deepEqual(more, []);
  const owner = { ...metadata.ownerReferences?.[0], blockOwnerDeletion: false };
  t.deepEqual(adopted, { ...orphan, metadata: { ...orphan.metadata, ownerReferences: [owner] } } as never);
  t.deepEqual([plan.create, plan.remove], [[], []]);
  t.true(plan.defersStatus, 'nothing is said until it is ours');
});

test('once it is, it is the active one with its number, and the next one has the next', (t) => {
  const adopted = revisionOf(agent, 3);
  const { status, create } = planFor(agent, { revisions: [adopted] });
  t.like(status, { lastRevision: 3, activeRevision: { name: metadata.name, number: 3 } });
  t.deepEqual(create, []);
});

test('owners that control nothing keep what they have', (t) => {
  const shared = withMetadata({ ownerReferences: [other] });
  const [adopted] = planFor(agent, { revisions: [shared], orphan: shared }).replace ?? [];
  t.deepEqual(
    adopted?.metadata.ownerReferences?.map(({ name }) => name),
    ['keep', agent.metadata.name],
  );
});

const TAKEN_NUMBERS: Readonly<Record<string, Partial<AgentObserved> & { readonly agent?: Agent }>> = {
  'that another revision of the Agent has': { revisions: [orphan, third], orphan },
  'that was given before': { agent: { ...agent, status: { lastRevision: 3 } }, revisions: [orphan], orphan },
};

for (const [sentence, given] of Object.entries(TAKEN_NUMBERS)) {
  test(`one with a number ${sentence} makes room for one with the next`, (t) => {
    const asked = given.agent ?? agent;
    const plan = planFor(asked, given);
    t.deepEqual(plan.replace, []);
    t.deepEqual(
      plan.remove.map(({ ref }) => [ref.kind, ref.name, ref.uid]),
      [['AgentRevision', metadata.name, metadata.uid]],
    );
    const rest = (given.revisions ?? []).filter((one) => one !== orphan);
    const [made] = planFor(asked, { revisions: rest }).create as readonly AgentRevision[];
    t.like(made, { metadata: { name: metadata.name }, spec: { revision: 4 } });
  });
}

const NOT_TAKEN: Readonly<Record<string, AgentRevision>> = {
  'without our mark': withMetadata({ labels: { 'nexusos.dev/agent': agent.metadata.name } }),
  'marked as of another Agent': withMetadata({
    labels: { ...metadata.labels, 'nexusos.dev/agent': 'another' },
  }),
  'of another Agent by its spec': { ...orphan, spec: { ...spec, agent: 'another' } },
  'that something else controls': withMetadata({ ownerReferences: [theirs] }),
  'that is going': withMetadata({ deletionTimestamp: NOW.toISOString() }),
  'with another digest': { ...orphan, spec: { ...spec, digest: third.spec.digest } },
};

for (const [sentence, revision] of Object.entries(NOT_TAKEN)) {
  test(`one ${sentence} is left alone, and the Agent waits`, (t) => {
    t.is(blockingOrphan(agent, [revision]), undefined, 'nothing is asked');
    const plan = planFor(agent, { revisions: [revision], orphan: revision });
    t.deepEqual([plan.replace ?? [], plan.remove, plan.create], [[], [], []]);
    const ready = plan.status.conditions?.find(({ type }) => type === 'Ready');
    t.is(ready?.reason, 'RevisionPending');
  });
}

test('however many were left, a template is read once at most, and for none not at all', (t) => {
  let reads = 0;
  const counted: Agent = {
    metadata: agent.metadata,
    get spec() {
      reads += 1;
      return agent.spec;
    },
  } as Agent;
  const many = Array.from({ length: 50 }, (_, i) => withMetadata({ name: `left-${i}` }));
  t.is(blockingOrphan(counted, [...many, orphan]), orphan);
  t.is(reads, 1);
  t.is(blockingOrphan(counted, [third]), undefined);
  t.is(reads, 1);
});

test('a digest that belies its template deceives nobody', (t) => {
  const forged = { ...orphan, spec: { ...spec, template: third.spec.template } };
  const plan = planFor(agent, { revisions: [orphan], orphan: forged });
  t.deepEqual([plan.replace ?? [], plan.remove, plan.create], [[], [], []]);
});

test('one that the API server did not confirm is left alone', (t) => {
  t.is(blockingOrphan(agent, [third, orphan]), orphan);
  const plan = planFor(agent, { revisions: [orphan], orphan: undefined });
  t.deepEqual([plan.replace ?? [], plan.remove, plan.create], [[], [], []]);
});

test('an Agent that has its revision asks for none', (t) => {
  const active = { name: third.metadata.name, number: 3, generation: 1, since: NOW.toISOString() };
  const settled = { ...agent, status: { activeRevision: active, lastRevision: 3 } };
  t.is(blockingOrphan(settled, [third, orphan]), undefined);
});

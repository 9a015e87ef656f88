// SPDX-License-Identifier: Apache-2.0
// What is kept from one pass to the next has to be what would be worked out anew, whatever has changed in between.
import test from 'ava';
import * as fc from 'fast-check';
import type { Agent } from '../agent/agent.ts';
import { atOnce } from '../pieces.ts';
import type { Run } from '../run/run.ts';
import { ago, makeAgent, makeClass } from '../run/testing/make.ts';
import type { Candidate } from './admit.ts';
import { candidateOf, type RunContext } from './candidates.ts';
import { inLine, waitingRun } from './queue-line.ts';
import { queueOrder } from './queue-order.ts';
import { NAMESPACE, namedRun } from './testing/make-held.ts';

const AGENTS = ['a', 'b'] as const;
const RUN_COUNT = 6;
const KEYS = AGENTS.map((name) => `${NAMESPACE}/${name}`);

/** What a pass sees; each change makes a new version of one of them, as watches do. */
interface Seen {
  readonly runs: readonly Run[];
  readonly context: RunContext;
}

type Change = (seen: Seen) => Seen;

function agentOf(name: string, spec: Parameters<typeof makeAgent>[0] = {}): Agent {
  const { metadata, ...agent } = makeAgent(spec);
  return { ...agent, metadata: { ...metadata, name, uid: name, namespace: NAMESPACE } };
}

const START: Seen = {
  runs: Array.from({ length: RUN_COUNT }, (_, i) => namedRun(`r-${i}`, { agent: AGENTS[i % 2] ?? 'a' })),
  context: {
    agents: new Map(AGENTS.map((name) => [`${NAMESPACE}/${name}`, agentOf(name)])),
    gpuClasses: new Map([['h100', makeClass('h100')]]),
    containerDefaults: undefined,
  },
};

function onAgent(key: string, change: (agent: Agent) => Agent): Change {
  return ({ runs, context }) => {
    const agents = new Map(
      [...context.agents].map(([one, agent]) => [one, one === key ? change(agent) : agent]),
    );
    return { runs, context: { ...context, agents } };
  };
}

const SPECS: readonly Parameters<typeof makeAgent>[0][] = [
  {},
  { gpu: { class: 'h100', count: 2 } },
  { parameters: [{ name: 'topic', required: true }] },
  { parameters: [{ name: 'topic', required: false, default: 'x' }] },
  { container: { image: 'registry.example.com/agent:1', resources: { requests: { cpu: '3' } } } },
];

const STATUSES: readonly ((agent: Agent, n: number) => object)[] = [
  // Figures, of which nothing follows.
  (_, n) => ({ runs: { queued: n, active: n, countedAt: ago(n) } }),
  (_, n) => ({ activeRevision: { name: `other-${n}`, number: n, generation: 1, since: ago(60) } }),
  (agent, n) => ({
    conditions: agent.status?.conditions?.map((one) => ({
      ...one,
      status: n % 2 === 0 ? 'True' : 'False',
      message: `for ${n}`,
    })),
  }),
];

function changed(run: Run, attempt: number, suspend: boolean): Run {
  return { ...run, spec: { ...run.spec, suspend }, status: { phase: 'Queued', attempt } };
}

const key = fc.constantFrom(...KEYS);
const few = fc.nat(3);
const changes: fc.Arbitrary<Change> = fc.oneof(
  fc
    .tuple(key, fc.constantFrom(...STATUSES), few)
    .map(([one, to, n]) =>
      onAgent(one, (agent) => ({ ...agent, status: { ...agent.status, ...to(agent, n) } })),
    ),
  fc.tuple(key, fc.constantFrom(...SPECS)).map(([one, spec]) =>
    onAgent(one, (agent) => ({
      ...agentOf(agent.metadata.name, spec),
      ...(agent.status && { status: agent.status }),
    })),
  ),
  key.map((one) =>
    onAgent(one, (agent) => ({ ...agent, metadata: { ...agent.metadata, deletionTimestamp: ago(1) } })),
  ),
  fc.boolean().map((is) => (seen: Seen): Seen => {
    const containerDefaults = is ? { defaultRequest: { cpu: '2' } } : undefined;
    return { ...seen, context: { ...seen.context, containerDefaults } };
  }),
  fc.boolean().map((is) => (seen: Seen): Seen => {
    const gpuClasses: RunContext['gpuClasses'] = is ? new Map([['h100', makeClass('h100')]]) : new Map();
    return { ...seen, context: { ...seen.context, gpuClasses } };
  }),
  fc.boolean().map((is) => (seen: Seen): Seen => {
    const obstacles = is ? new Map([[NAMESPACE, { reason: 'Gone', message: 'so' }]]) : undefined;
    return { ...seen, context: { ...seen.context, obstacles } };
  }),
  fc
    .tuple(fc.nat(RUN_COUNT - 1), fc.nat(2), fc.boolean())
    .map(([at, attempt, suspend]) => (seen: Seen): Seen => {
      return { ...seen, runs: seen.runs.map((run, i) => (i === at ? changed(run, attempt, suspend) : run)) };
    }),
);

/** The same by objects that nobody has seen before. */
function anew({ runs, context }: Seen): readonly Candidate[] {
  const fresh = structuredClone(context);
  return runs.map((run) => candidateOf(structuredClone(run), fresh));
}

test('what is known of a waiting Run is what would be worked out anew', (t) => {
  let kept = 0;
  fc.assert(
    fc.property(fc.array(changes, { minLength: 1, maxLength: 20 }), (many) => {
      let seen = START;
      let before: readonly Candidate[] = [];
      for (const change of many) {
        seen = change({ ...seen, context: { ...seen.context } });
        const candidates = seen.runs.map((run) => candidateOf(run, seen.context));
        t.deepEqual(candidates, anew(seen));
        kept += candidates.filter((one, i) => one === before[i]).length;
        before = candidates;
      }
    }),
    { numRuns: 300 },
  );
  t.true(kept > 0, 'nothing was kept at all');
});

test('figures of an Agent have no Run worked out anew', (t) => {
  const [one = ''] = KEYS;
  const figures = onAgent(one, (agent) => ({
    ...agent,
    metadata: { ...agent.metadata, resourceVersion: '77' },
    status: { ...agent.status, runs: { queued: 7, active: 7, countedAt: ago(0) } },
  }));
  const before = START.runs.map((run) => candidateOf(run, START.context));
  const seen = figures({ ...START, context: { ...START.context } });
  t.true(seen.runs.every((run, i) => candidateOf(run, seen.context) === before[i]));
});

const candidate = fc
  .record({
    uid: fc.nat(40),
    priority: fc.integer({ min: -2, max: 2 }),
    second: fc.nat(3),
    arrival: fc.nat(3),
  })
  .map(({ uid, priority, second, arrival }): Candidate => {
    const run = namedRun(`r-${uid}`, { priority, age: 60 - second });
    return { ...candidateOf(run, START.context), arrival };
  });
const line = fc.uniqueArray(candidate, { selector: ({ uid }) => uid, maxLength: 40 });

test('a line is in order, however those in it stood before, and whoever came and went', (t) => {
  fc.assert(
    fc.property(line, fc.array(fc.array(fc.nat(39), { maxLength: 40 }), { maxLength: 5 }), (all, passes) => {
      const order = queueOrder(60);
      for (const chosen of [all.keys(), ...passes]) {
        const these = [...new Set(chosen)].map((i) => all[i]).filter((one) => one !== undefined);
        t.deepEqual(atOnce(inLine(these, order)), these.toSorted(order));
      }
    }),
    { numRuns: 300 },
  );
});

test('who goes on waiting for the same is told the same, and for something else that', (t) => {
  const one = candidateOf(namedRun('r'), START.context);
  atOnce(inLine([one], queueOrder(60)));
  const busy = { reason: 'Busy', message: 'so', current: 'until noon' };
  const first = waitingRun(one, busy);
  t.deepEqual(first, { candidate: one, ...busy });
  t.is(waitingRun(one, { ...busy }), first);
  for (const other of [
    { ...busy, reason: 'Other' },
    { ...busy, message: 'other' },
    { ...busy, current: 'other' },
    { reason: 'Busy', message: 'so' },
  ]) {
    t.deepEqual(waitingRun(one, other), { candidate: one, ...other });
  }
});

// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import * as fc from 'fast-check';
import type { AgentSpec } from '#crds/v1alpha1/agent';
import { ANNOTATIONS } from '#crds/v1alpha1/names';
import type { KubeObject } from '../object.ts';
import { isFinished, type Run } from '../run/run.ts';
import { makeAgent, makeTenant, NOW } from '../run/testing/make.ts';
import type { Agent } from './agent.ts';
import { planAgent } from './plan.ts';
import { settledRevisions } from './testing/revisions.ts';
import { unfinished } from './scheduled-run.ts';

/** What happens to a schedule, its Runs, its operator and its clock, in any order. */
type Happening =
  | { readonly kind: 'wait'; readonly seconds: number }
  /** A pass of the operator, which may be killed before it has done all that it decided, and not have heard of Runs yet. */
  | {
      readonly kind: 'pass';
      readonly dies: 'never' | 'before its status' | 'after its status';
      readonly isBehind: boolean;
    }
  | { readonly kind: 'end'; readonly phase: 'Succeeded' | 'Failed' }
  | { readonly kind: 'suspend'; readonly is: boolean };

/** All that outlives an operator, and what is counted of it. */
class World {
  now = NOW.getTime();
  agent: Agent;
  runs: readonly Run[] = [];
  /** By the time that they were due. */
  readonly made = new Map<string, number>();
  readonly #policy: string;
  readonly #deadlineMs: number;

  constructor(schedule: NonNullable<AgentSpec['schedule']>) {
    const made = makeAgent({ schedule });
    this.agent = { ...made, metadata: { ...made.metadata, creationTimestamp: NOW.toISOString() } };
    this.#policy = schedule.concurrencyPolicy;
    this.#deadlineMs = (schedule.startingDeadlineSeconds ?? Infinity) * 1000;
  }

  happens(one: Happening): void {
    if (one.kind === 'wait') this.now += one.seconds * 1000;
    else if (one.kind === 'end') this.#end(one.phase);
    else if (one.kind === 'suspend') this.#suspend(one.is);
    else this.#pass(one);
  }

  #suspend(suspend: boolean): void {
    const { agent } = this;
    const schedule = { ...agent.spec.schedule!, suspend };
    const metadata = { ...agent.metadata, generation: (agent.metadata.generation ?? 0) + 1 };
    this.agent = { ...agent, metadata, spec: { ...agent.spec, schedule } };
  }

  #end(phase: 'Succeeded' | 'Failed'): void {
    const [first] = unfinished(this.runs);
    this.runs = this.runs.map((run) => (run === first ? { ...run, status: { phase } } : run));
  }

  #pass({ dies, isBehind }: Extract<Happening, { kind: 'pass' }>): void {
    const { starting, lastRun } = this.agent.status?.schedule ?? {};
    // What the status names is asked for, whatever was heard of.
    const known = this.runs.filter(({ metadata }) => !isBehind || metadata.name === lastRun?.name);
    const observed = {
      tenant: makeTenant(),
      gpuClass: undefined,
      ...settledRevisions(this.agent),
      runs: { queued: unfinished(known).length, active: 0 },
      scheduled: known,
      starting: this.runs.find(({ metadata }) => metadata.name === starting?.run),
    };
    const plan = planAgent(this.agent, observed, new Date(this.now));
    if (dies === 'before its status') return;
    this.agent = { ...this.agent, status: plan.status };
    if (dies === 'after its status') return;
    if (plan.create.length > 1) throw new Error('a burst');
    for (const run of plan.create) this.#create(run);
    const gone = new Set(plan.remove.map(({ ref }) => ref.uid));
    this.runs = this.runs.filter(({ metadata }) => !gone.has(metadata.uid ?? ''));
  }

  #create(wanted: KubeObject): void {
    const { name } = wanted.metadata;
    if (this.runs.some(({ metadata }) => metadata.name === name)) return;
    const due = wanted.metadata.annotations?.[ANNOTATIONS.scheduledTime] ?? '';
    this.made.set(due, (this.made.get(due) ?? 0) + 1);
    const lateMs = this.now - Date.parse(due);
    // It was due before the clock went back.
    if (lateMs > this.#deadlineMs) throw new Error(`${due} is ${lateMs} ms late`);
    if (this.#policy === 'Forbid' && unfinished(this.runs).length > 0) throw new Error(`${due} overlaps`);
    const metadata = { ...wanted.metadata, uid: `${name}-${this.made.size}`, creationTimestamp: due };
    this.runs = [...this.runs, { ...(wanted as Run), metadata }];
  }
}

const happening: fc.Arbitrary<Happening> = fc.oneof(
  fc.record({
    kind: fc.constant('wait' as const),
    seconds: fc.oneof(fc.integer({ min: 1, max: 900 }), fc.integer({ min: -600, max: 9000 })),
  }),
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('pass' as const),
      dies: fc.constantFrom(
        'never' as const,
        'never' as const,
        'before its status' as const,
        'after its status' as const,
      ),
      isBehind: fc.boolean(),
    }),
  },
  fc.record({
    kind: fc.constant('end' as const),
    phase: fc.constantFrom('Succeeded' as const, 'Failed' as const),
  }),
  fc.record({
    kind: fc.constant('suspend' as const),
    is: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
  }),
);

for (const concurrencyPolicy of ['Allow', 'Forbid', 'Replace'] as const) {
  for (const startingDeadlineSeconds of [undefined, 120]) {
    const deadline = startingDeadlineSeconds === undefined ? {} : { startingDeadlineSeconds };
    const what = startingDeadlineSeconds === undefined ? '' : ', with a deadline';
    test(`${concurrencyPolicy}${what}: no start is made twice, nor two at once, whatever happens`, (t) => {
      const history = { successfulRunsHistoryLimit: 1, failedRunsHistoryLimit: 0 };
      const schedule = {
        cron: '*/10 * * * *',
        timeZone: 'UTC',
        concurrencyPolicy,
        suspend: false,
        ...history,
        ...deadline,
      };
      let made = 0;
      fc.assert(
        fc.property(fc.array(happening, { minLength: 30, maxLength: 90, size: 'max' }), (happenings) => {
          const world = new World(schedule);
          let back = 0;
          for (const one of happenings) {
            // Further back than an hour, a clock is taken for wrong and what it has said for void.
            if (one.kind === 'wait' && one.seconds < 0) back -= one.seconds;
            if (back <= 3500) world.happens(one);
          }
          made += world.made.size;
          return [...world.made.values()].every((times) => times === 1);
        }),
        { numRuns: 80, seed: 4, endOnFailure: false },
      );
      t.true(made > 30, `${made} starts`);
    });
  }
}

test('an operator that works starts every time, once', (t) => {
  const world = new World({
    cron: '*/10 * * * *',
    timeZone: 'UTC',
    concurrencyPolicy: 'Forbid',
    suspend: false,
    successfulRunsHistoryLimit: 3,
    failedRunsHistoryLimit: 1,
  });
  for (let minute = 0; minute < 180; minute += 1) {
    world.happens({ kind: 'wait', seconds: 60 });
    for (let i = 0; i < 2; i += 1) world.happens({ kind: 'pass', dies: 'never', isBehind: false });
    world.happens({ kind: 'end', phase: 'Succeeded' });
  }
  world.happens({ kind: 'pass', dies: 'never', isBehind: false });
  t.is(world.made.size, 18);
  t.is(world.runs.filter(isFinished).length, 3, 'history');
});

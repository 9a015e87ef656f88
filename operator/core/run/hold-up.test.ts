// SPDX-License-Identifier: Apache-2.0
import test, { type ExecutionContext } from 'ava';
import type { RunStatus } from '#crds/v1alpha1/run';
import { retries as schema } from '#crds/v1alpha1/run-retries';
import { findCondition } from '../conditions.ts';
import { type ErrorCode, ReconcileError, RefusedError } from '../errors.ts';
import { planHeldUp } from './hold-up.ts';
import { planRefused, planRun } from './plan.ts';
import { childName } from './run.ts';
import { ago, makeRun, NOW, starting } from './testing/make.ts';
import { ACTIVE, type Case, NOTHING_SEEN, RESERVED, RUNNING, testPlans } from './testing/plan-cases.ts';

const WORDS = 'configmaps "r-x-1" is forbidden: exceeded quota: nexusos, used: count/configmaps=2';
const HELD = statusWith('WorkloadRefused', `its workload cannot be made yet, and is tried again: ${WORDS}`);

function statusWith(reason: string, message: string): RunStatus {
  const ready = { type: 'Ready', status: 'False', reason, message } as const;
  return { ...ACTIVE, conditions: [{ ...ready, observedGeneration: 1, lastTransitionTime: ago(3) }] };
}

interface HoldUp {
  readonly status?: RunStatus;
  readonly cancel?: true;
  readonly words?: string;
  /** `same`: nothing is written; undefined: nothing is decided. */
  readonly want: 'told' | 'same' | undefined;
}

const holdUps: Record<string, HoldUp> = {
  'an admitted Run whose workload cannot be made says why': { status: ACTIVE, want: 'told' },
  'not when it was admitted a moment ago': { status: { ...ACTIVE, admittedAt: ago(1) }, want: undefined },
  'not once its workload is there': { status: RUNNING, want: undefined },
  'not when it is to end': { status: ACTIVE, cancel: true, want: undefined },
  'not in the queue': { want: undefined },
  'saying it again writes nothing': { status: HELD, want: 'same' },
  'other figures are no news': { status: HELD, words: WORDS.replace('=2', '=12'), want: 'same' },
  'another obstacle is': { status: HELD, words: 'pods is forbidden', want: 'told' },
};

for (const [sentence, { status, cancel = false, words = WORDS, want }] of Object.entries(holdUps)) {
  test(sentence, (t) => {
    const run = makeRun({ cancel }, status);
    const plan = planHeldUp(run, new ReconcileError('quota_exceeded', words), NOW);
    t.is(plan?.result.kind, want && 'retry');
    if (want === 'same') t.is(plan?.status, run.status);
    if (want === 'told') tells(t, plan?.status, words);
  });
}

function tells(t: ExecutionContext, status: RunStatus | undefined, words: string): void {
  const ready = findCondition(status?.conditions ?? [], 'Ready');
  t.like(ready, { status: 'False', reason: 'WorkloadRefused' });
  t.true(ready?.message.endsWith(words), ready?.message);
  t.is(status?.phase, 'Admitted');
}

const cases: Record<string, Case> = {
  'what holds a Run up stays told while it is tried again': {
    status: HELD,
    seen: { reservation: RESERVED },
    want: { phase: 'Admitted', reason: 'WorkloadRefused' },
    wantCreated: ['Pod'],
  },
  'a Run that was held up until its timeout says by what': {
    status: { ...HELD, admittedAt: ago(4000) },
    want: { phase: 'Failed', reason: 'TimedOut', code: 'timeout' },
    wantSaid: ['could not be made', 'exceeded quota: nexusos'],
  },
  'once the workload is made, that it was held up is no longer told': {
    status: HELD,
    seen: { pod: starting },
    want: { phase: 'Admitted', reason: 'Starting' },
  },
};

testPlans(cases);

const FORBIDDEN = 'pods "r-x-1" is forbidden: RuntimeClass "gvisor" not found';
const AWAY = 'Internal error occurred: failed calling webhook "x": connection refused';

function refused(words: string, code: ErrorCode = 'forbidden') {
  return new RefusedError(code, words);
}

function away(words = AWAY) {
  return new ReconcileError('dependency_unavailable', words);
}

/** A Run whose workload is refused for so many seconds. */
function refusedFor(seconds: number, words = FORBIDDEN): RunStatus {
  const said = statusWith('WorkloadRefused', `its workload cannot be made yet, and is tried again: ${words}`);
  return { ...said, admittedAt: ago(3000), child: { name: 'r-x-1', refusedAt: ago(seconds) } };
}

interface Refusal {
  readonly obstacle: ReconcileError;
  readonly status: RunStatus;
  readonly retried?: true;
  readonly want: { readonly phase: string; readonly reason: string; readonly code?: string };
  /** Since how many seconds it is refused, by its status. */
  readonly wantSince?: number | 'never';
  readonly wantWords: string;
}

const refusals: Record<string, Refusal> = {
  'what is forbidden is tried again, and it is noted since when': {
    obstacle: refused(FORBIDDEN),
    status: ACTIVE,
    want: { phase: 'Admitted', reason: 'WorkloadRefused' },
    wantSince: 0,
    wantWords: 'RuntimeClass "gvisor" not found',
  },
  'however long it was admitted before': {
    obstacle: refused(FORBIDDEN),
    status: { ...HELD, admittedAt: ago(3000) },
    want: { phase: 'Admitted', reason: 'WorkloadRefused' },
    wantSince: 0,
    wantWords: 'RuntimeClass "gvisor" not found',
  },
  'other words are told, and the time goes on': {
    obstacle: refused('pods is forbidden: PriorityClass "x" not found'),
    status: refusedFor(30),
    want: { phase: 'Admitted', reason: 'WorkloadRefused' },
    wantSince: 30,
    wantWords: 'PriorityClass "x" not found',
  },
  'quota is no part of it': {
    obstacle: new ReconcileError('quota_exceeded', WORDS),
    status: refusedFor(600),
    want: { phase: 'Admitted', reason: 'WorkloadRefused' },
    wantSince: 'never',
    wantWords: 'exceeded quota',
  },
  'it is given up after a minute': {
    obstacle: refused(FORBIDDEN),
    status: refusedFor(60),
    want: { phase: 'Failed', reason: 'WorkloadRefused', code: 'forbidden' },
    wantWords: 'given up after 60 seconds: its workload is refused: pods "r-x-1" is forbidden',
  },
  'what a policy says is told as that': {
    obstacle: refused("ValidatingAdmissionPolicy 'x' denied request: no", 'policy_blocked'),
    status: refusedFor(61),
    want: { phase: 'Failed', reason: 'WorkloadRefused', code: 'policy_blocked' },
    wantWords: "ValidatingAdmissionPolicy 'x'",
  },
  'and is never tried by another attempt': {
    obstacle: refused(FORBIDDEN),
    status: refusedFor(60),
    retried: true,
    want: { phase: 'Failed', reason: 'WorkloadRefused', code: 'forbidden' },
    wantWords: 'given up',
  },
  'a webhook that is away gets ten minutes': {
    obstacle: away(),
    status: refusedFor(599, AWAY),
    want: { phase: 'Admitted', reason: 'WorkloadRefused' },
    wantSince: 599,
    wantWords: 'connection refused',
  },
  'and not more': {
    obstacle: away(),
    status: refusedFor(600, AWAY),
    want: { phase: 'Failed', reason: 'StartFailed', code: 'dependency_unavailable' },
    wantWords: 'given up after 600 seconds',
  },
  'but another attempt may find it': {
    obstacle: away(),
    status: refusedFor(600, AWAY),
    retried: true,
    want: { phase: 'Queued', reason: 'RetryBackoff' },
    wantWords: 'given up after 600 seconds',
  },
  'an API server that cannot answer holds nothing against it': {
    obstacle: away('etcdserver: no leader'),
    status: refusedFor(3000),
    want: { phase: 'Admitted', reason: 'WorkloadRefused' },
    wantSince: 'never',
    wantWords: 'no leader',
  },
  'what is forbidden after a webhook was away has a minute of its own': {
    obstacle: refused(FORBIDDEN),
    status: refusedFor(90, AWAY),
    want: { phase: 'Admitted', reason: 'WorkloadRefused' },
    wantSince: 0,
    wantWords: 'gvisor',
  },
  'words that could be of either kind are given up all the same': {
    obstacle: refused('denied: its timeout is too long', 'policy_blocked'),
    status: refusedFor(60, 'denied: its timeout is too long'),
    want: { phase: 'Failed', reason: 'WorkloadRefused', code: 'policy_blocked' },
    wantWords: 'given up',
  },
};

for (const [sentence, { obstacle, status, retried, ...want }] of Object.entries(refusals)) {
  test(`refused: ${sentence}`, (t) => {
    const retries = retried && { spec: schema.parse({ limit: 1 }), status: { spent: 0, limit: 1 } };
    const run = makeRun(retries && { retries: retries.spec }, {
      ...status,
      ...(retries && { retries: retries.status }),
    });
    const plan = planHeldUp(run, obstacle, NOW);
    comesTo(t, plan?.status, want);
    if (want.want.phase === 'Admitted') t.is(plan?.result.kind, 'retry');
  });
}

function sinceOf(seconds: number | 'never'): string | undefined {
  return seconds === 'never' ? undefined : ago(seconds);
}

function comesTo(
  t: ExecutionContext,
  status: RunStatus | undefined,
  { want, wantSince, wantWords }: Pick<Refusal, 'want' | 'wantSince' | 'wantWords'>,
): void {
  const ready = findCondition(status?.conditions ?? [], 'Ready');
  const { phase, error, child, usage } = status!;
  t.like({ phase, reason: ready?.reason, code: error?.code }, { code: undefined, ...want });
  if (wantSince !== undefined) t.is(child?.refusedAt, sinceOf(wantSince));
  t.true(ready?.message.includes(wantWords), ready?.message);
  t.is(usage?.open === undefined, phase !== 'Admitted', 'settled with its end');
}

test('it is tried at the very time at which it is given up', (t) => {
  const plan = planHeldUp(makeRun({}, refusedFor(55)), refused(FORBIDDEN), NOW);
  t.like(plan?.result, { kind: 'retry', atMostMs: 5000 });
});

test('what was noted of a refusal stays while the workload is tried, and goes with the attempt', (t) => {
  const child = {
    kind: 'Pod',
    name: childName({ name: 'r', uid: 'run-uid' }, 1),
    refusedAt: ago(30),
  };
  const run = makeRun({}, { ...refusedFor(30), child });
  const tried = planRun(run, { ...NOTHING_SEEN, reservation: RESERVED }, NOW);
  t.is(tried.status?.child?.refusedAt, ago(30));
  const next = { ...RESERVED, attempt: 2 };
  const again = planRun(
    makeRun({}, { phase: 'Queued', attempt: 1 }),
    { ...NOTHING_SEEN, reservation: next },
    NOW,
  );
  t.deepEqual(Object.keys(again.status?.child ?? {}), ['name']);
});

const HOPELESS: Readonly<Partial<Record<ErrorCode, string | undefined>>> = {
  conflict: 'Failed',
  invalid_request: 'Failed',
  forbidden: undefined,
  policy_blocked: undefined,
};
for (const [code, want] of Object.entries(HOPELESS)) {
  test(`refused as ${code}: ${want === undefined ? 'tried again' : 'over at once'}`, (t) => {
    const plan = planRefused(makeRun({}, ACTIVE), refused('no', code as ErrorCode), NOW);
    t.is<string | undefined, string | undefined>(plan?.status?.phase, want);
    t.is<string | undefined, string | undefined>(plan?.status?.error?.code, want && code);
  });
}

// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { ANNOTATIONS } from '#crds/v1alpha1/names';
import type { RunStatus } from '#crds/v1alpha1/run';
import type { ApprovalStatus } from '#crds/v1alpha1/run-approval';
import { APPROVAL_REQUIRED, type Asking, askingOf, needsApproval } from './approval.ts';
import { planRun } from './plan.ts';
import { ago, makeAgent, makeRun, NOW } from './testing/make.ts';
import { type Case, NOTHING_SEEN, RESERVED, testPlans, WAITED, WAITING } from './testing/plan-cases.ts';

const HELD = { ...WAITING, position: undefined, ...APPROVAL_REQUIRED };
const POLICY = { approvers: 'Others', onTimeout: 'Reject' } as const;
const ASKING: Asking = { approval: POLICY, revision: { name: 'agent-abc', number: 7 } };
const REQUEST: ApprovalStatus = { requestedAt: ago(60), ...POLICY, createdBy: 'alice' };
const QUEUE = { ...WAITED, updatedAt: ago(60), reason: 'ApprovalRequired' };

function asked(approval: Partial<ApprovalStatus> = {}): RunStatus {
  return { phase: 'Queued', queue: QUEUE, approval: { ...REQUEST, ...approval } };
}

const APPROVE = { approval: { decision: 'Approved', by: 'bob', reason: 'fine' } } as const;
const REJECT = { approval: { decision: 'Rejected', by: 'bob' } } as const;

const cases: Record<string, Case> = {
  'a Run that its queue holds for approval asks for it': {
    seen: { place: HELD, asking: { approval: { ...POLICY, approvers: 'Anyone' } } },
    want: { phase: 'Queued', reason: 'ApprovalRequired' },
    wantWords: 'kubectl patch run r -n acme-dev',
  },
  'one that has asked asks no second time': { status: asked(), seen: { place: HELD, asking: ASKING } },
  'one that waited for something else meanwhile says again what it waits for': {
    status: { ...asked(), queue: { ...QUEUE, reason: 'TenantSuspended' } },
    seen: { place: HELD, asking: ASKING },
    want: { phase: 'Queued', reason: 'ApprovalRequired' },
  },
  'one whose Agent demands nothing any more, and that has not asked, waits for its queue to see that': {
    seen: { place: HELD, asking: {} },
    wantSoon: true,
  },
  'one that is approved waits for its queue to see that, too': {
    spec: APPROVE,
    status: { ...asked({ outcome: 'Approved' }), queue: { ...QUEUE, reason: 'Pending' } },
    seen: { place: HELD, asking: ASKING },
    wantSoon: true,
  },
  'a full queue refuses before anybody is asked': {
    seen: { place: { ...HELD, full: { found: 5, allowed: 5 } }, asking: ASKING },
    want: { phase: 'Failed', reason: 'QueueFull', code: 'quota_exceeded' },
  },
  'a suspended Run asks nobody': {
    spec: { suspend: true },
    seen: { place: HELD, asking: ASKING },
    want: { phase: 'Queued', reason: 'Suspended' },
  },
  'an approved Run goes on to wait for its quota': {
    spec: APPROVE,
    status: asked(),
    seen: { place: HELD, asking: ASKING },
    want: { phase: 'Queued', reason: 'Pending' },
    wantWords: 'approved by bob: fine',
    wantSoon: true,
  },
  'one that is suspended stays so': {
    spec: { ...APPROVE, suspend: true },
    status: asked(),
    want: { phase: 'Queued', reason: 'Suspended' },
  },
  'a rejected Run fails': {
    spec: REJECT,
    status: asked(),
    want: { phase: 'Failed', reason: 'ApprovalRejected', code: 'forbidden' },
    wantSaid: ['rejected by bob'],
  },
  'a cancelled Run ends as that, whatever was decided': {
    spec: { ...REJECT, cancel: true },
    status: asked(),
    want: { phase: 'Cancelled', reason: 'Cancelled' },
  },
  'a decision that nobody asked for changes nothing': {
    spec: REJECT,
    seen: { place: WAITING },
    want: { phase: 'Queued', reason: 'ConcurrencyExceeded' },
    wantSoon: true,
  },
  'before the deadline the Run waits for it': {
    status: asked({ deadline: ago(-30) }),
    seen: { place: HELD, asking: ASKING },
    wantSoon: true,
  },
  'at the deadline it fails': {
    status: asked({ deadline: ago(0) }),
    seen: { place: HELD, asking: ASKING },
    want: { phase: 'Failed', reason: 'ApprovalTimedOut', code: 'timeout' },
  },
  'or goes on, where its Agent said so when it asked': {
    status: asked({ deadline: ago(0), onTimeout: 'Approve' }),
    seen: { place: HELD, asking: ASKING },
    want: { phase: 'Queued', reason: 'Pending' },
    wantSoon: true,
  },
  'what was decided in time counts, though it is seen late': {
    spec: APPROVE,
    status: asked({ deadline: ago(10) }),
    want: { phase: 'Queued', reason: 'Pending' },
    wantSoon: true,
  },
  'an approved Run is admitted like any other': {
    spec: APPROVE,
    status: asked({ outcome: 'Approved' }),
    seen: { reservation: RESERVED },
    want: { phase: 'Admitted', reason: 'Admitted' },
    wantCreated: ['Pod'],
  },
  'its deadline for starting holds while it asks': {
    spec: { startingDeadlineSeconds: 1 },
    status: asked(),
    seen: { place: HELD, asking: ASKING },
    want: { phase: 'Failed', reason: 'StartingDeadlineExceeded', code: 'timeout' },
    wantSaid: ['somebody to approve it'],
  },
};

testPlans(cases);

test('it asks with the terms of its Agent, and is bound to what is to be approved', (t) => {
  const asking = { ...ASKING, approval: { ...POLICY, timeoutSeconds: 600 } };
  const run = makeRun();
  const annotations = { [ANNOTATIONS.createdBy]: 'alice' };
  const known = { ...run, metadata: { ...run.metadata, annotations } };
  const { status, events } = planRun(known, { ...NOTHING_SEEN, place: HELD, asking }, NOW);
  const { approval, revision, conditions } = status ?? {};
  const want = { requestedAt: ago(0), ...POLICY, deadline: ago(-600), createdBy: 'alice' };
  t.deepEqual(approval, want);
  t.deepEqual(revision, ASKING.revision);
  t.like(
    conditions?.find(({ type }) => type === 'Approved'),
    { status: 'False', reason: 'ApprovalRequired' },
  );
  t.regex(saidIn(status), /is not alice, who created it: .+ At 2026-11-21T12:10:00Z it is rejected$/);
  t.deepEqual(
    events.map(({ reason }) => reason),
    ['ApprovalRequired'],
  );
});

function saidIn(status: RunStatus | undefined): string {
  return status?.queue?.message ?? '';
}

test('a message with names as long as they can be fits into the status', (t) => {
  const run = makeRun();
  const annotations = { [ANNOTATIONS.createdBy]: 'a\u001b[2J'.repeat(400) };
  const metadata = { ...run.metadata, name: 'n'.repeat(63), namespace: 's'.repeat(63), annotations };
  const asking = { ...ASKING, approval: { ...POLICY, timeoutSeconds: 1 } };
  const { status } = planRun({ ...run, metadata }, { ...NOTHING_SEEN, place: HELD, asking }, NOW);
  t.regex(saidIn(status), /it is rejected$/);
  t.false(saidIn(status).includes('\u001b'));
  t.true((status?.approval?.createdBy?.length ?? 0) <= 512);
});

const ACCOUNT = 'system:serviceaccount:a:b';

/** The approval that a Run which an account created asks for, and what it says. */
function askedFor(behind: readonly string[]) {
  const run = makeRun();
  const metadata = { ...run.metadata, annotations: { [ANNOTATIONS.createdBy]: ACCOUNT } };
  const asking = { ...ASKING, behind };
  const { status } = planRun({ ...run, metadata }, { ...NOTHING_SEEN, place: HELD, asking }, NOW);
  return { names: status?.approval?.onBehalfOf ?? [], said: saidIn(status) };
}

test('who is behind what created a Run is told, and named to who looks for somebody to approve it', (t) => {
  const { names, said } = askedFor(['alice', 'alice', ACCOUNT, 'b'.repeat(600)]);
  t.deepEqual(
    names.map((one) => one.length),
    [5, 512],
  );
  t.is(names[0], 'alice');
  t.regex(said, /who created it, nor alice and 1 more \(status\.approval\.onBehalfOf\), who is behind/);
  t.deepEqual(askedFor([ACCOUNT]).names, []);
  t.is(askedFor(Array.from({ length: 40 }, (_, i) => `user-${i}`)).names.length, 16);
});

const byAlice = () => ['alice'];

test('who is behind a Run is looked for when it is about to ask, and not else', (t) => {
  const agent = makeAgent({ approval: POLICY });
  t.deepEqual(askingOf(makeRun(), agent, byAlice).behind, ['alice']);
  t.is(askingOf(makeRun({}, asked()), agent, byAlice).behind, undefined);
  t.is(askingOf(makeRun(), makeAgent(), byAlice).behind, undefined);
});

test('where nobody knows who created a Run, it says that nobody can approve it, and what helps', (t) => {
  const { status } = planRun(makeRun(), { ...NOTHING_SEEN, place: HELD, asking: ASKING }, NOW);
  const help = /create it again with the annotation nexusos\.dev\/created-by, which says your own user name$/;
  t.regex(saidIn(status), help);
  const above = makeRun({}, { phase: 'Running', attempt: 1, admittedAt: ago(9) });
  const parent = { ...above, metadata: { ...above.metadata, name: 'above', uid: 'above-uid' } };
  const run = makeRun({ parentRef: { name: 'above', uid: 'above-uid' } });
  const called = planRun(run, { ...NOTHING_SEEN, place: HELD, asking: ASKING, parent }, NOW);
  t.regex(saidIn(called.status), /your own user name \(of the container that calls it: \$NEXUSOS_USER\)$/);
});

test('who decided, when and why stays in the status', (t) => {
  const { status, events } = planRun(makeRun(APPROVE, asked()), NOTHING_SEEN, NOW);
  t.deepEqual(status?.approval, {
    ...REQUEST,
    outcome: 'Approved',
    by: 'bob',
    reason: 'fine',
    decidedAt: ago(0),
  });
  t.like(
    status?.conditions?.find(({ type }) => type === 'Approved'),
    { status: 'True', reason: 'Approved', message: 'approved by bob: fine' },
  );
  t.deepEqual(events, [{ type: 'Normal', reason: 'Approved', message: 'approved by bob: fine' }]);
  const rejected = planRun(makeRun(REJECT, asked()), NOTHING_SEEN, NOW).status;
  t.like(rejected?.approval, { outcome: 'Rejected', by: 'bob' });
  t.like(
    rejected?.conditions?.find(({ type }) => type === 'Approved'),
    { status: 'False', reason: 'ApprovalRejected' },
  );
});

const NEEDS: Readonly<Record<string, { status?: RunStatus; demands: boolean; want: boolean }>> = {
  'a Run of an Agent that demands it needs approval': { demands: true, want: true },
  'one of another does not': { demands: false, want: false },
  'one that was approved does not': { status: asked({ outcome: 'Approved' }), demands: true, want: false },
  'one that has asked does, also when its Agent demands nothing any more': {
    status: asked(),
    demands: false,
    want: true,
  },
  'one that was admitted before its Agent demanded it does not': {
    status: { phase: 'Queued', attempt: 1, admittedAt: ago(9) },
    demands: true,
    want: false,
  },
};

for (const [sentence, { status, demands, want }] of Object.entries(NEEDS)) {
  test(sentence, (t) => {
    const agent = makeAgent(demands ? { approval: POLICY } : {});
    t.is(needsApproval(makeRun({}, status), agent), want);
  });
}

test('a Run that names a revision, or has one, is bound to no other', (t) => {
  const agent = makeAgent({ approval: POLICY });
  t.is(askingOf(makeRun(), agent).revision?.number, 1);
  t.is(askingOf(makeRun({ revision: 'agent-abc' }), agent).revision, undefined);
  t.deepEqual(askingOf(makeRun(), undefined), {});
});

// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { RunStatus } from '#crds/v1alpha1/run';
import { isGivenBack } from '../quota/candidates.ts';
import { planRun } from './plan.ts';
import { going, makeAgent, makeRun, NOW } from './testing/make.ts';
import {
  ACTIVE,
  type Case,
  NOTHING_SEEN,
  RESERVED,
  running,
  RUNNING,
  testPlans,
} from './testing/plan-cases.ts';

const OLD = { name: 'agent-old', number: 1 };
const NEW = { name: 'agent-0123456789ab', number: 2 };
const RESERVED_FOR_NEW = { ...RESERVED, revision: '0123456789ab' };
const AGAIN = { ...RESERVED, attempt: 2 };
const RETRIED: RunStatus = { phase: 'Queued', attempt: 1, revision: OLD };

const cases: Record<string, Case> = {
  'a Run whose Agent has no revision waits for the Agent, and gives its place to others': {
    seen: { reservation: RESERVED, revision: undefined },
    want: { phase: 'Queued', reason: 'AgentNotReady' },
  },
  'one that names a revision which is not there waits for that': {
    spec: { revision: 'agent-old' },
    seen: { reservation: RESERVED, revision: undefined },
    want: { phase: 'Queued', reason: 'RevisionNotFound' },
    wantWords: 'spec.revision: Agent agent has no AgentRevision agent-old',
  },
  'so does one that is to be tried again': {
    status: RETRIED,
    seen: { reservation: AGAIN, revision: undefined },
    want: { phase: 'Queued', reason: 'RevisionNotFound' },
    wantWords: 'status.revision.name',
  },
  'a Run is admitted at the revision that its quota was reserved for': {
    seen: { reservation: RESERVED_FOR_NEW, revision: NEW },
    want: { phase: 'Admitted', reason: 'Admitted' },
    wantCreated: ['Pod'],
  },
  'where its Agent has another one since, it gives the quota back, whatever that one takes': {
    seen: { reservation: RESERVED_FOR_NEW, revision: OLD },
    want: { phase: 'Queued', reason: 'Pending' },
    wantWords: 'reserved anew',
  },
  'one that was admitted stays so: what it is bound to is in its status': {
    status: { ...ACTIVE, revision: OLD },
    seen: { reservation: RESERVED_FOR_NEW, revision: OLD },
    want: { phase: 'Admitted', reason: 'Admitted' },
    wantCreated: ['Pod'],
  },
};

testPlans(cases);

test('a reservation that is given back for another revision is not used a second time', (t) => {
  const seen = { ...NOTHING_SEEN, reservation: RESERVED_FOR_NEW, revision: OLD };
  const { status } = planRun(makeRun(), seen, NOW);
  t.is(status?.attempt, 1);
  t.is(status?.revision, undefined, 'it is bound to none yet');
  const again = makeRun({}, status);
  t.true(isGivenBack(RESERVED_FOR_NEW, again));
  t.is(planRun(again, { ...seen, revision: NEW }, NOW).status?.phase, 'Queued');
});

function admitted(status?: RunStatus, agent = makeAgent()) {
  const reservation = status === undefined ? RESERVED : AGAIN;
  return planRun(makeRun({}, status), { ...NOTHING_SEEN, agent, revision: OLD, reservation }, NOW);
}

test('the write that admits a Run says which revision it is made from', (t) => {
  t.deepEqual(admitted().status?.revision, OLD);
  t.deepEqual(admitted(RETRIED).status?.revision, OLD);
});

test('a Run that goes back to the queue keeps its revision', (t) => {
  const run = makeRun({ suspend: true }, { ...RUNNING, revision: OLD });
  const ending = planRun(run, { ...NOTHING_SEEN, pod: going(running) }, NOW).status;
  const back = planRun(makeRun({ suspend: true }, ending), NOTHING_SEEN, NOW);
  t.is(back.status?.phase, 'Queued');
  t.deepEqual(back.status?.revision, OLD);
});

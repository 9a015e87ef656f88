// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { Reservation } from '#crds/v1alpha1/quota-ledger';
import { agentKey } from '../agent/agent.ts';
import { makeAgent, makeRun } from '../run/testing/make.ts';
import type { Candidate } from './admit.ts';
import { inSessionOrder, sessionDigest } from './sessions.ts';

function candidate(name: string, more: Partial<Candidate> = {}): Candidate {
  return {
    uid: name,
    namespace: 'acme-dev',
    name,
    agent: 'agent',
    session: 's',
    priority: 0,
    createdAt: '2026-11-21T12:00:00Z',
    attempt: 1,
    demand: new Map(),
    ...more,
  };
}

function held(name: string, session = 's'): Reservation {
  return { uid: name, namespace: 'acme-dev', name, agent: 'agent', attempt: 1, session };
}

interface Case {
  readonly held?: readonly Reservation[];
  readonly candidates: readonly Candidate[];
  readonly limit?: number;
  /** `<name> <reason>` of those that are held up. */
  readonly want: readonly string[];
}

const blocked = { reason: 'Suspended', message: '' };

const CASES: Readonly<Record<string, Case>> = {
  'the first of a session goes, the others wait': {
    candidates: [candidate('b'), candidate('a')],
    want: ['b SessionBusy'],
  },
  'the older one goes first, whatever the priority': {
    candidates: [candidate('a', { priority: 9 }), candidate('b', { createdAt: '2026-11-21T11:00:00Z' })],
    want: ['a SessionBusy'],
  },
  'of the same second the one that came first': {
    candidates: [
      candidate('a', { arrival: 12 }),
      candidate('c', { arrival: 11 }),
      candidate('b', { arrival: 10 }),
    ],
    limit: 2,
    want: ['a SessionBusy'],
  },
  'also while it waits for something else': {
    candidates: [candidate('a', { blocked }), candidate('b')],
    want: ['a Suspended', 'b SessionBusy'],
  },
  'nobody goes while one is under way, though its Run was not seen': {
    held: [held('x')],
    candidates: [candidate('a')],
    want: ['a SessionBusy'],
  },
  'other sessions, and Runs of none, go on': {
    held: [held('x', 'other')],
    candidates: [candidate('a'), candidate('b', { session: 'third' }), untied('c'), untied('d')],
    want: [],
  },
  'an Agent may allow more at one time': {
    limit: 2,
    held: [held('x')],
    candidates: [candidate('a'), candidate('b')],
    want: ['b SessionBusy'],
  },
};

function untied(name: string): Candidate {
  const { session: _, ...rest } = candidate(name);
  return rest;
}

for (const [sentence, { held: holders = [], candidates, limit, want }] of Object.entries(CASES)) {
  test(sentence, (t) => {
    const limits = { ...makeAgent().spec.limits, ...(limit !== undefined && { maxRunsPerSession: limit }) };
    const agents = new Map([[agentKey('acme-dev', 'agent'), makeAgent({ limits })]]);
    const ordered = inSessionOrder({ held: holders, candidates, agents });
    const found = ordered.filter((one) => one.blocked !== undefined);
    t.deepEqual(
      found.map((one) => `${one.name} ${one.blocked?.reason}`),
      want,
    );
    t.deepEqual(
      ordered.map(({ name }) => name),
      candidates.map(({ name }) => name),
    );
  });
}

test('a session is of one Agent in one namespace', (t) => {
  const run = makeRun({ session: 's' });
  const elsewhere = { ...run, metadata: { ...run.metadata, namespace: 'acme-prod' } };
  const runs = [
    run,
    elsewhere,
    makeRun({ session: 's', agentRef: { name: 'other' } }),
    makeRun({ session: 't' }),
  ];
  t.is(new Set(runs.map(sessionDigest)).size, runs.length);
  t.is(sessionDigest(makeRun()), undefined);
});

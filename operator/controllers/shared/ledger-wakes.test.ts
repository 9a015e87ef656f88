// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { API_VERSION } from '#crds/v1alpha1/names';
import { QUOTA_LEDGER } from '#crds/v1alpha1/quota-ledger';
import type { RunStatus } from '#crds/v1alpha1/run';
import type { KubeObject } from '../../core/object.ts';
import { ago, going, makeAgent, makePod, makeRun } from '../../core/run/testing/make.ts';
import type { Run } from '../../core/run/run.ts';
import type { Ledger } from '../../core/tenant/tenant.ts';
import type { Patience, Reader } from '../../runtime/controller.ts';
import { ofFigures, ofOwnWrites, wakesOf } from './ledger-wakes.ts';

const LEDGER: Ledger = {
  apiVersion: API_VERSION,
  kind: 'QuotaLedger',
  metadata: { name: 'acme', uid: 'ledger-uid', generation: 1 },
  spec: QUOTA_LEDGER.spec.parse({ tenantUID: 'tenant-uid' }),
};
const READ = { list: () => [LEDGER] } as unknown as Reader;
const NOBODY_S: Reader = { list: () => [] } as unknown as Reader;

interface Case {
  readonly old?: KubeObject;
  readonly object?: KubeObject;
  /** How long it may wait while nobody waits for anything, and while somebody does; the same when left out. */
  readonly want: number;
  readonly wantWaited?: number;
}

function run(phase?: RunStatus['phase'], more: Partial<RunStatus> = {}): Run {
  return makeRun({}, phase && { phase, ...more });
}

function changed(object: Run, metadata: Partial<Run['metadata']>): Run {
  return { ...object, metadata: { ...object.metadata, ...metadata } };
}

const ASKED = { requestedAt: ago(9), approvers: 'Others', onTimeout: 'Reject' } as const;
const QUESTION = { number: 1, prompt: 'Which?', attempt: 1, askedAt: ago(9) };
const RUN_CASES: Readonly<Record<string, Case>> = {
  'a Run that comes': { object: run(), want: 0 },
  'one that is told its place': { old: run(), object: run('Queued', { attempt: 0 }), want: 1000 },
  'one that is admitted': { old: run(), object: run('Admitted', { attempt: 1 }), want: 1000 },
  'one that runs': { old: run('Admitted'), object: run('Running'), want: 1000 },
  'one that ends': { old: run('Running'), object: run('Succeeded'), want: 4000, wantWaited: 0 },
  'one that ends and gives devices back': {
    old: run('Running'),
    object: run('Failed', { gpu: { class: 'a100', count: 1 } }),
    want: 0,
  },
  'one that has ended before': { old: run('Failed'), object: run('Failed', { attempt: 2 }), want: 1000 },
  'one that goes back to the queue': {
    old: run('Running', { attempt: 1 }),
    object: run('Queued', { attempt: 1 }),
    want: 0,
  },
  'one whose backoff is over': {
    old: run('Queued', { retries: { spent: 1, limit: 2, notBefore: ago(1) } }),
    object: run('Queued', { retries: { spent: 1, limit: 2 } }),
    want: 0,
  },
  'one that is found to repeat another': {
    old: run('Queued'),
    object: run('Queued', { keyHolder: { name: 'first', uid: 'u' } }),
    want: 0,
  },
  'one that is approved': {
    old: run('Queued', { approval: ASKED }),
    object: run('Queued', { approval: { ...ASKED, outcome: 'Approved' } }),
    want: 0,
  },
  'one whose question is answered': {
    old: run('Queued', { question: QUESTION }),
    object: run('Queued', { question: { ...QUESTION, answeredAt: ago(0) } }),
    want: 0,
  },
  'one of which more is wanted': {
    old: run('Queued'),
    object: changed(run('Queued'), { generation: 2 }),
    want: 0,
  },
  'one that is being deleted': {
    old: run('Running'),
    object: changed(run('Running'), { deletionTimestamp: ago(0) }),
    want: 0,
  },
  'one that another has taken the place of': {
    old: run('Queued'),
    object: changed(run('Queued'), { uid: 'another' }),
    want: 0,
  },
  'one that is gone': { old: run('Running'), want: 0 },
  'one that is gone after its end': { old: run('Succeeded'), want: 1000 },
};

const RUNS_ON = makePod({ running: {} });
const POD_CASES: Readonly<Record<string, Case>> = {
  'a pod that comes': { object: RUNS_ON, want: 1000, wantWaited: 100 },
  'one that ends': { old: RUNS_ON, object: makePod({ terminated: {} }), want: 1000, wantWaited: 100 },
  'one that is to go': { old: RUNS_ON, object: going(RUNS_ON), want: 0 },
  'one that ends while it goes': {
    old: going(RUNS_ON),
    object: going(makePod({ terminated: {} })),
    want: 0,
  },
  'one that goes, and of which only a mark changes': {
    old: going(RUNS_ON),
    object: going({ ...RUNS_ON, metadata: { ...RUNS_ON.metadata, finalizers: [] } }),
    want: 1000,
    wantWaited: 100,
  },
  'one that is gone': { old: RUNS_ON, want: 0 },
};

const QUOTA = {
  apiVersion: 'v1',
  kind: 'ResourceQuota',
  metadata: { name: 'nexusos', namespace: 'acme-dev' },
};
const QUOTA_CASES: Readonly<Record<string, Case>> = {
  'what a ResourceQuota counts': { old: QUOTA, object: QUOTA, want: 250, wantWaited: 0 },
};

function judge(
  kind: string,
  cases: Readonly<Record<string, Case>>,
  pick: 'ofRuns' | 'ofPods' | 'ofQuotas',
): void {
  const [alone, waited] = [
    wakesOf({ hasWaiting: () => false })[pick],
    wakesOf({ hasWaiting: () => true })[pick],
  ];
  for (const [name, { want, wantWaited = want, old, object }] of Object.entries(cases)) {
    test(`${kind}: ${name}`, (t) => {
      const change = { old, object };
      t.is(alone(change, READ), want, 'while nobody waits');
      t.is(waited(change, READ), wantWaited, 'while somebody waits');
      t.is(alone(change, NOBODY_S), wantWaited, 'where the ledger is not known');
    });
  }
}

judge('a Run', RUN_CASES, 'ofRuns');
judge('its pod', POD_CASES, 'ofPods');
judge('quota', QUOTA_CASES, 'ofQuotas');

const AGENT = makeAgent();
const COUNTED = { ...AGENT, status: { ...AGENT.status, runs: { queued: 1, active: 1 } } } as KubeObject;
const OTHERS: Readonly<Record<string, Case & { readonly of: Patience }>> = {
  'figures of an Agent': { of: ofFigures, old: AGENT, object: COUNTED, want: 1000 },
  'that it is not Ready any more': { of: ofFigures, old: AGENT, object: makeAgent({}, 'False'), want: 0 },
  'that it is being deleted': {
    of: ofFigures,
    old: AGENT,
    object: { ...AGENT, metadata: { ...AGENT.metadata, deletionTimestamp: ago(0) } },
    want: 0,
  },
  'that it comes': { of: ofFigures, object: AGENT, want: 0 },
  'that it is gone': { of: ofFigures, old: AGENT, want: 0 },
  'what was written to the ledger': { of: ofOwnWrites, old: LEDGER, object: { ...LEDGER }, want: 250 },
  'what the Tenant gives': {
    of: ofOwnWrites,
    old: LEDGER,
    object: { ...LEDGER, metadata: { ...LEDGER.metadata, generation: 99 } },
    want: 0,
  },
};

for (const [name, { of, want, old, object }] of Object.entries(OTHERS)) {
  test(`beside Runs: ${name}`, (t) => t.is(of({ old, object }, READ), want));
}

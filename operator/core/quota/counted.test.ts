// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { makeRate } from '../metering/testing/make.ts';
import { amountOf } from './amounts.ts';
import { countedQuota } from './counted.ts';
import type { LedgerObserved } from './ledger.ts';
import {
  countedQuota as makeQuota,
  heldRun,
  namedAgent,
  namedRun,
  NAMESPACE,
  preemptingLedger,
} from './testing/make-held.ts';
import { NOTHING_OF_LEDGER } from './testing/make-ledger.ts';

const NOW = '2026-11-22T00:00:00Z';
const HARD = { pods: '9', 'requests.cpu': '900m', 'limits.cpu': '9' };
const RATE = makeRate({ cpuMillicores: 100, memoryBytes: 1024 });
const runs = ['a', 'b', 'c'].map((name, index) => {
  const { run } = heldRun(index + 1, name, { namespace: name === 'c' ? 'acme-prod' : NAMESPACE });
  return { ...run, status: { ...run.status, usage: { open: { rate: RATE } } } };
});

interface Case {
  /** Runs of which a pod is seen that has not ended. */
  readonly started: readonly string[];
  readonly used: Readonly<Record<string, string>>;
  readonly want: Readonly<Record<string, bigint>>;
}

const CASES: Readonly<Record<string, Case>> = {
  'what Kubernetes counts counts, and who asks for more beside Runs': {
    started: ['a'],
    used: { pods: '3', 'requests.cpu': '700m' },
    want: { pods: 3000n, 'requests.cpu': 700n },
  },
  'pods of Runs that Kubernetes has lost count': {
    started: ['a', 'b'],
    used: { pods: '1', 'requests.cpu': '100m', 'limits.cpu': '1' },
    want: { pods: 2000n, 'requests.cpu': 200n, 'limits.cpu': 1000n },
  },
  'those of another namespace do not count here': {
    started: ['a', 'c'],
    used: { pods: '0', 'requests.cpu': '0' },
    want: { pods: 1000n, 'requests.cpu': 100n },
  },
  'a Run without a pod, or whose pod has ended, does not': {
    started: [],
    used: { pods: '0', 'requests.cpu': '0' },
    want: { pods: 0n, 'requests.cpu': 0n },
  },
  'what is not counted there is not limited by it': {
    started: ['a'],
    used: { 'requests.cpu': '0' },
    want: { pods: 0n, 'requests.cpu': 100n },
  },
};

for (const [title, { started, used, want }] of Object.entries(CASES)) {
  test(`counted: ${title}`, (t) => {
    const observed: LedgerObserved = { ...NOTHING_OF_LEDGER, runs, started: new Set(started) };
    const ledger = preemptingLedger({ hard: HARD }, []);
    const seen = countedQuota(ledger, makeQuota(NAMESPACE, HARD, used), observed);
    for (const [key, milli] of Object.entries(want)) t.is(amountOf(seen.used, key), milli, key);
    t.deepEqual(seen.revision, 1);
  });
}

test('counted: a Run of which it was not seen yet that it was admitted counts by its Agent', (t) => {
  const agents = new Map(
    namedAgent('agent', { container: { image: 'a', resources: { requests: { cpu: '250m' } } } }),
  );
  const observed = { ...NOTHING_OF_LEDGER, runs: [namedRun('late')], agents, started: new Set(['late']) };
  const quota = makeQuota(NAMESPACE, HARD, { 'requests.cpu': '0' });
  const seen = countedQuota(preemptingLedger({ hard: HARD }, []), quota, observed);
  t.is(amountOf(seen.used, 'requests.cpu'), 250n);
});

test('counted: of a Run of many pods each counts that is made and has not ended well', (t) => {
  const { run } = heldRun(1, 'g', { namespace: NAMESPACE });
  const gang = { pods: 4, startBefore: NOW, running: 2, succeeded: 1, countedAt: NOW };
  const many = { ...run, status: { ...run.status, gang, usage: { open: { rate: { ...RATE, pods: 4 } } } } };
  const quota = makeQuota(NAMESPACE, HARD, { pods: '0', 'requests.cpu': '0' });
  const usedOf = (seen: Partial<LedgerObserved>) =>
    countedQuota(preemptingLedger({ hard: HARD }, []), quota, { ...NOTHING_OF_LEDGER, runs: [many], ...seen })
      .used;
  const whole = usedOf({ started: new Set(['g']) });
  t.deepEqual([amountOf(whole, 'pods'), amountOf(whole, 'requests.cpu')], [3000n, 300n]);
  const half = usedOf({ unmade: new Map([['g', 2]]) });
  t.deepEqual([amountOf(half, 'pods'), amountOf(half, 'requests.cpu')], [1000n, 100n]);
});

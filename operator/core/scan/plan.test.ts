// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { asksForReport } from '../policy-pack/beginning.ts';
import { reportOf, RolloutWorld } from '../policy-pack/testing/rollout-world.ts';
import type { KubeObject } from '../object.ts';
import { packOfReport, planScan, type ScanObserved } from './plan.ts';
import { REPORTS } from './report.ts';

function report(namespace: string): KubeObject {
  const { apiVersion, kind } = REPORTS;
  return {
    apiVersion,
    kind,
    metadata: {
      name: 'nexusos-a',
      namespace,
      uid: `uid-${namespace}`,
      annotations: { 'nexusos.dev/report-of': 'nexusos/a' },
    },
  };
}

const STATUS = { phase: 'Active' } as const;
const SEEN: ScanObserved = {
  reports: [report('a')],
  complete: true,
  written: [report('a'), report('b')],
  againMs: 300_000,
};

const CASES: Readonly<
  Record<string, readonly [Partial<ScanObserved>, readonly string[], readonly string[]]>
> = {
  'what is said is written, and what is not any more is removed': [{}, ['a'], ['b']],
  'while not all could be read, nothing is known to be gone': [{ complete: false }, ['a'], []],
  'before it is known, nothing is done': [{ reports: undefined }, [], []],
  'no revision decides any more: nothing is said': [{ reports: [], againMs: undefined }, [], ['a', 'b']],
  'a cluster without the kinds is written nothing': [{ written: undefined }, [], []],
};

for (const [name, [fields, applied, removed]] of Object.entries(CASES)) {
  test(`Reports of a pack: ${name}`, (t) => {
    const plan = planScan(STATUS, { ...SEEN, ...fields });
    t.deepEqual(
      plan.apply.map(({ metadata }) => metadata.namespace),
      applied,
    );
    t.deepEqual(
      plan.remove.map(({ ref }) => ref.namespace),
      removed,
    );
    t.deepEqual(
      plan.remove.map(({ ref }) => ref.uid),
      removed.map((one) => `uid-${one}`),
      'never a namesake',
    );
    t.is(plan.status, STATUS, 'the pack is left as it is');
  });
}

test('a Report says whose it is; one that does not is nobody’s', (t) => {
  t.is(packOfReport(report('a')), 'nexusos/a');
  t.is(packOfReport({ metadata: { name: 'other' } }), undefined);
});

test('a report is asked for once, when nothing else can be decided before', (t) => {
  const world = new RolloutWorld();
  const asks = () => asksForReport(world.facts());
  t.true(asks());
  world.blast = () => reportOf('v1', { newlyDenied: 100 });
  world.settle();
  t.false(asks(), 'it is kept while somebody reads it');
  world.blast = () => undefined;
  world.rollout = { ...world.rollout, acknowledge: world.status.report?.digest };
  world.settle();
  t.is(world.status.candidateRevision, 'v1');
  t.false(asks(), 'nor of a candidate');
  world.wait(60);
  t.is(world.status.activeRevision, 'v1');
  t.false(asks(), 'nor of what decides');
  world.release('v2');
  t.true(asks());
  world.suspended = true;
  t.false(asks());
  world.suspended = false;
  world.rollbackTo = 'v1';
  t.false(asks());
});

// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { KubeObject } from '../object.ts';
import { GONE_AFTER_MS, planGoneReplica } from './gone-replica.ts';

const replica = (owners?: KubeObject['metadata']['ownerReferences']): KubeObject => ({
  apiVersion: 'nexusos.dev/v1alpha1',
  kind: 'PolicyReplica',
  metadata: { name: 'host-1', namespace: 'platform', uid: 'r', ...(owners && { ownerReferences: owners }) },
});

const POD = [{ apiVersion: 'v1', kind: 'Pod', name: 'host-1', uid: 'p' }];

interface Case {
  readonly of?: KubeObject;
  readonly silentMs: number;
  readonly want: readonly string[];
}

const CASES: Readonly<Record<string, Case>> = {
  'it is alive': { silentMs: 100, want: [] },
  'it is silent, and may come back': { silentMs: GONE_AFTER_MS - 1, want: [] },
  'it is gone': { silentMs: GONE_AFTER_MS, want: ['PolicyReplica'] },
  'it was a pod, with which it goes': { of: replica(POD), silentMs: GONE_AFTER_MS, want: [] },
};

for (const [title, { of = replica(), silentMs, want }] of Object.entries(CASES)) {
  test(`what a process has told is removed, or not: ${title}`, (t) => {
    const plan = planGoneReplica(of, silentMs);
    t.deepEqual(
      plan.remove.map(({ ref }) => ref.kind),
      want as string[],
    );
    t.deepEqual([plan.apply, plan.create], [[], []]);
    const isWaiting = want.length === 0 && of.metadata.ownerReferences === undefined;
    t.is(plan.result.kind, isWaiting ? 'requeueAfter' : 'done');
  });
}

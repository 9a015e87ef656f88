// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { MAX_LOADED_REVISIONS } from '#crds/v1alpha1/policy-replica';
import { replicaStatus } from './replica-status.ts';

function toldOf(count: number): number | undefined {
  const prepared = Array.from({ length: count }, (_, index) => `platform/p-${index}`);
  const snapshot = { digest: 'sha256:x', platformNamespace: 'platform', packs: [] };
  const facts = { prepared, refused: [], quarantined: [], violations: [], comparisons: [] };
  return replicaStatus({ ...facts, snapshot: snapshot as never }).prepared?.length;
}

test('of revisions it tells as many as the kind takes, and no more', (t) => {
  t.is(toldOf(MAX_LOADED_REVISIONS), MAX_LOADED_REVISIONS);
  t.is(toldOf(MAX_LOADED_REVISIONS + 1), MAX_LOADED_REVISIONS);
});

// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { API_VERSION } from '#crds/v1alpha1/names';
import type { KubeObject } from '../../core/object.ts';
import type { Reader } from '../../runtime/controller.ts';
import { watchGone } from './ledger-witness.ts';

function ledger(uid: string): KubeObject {
  return { apiVersion: API_VERSION, kind: 'QuotaLedger', metadata: { name: 'acme', uid } };
}

/** As whom the stores know the ledger after a change, and whether the one of the change is forgotten. */
const CASES: Readonly<Record<string, { readonly now: KubeObject | undefined; readonly want: number }>> = {
  'a ledger that changes is not forgotten': { now: ledger('one'), want: 0 },
  'one that is gone is': { now: undefined, want: 1 },
  'so is one that another has taken the place of': { now: ledger('another'), want: 1 },
};

for (const [sentence, { now, want }] of Object.entries(CASES)) {
  test(sentence, (t) => {
    const forgotten: string[] = [];
    const witness = {
      see: () => t.fail(),
      forget: ({ metadata }: KubeObject) => void forgotten.push(metadata.uid ?? ''),
    };
    const read = { get: () => now } as unknown as Reader;
    t.deepEqual(watchGone([witness]).keys(ledger('one'), read), []);
    t.deepEqual(
      forgotten,
      Array.from({ length: want }, () => 'one'),
    );
  });
}

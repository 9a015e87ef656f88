// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { evaluateHere } from '#operator/policy/evaluate-here';
import type { PolicyModule } from '#operator/policy/module';
import {
  BENCH_TENANT,
  type BenchPod,
  benchInput,
  benchPod,
  compileBenchPacks,
  DECISION,
  PLATFORM_RULES,
  TENANT_RULES,
} from './policy-packs.ts';
import { RULE_CASES } from './rule-cases.ts';

let modules: readonly PolicyModule[];

test.before(async () => {
  const { platform, tenant } = await compileBenchPacks(0);
  modules = [platform, tenant];
});

/** All that the rules say of a pod. */
function said(pod: BenchPod): string {
  const values = modules.map((module) => {
    const verdict = evaluateHere({
      module,
      entrypoint: DECISION,
      input: benchInput(pod),
      nowNs: 0n,
      deadlineMs: 50,
      memoryMiB: 16,
      tenant: undefined,
    });
    if (verdict.kind !== 'value') throw new Error(JSON.stringify(verdict));
    return (verdict.value as { readonly deny?: readonly unknown[] }).deny ?? [];
  });
  return JSON.stringify(values.flat());
}

test('the good pod is refused by none of them', (t) => t.is(said(benchPod(BENCH_TENANT)), '[]'));

test('there is a pod for each rule', (t) => {
  t.is(RULE_CASES.length, PLATFORM_RULES.length + TENANT_RULES.length);
  t.is(new Set(RULE_CASES.map(({ says }) => says)).size, RULE_CASES.length);
});

for (const { says, breaks } of RULE_CASES)
  test(`refused: ${says}`, (t) => t.true(said(breaks(benchPod(BENCH_TENANT))).includes(says)));

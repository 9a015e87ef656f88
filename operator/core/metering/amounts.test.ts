// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { makeRate, makeUse } from './testing/make.ts';
import { amountsOf, formatMetered, meter } from './amounts.ts';
import { type MeteredAmounts, type PodUse, type Rate, runUsage } from '#crds/v1alpha1/run-usage';

const cases: Record<
  string,
  {
    readonly rate?: Partial<Rate>;
    readonly pods: readonly PodUse[];
    readonly want: { readonly [Key in keyof MeteredAmounts]?: string | undefined };
  }
> = {
  'no container started: nothing': {
    pods: [],
    want: { cpuSeconds: '0', memoryByteSeconds: '0', gpuSeconds: undefined, runUnits: '0' },
  },
  'half a core for ten seconds': {
    rate: { cpuMillicores: 500, memoryBytes: 1024 },
    pods: [makeUse(10)],
    want: { cpuSeconds: '5', memoryByteSeconds: '10240', gpuSeconds: undefined, runUnits: '5' },
  },
  'the tier multiplies time': {
    rate: { cpuMillicores: 500, tier: 'ultra', tierPercent: 300 },
    pods: [makeUse(10)],
    want: { cpuSeconds: '5', runUnits: '15' },
  },
  'the example of the formula: cards, tier and calls': {
    rate: {
      cpuMillicores: 500,
      tier: 'heavy',
      tierPercent: 150,
      gpu: { class: 'h100', count: 1, parts: 1, of: 1, multiplierPercent: 400 },
    },
    pods: [makeUse(10, { toolCalls: 3 })],
    want: { gpuSeconds: '10', runUnits: '60.3' },
  },
  'the larger of cores and cards counts, not both': {
    rate: { cpuMillicores: 8000, gpu: { class: 'l4', count: 2, parts: 1, of: 1, multiplierPercent: 100 } },
    pods: [makeUse(10)],
    want: { cpuSeconds: '80', gpuSeconds: '20', runUnits: '80' },
  },
  'three sevenths of a card are rounded once': {
    rate: { gpu: { class: 'a100-3g', count: 1, parts: 3, of: 7, multiplierPercent: 150 } },
    pods: [makeUse(1)],
    want: { gpuSeconds: '0.428571', runUnits: '0.642857' },
  },
  'calls of tools and sandboxes': {
    pods: [makeUse(1, { toolCalls: 4, sandboxCalls: 1, inputTokens: 1000 })],
    want: { runUnits: '0.6' },
  },
  'no attempt that ran is cheaper than the floor': { pods: [makeUse(0)], want: { runUnits: '0.01' } },
  'several pods of one attempt add up, and are rounded together': {
    rate: { cpuMillicores: 1000 },
    pods: [makeUse(2), makeUse(3, { toolCalls: 1 })],
    want: { cpuSeconds: '5', runUnits: '5.1' },
  },
  'an end before its start is no time': {
    rate: { cpuMillicores: 1000 },
    pods: [makeUse(-3600), makeUse(2)],
    want: { cpuSeconds: '2' },
  },
  'a clock that jumps costs no more than the attempt could take': {
    rate: { cpuMillicores: 1000, maxSeconds: 60 },
    pods: [makeUse(400_000_000)],
    want: { cpuSeconds: '60', runUnits: '60' },
  },
};

for (const [name, { rate, pods, want }] of Object.entries(cases)) {
  test(`metered: ${name}`, (t) => t.like(formatMetered(meter(makeRate(rate), pods)), want));
}

test('what an operator of before has settled keeps the amounts that it reads, and they count by its facts', (t) => {
  const rate = makeRate({ cpuMillicores: 1000 });
  const settledAt = '2026-11-21T12:00:00Z';
  const amounts = { cpuSeconds: '10', memoryByteSeconds: '0', gpuSeconds: '0', runUnits: '10' };
  const attempt = { attempt: 1, settledAt, rate, pods: [makeUse(10_000)], amounts };
  const [stored] = runUsage.parse({ attempts: [attempt] }).attempts ?? [];
  t.deepEqual(stored?.amounts, amounts);
  t.deepEqual(stored && amountsOf(stored), meter(rate, attempt.pods));
});

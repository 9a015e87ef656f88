// SPDX-License-Identifier: Apache-2.0
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { evaluateHere, type Evaluation, HereSession } from '#operator/policy/evaluate-here';
import { type HostEvaluation, PolicyHost } from '#operator/policy/host';
import type { PolicyModule } from '#operator/policy/module';
import { createMetrics } from '#operator/telemetry/metrics';
import { bundleRoles } from '../build/bundle.ts';
import { compileBenchPacks, compileRunaway, DECISION, podReview } from './policy-packs.ts';
import { residentMegabytes } from './process-memory.ts';
import type { Figure } from './report.ts';
import { measureShippedPacks } from './shipped-packs.ts';
import { percentile } from './statistics.ts';

const ROUNDS = 5000;
const PACKS = 50;
const RUNAWAYS = 30;
const DEADLINE_MS = 50;

/** What policies cost: sixteen rules of the platform and five of a tenant on a review of 3 KB. Needs no control plane. */
export async function measurePolicy(): Promise<readonly Figure[]> {
  const { platform, tenant, others } = await compileBenchPacks(PACKS - 2);
  const runaway = await compileRunaway();
  const limits = { budget: { msPerSecond: 1e6, burstMs: 1e9 }, quarantine: { strikes: 1e6, withinMs: 1 } };
  const workers = { platformWorkers: 2, tenantWorkers: 2, spareWorkers: 1 };
  const folder = await mkdtemp(join(tmpdir(), 'nexusos-bench-'));
  await bundleRoles(folder);
  const beforeMB = await residentMegabytes(process.pid);
  // As in the image: from source, each worker would have to read TypeScript first.
  const workerUrl = pathToFileURL(join(folder, 'policy-worker.mjs'));
  const host = new PolicyHost({ ...workers, metrics: createMetrics(), limits, workerUrl });
  await host.ready();
  try {
    for (const module of [platform, ...others])
      await host.prepare({ module, memoryMiB: 16, tenant: undefined });
    for (const module of [tenant, runaway]) await host.prepare({ module, memoryMiB: 64, tenant: 'team-a' });
    const grownMB = (await residentMegabytes(process.pid)) - beforeMB;
    return [
      ...inProcess(platform, tenant),
      ...(await measureShippedPacks()),
      ...(await throughWorkers(host, platform, tenant)),
      ...(await besideRunaways(host, { tenant, runaway })),
      {
        name: `${PACKS} packs in four workers: memory added`,
        value: grownMB,
        unit: 'MB',
        bar: { atMost: 150 },
      },
    ];
  } finally {
    await host.close();
    await rm(folder, { recursive: true, force: true });
  }
}

function asked(module: PolicyModule, tenant: string | undefined): Evaluation {
  return {
    module,
    entrypoint: DECISION,
    input: podReview(),
    nowNs: 0n,
    deadlineMs: DEADLINE_MS,
    memoryMiB: 16,
    tenant,
  };
}

/** Both packs, one after the other, in this thread. */
function inProcess(platform: PolicyModule, tenant: PolicyModule): readonly Figure[] {
  const session = new HereSession();
  const both = [asked(platform, undefined), asked(tenant, 'team-a')];
  const samples: number[] = [];
  for (let round = 0; round < ROUNDS + 500; round += 1) {
    const startedAt = performance.now();
    for (const one of both) {
      const verdict = evaluateHere(one, session);
      if (verdict.kind !== 'value') throw new Error(JSON.stringify(verdict));
    }
    if (round >= 500) samples.push(performance.now() - startedAt);
  }
  const bytes = podReview().length;
  return [
    { name: `21 rules on ${bytes} bytes, in process: p50`, value: percentile(samples, 0.5), unit: 'ms' },
    { name: '... p95', value: percentile(samples, 0.95), unit: 'ms', bar: { atMost: 0.5 } },
    { name: '... p99', value: percentile(samples, 0.99), unit: 'ms', bar: { atMost: 2 } },
  ];
}

/** The same through workers, both at the same time, as a review is answered. */
async function throughWorkers(
  host: PolicyHost,
  platform: PolicyModule,
  tenant: PolicyModule,
): Promise<readonly Figure[]> {
  const samples: number[] = [];
  let late = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const startedAt = performance.now();
    const verdicts = await Promise.all(
      [asked(platform, undefined), asked(tenant, 'team-a')].map((one) => host.evaluate(one)),
    );
    late += verdicts.filter((one) => one.kind !== 'value').length;
    samples.push(performance.now() - startedAt);
  }
  return [
    {
      name: 'the same through workers, one review at a time: p50',
      value: percentile(samples, 0.5),
      unit: 'ms',
    },
    { name: '... p95', value: percentile(samples, 0.95), unit: 'ms' },
    { name: '... p99', value: percentile(samples, 0.99), unit: 'ms' },
    { name: '... that came to no decision', value: late, unit: 'of 10,000' },
  ];
}

/** One tenant's rules never end; how long until that is told, and what another tenant waits meanwhile. */
async function besideRunaways(
  host: PolicyHost,
  { tenant, runaway }: { readonly tenant: PolicyModule; readonly runaway: PolicyModule },
): Promise<readonly Figure[]> {
  const stopped: number[] = [];
  const told: number[] = [];
  const neighbour: number[] = [];
  for (let round = 0; round < RUNAWAYS; round += 1) {
    const endless: HostEvaluation = { ...asked(runaway, 'team-a'), memoryMiB: 64 };
    const startedAt = performance.now();
    const state = { isStopped: false };
    const kill = host.evaluate(endless).finally(() => {
      told.push(performance.now() - startedAt);
      state.isStopped = true;
    });
    while (!state.isStopped) {
      const askedAt = performance.now();
      await host.evaluate(asked(tenant, 'team-b'));
      neighbour.push(performance.now() - askedAt);
    }
    const verdict = await kill;
    if (verdict.kind !== 'failed' || verdict.reason !== 'Timeout') throw new Error(JSON.stringify(verdict));
    stopped.push(verdict.micros / 1000);
  }
  return [
    {
      name: 'a rule that never ends is stopped, by what it had of a processor: p50',
      value: percentile(stopped, 0.5),
      unit: 'ms',
    },
    { name: '... the longest', value: percentile(stopped, 1), unit: 'ms', bar: { atMost: 75 } },
    {
      name: '... from when it was asked, by the clock on the wall: p50',
      value: percentile(told, 0.5),
      unit: 'ms',
    },
    { name: '... the longest', value: percentile(told, 1), unit: 'ms', bar: { atMost: 75 } },
    { name: 'another tenant beside it: p50', value: percentile(neighbour, 0.5), unit: 'ms' },
    { name: '... p99', value: percentile(neighbour, 0.99), unit: 'ms' },
  ];
}

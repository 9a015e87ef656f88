// SPDX-License-Identifier: Apache-2.0
import test, { type ExecutionContext } from 'ava';
import type { MeteredAmounts, MeteredAttempt, PodUse, RunUsage } from '#crds/v1alpha1/run-usage';
import { eventually } from '#hack/tools/eventually';
import { FOREVER, phase, run, type World, world } from '../run-world.ts';
import { type LedgerUsage, type RecordedUsage, usageOf as allUsageOf, type WholeUsage } from '../usage.ts';

const SAYS = 'kwok.nexusos.dev/termination-message';
const USAGE = { inputTokens: 1200, toolCalls: 3, sandboxCalls: 1 };

interface Pod {
  readonly metadata: { readonly uid: string };
  readonly status: {
    readonly containerStatuses: readonly [
      {
        readonly state: { readonly terminated: { readonly startedAt: string; readonly finishedAt: string } };
      },
    ];
  };
}

async function usageOf({ user, namespace }: World, name: string): Promise<RunUsage> {
  const seen = await user.sees<{ readonly status?: { readonly usage?: RunUsage } }>(
    '-n',
    namespace,
    `run/${name}`,
  );
  return seen?.status?.usage ?? {};
}

function ends(place: World, name: string, how: string): Promise<unknown> {
  return eventually(`${name} is ${how}`, async () => (await phase(place, name)) === how);
}

const NO_CARDS = { count: 0, parts: 1, of: 1, multiplierPercent: 0 };

/** Milliseconds that containers of an attempt ran. */
function msOf({ pods }: MeteredAttempt): bigint {
  const spans = pods.map((pod) => BigInt(Date.parse(pod.finishedAt) - Date.parse(pod.startedAt)));
  return spans.reduce((sum, one) => sum + one, 0n);
}

/** Run units as the docs say, in millionths, from the facts in the status and nothing else. */
function unitsByTheDocs(attempt: MeteredAttempt): bigint {
  const { rate, pods } = attempt;
  if (pods.length === 0) return 0n;
  const ms = msOf(attempt);
  const { count, parts, of, multiplierPercent } = rate.gpu ?? NO_CARDS;
  // Both over one denominator: of x 100 x 100, for the share, the class and the tier.
  const cores = BigInt(rate.cpuMillicores) * ms * BigInt(of) * 100n;
  const cards = BigInt(count * parts * multiplierPercent) * ms * 1000n;
  const time = (cores > cards ? cores : cards) * BigInt(rate.tierPercent);
  const denominator = BigInt(of) * 10_000n;
  const calls = pods.reduce((sum, { reported = {} }) => {
    return sum + BigInt(reported.toolCalls ?? 0) * 100_000n + BigInt(reported.sandboxCalls ?? 0) * 200_000n;
  }, 0n);
  const rounded = (2n * time + denominator) / (2n * denominator) + calls;
  return rounded > 10_000n ? rounded : 10_000n;
}

function micro(decimal = '0'): bigint {
  const [whole = '0', fraction = ''] = decimal.split('.');
  return BigInt(whole + fraction.padEnd(6, '0'));
}

/** What an attempt costs as the docs say, in millionths of the currency: prices are of a million. */
function costByTheDocs(attempt: MeteredAttempt): bigint {
  const { price } = attempt.rate;
  if (price === undefined) return 0n;
  const reported = attempt.pods.reduce((sum, { reported: said = {} }) => {
    const counts = ['inputTokens', 'outputTokens', 'toolCalls', 'sandboxCalls'] as const;
    return counts.reduce((so, key) => so + BigInt(said[key] ?? 0) * BigInt(price[key] ?? 0), sum);
  }, 0n);
  const million = 1_000_000n;
  const exact = unitsByTheDocs(attempt) * BigInt(price.runUnits ?? 0) + reported * million;
  return (2n * exact + million * million) / (2n * million * million);
}

/** The amounts of an attempt, by the same docs from the same facts. */
function amountsByTheDocs(attempt: MeteredAttempt): Record<keyof MeteredAmounts, bigint> {
  const { cpuMillicores, memoryBytes, gpu = NO_CARDS } = attempt.rate;
  const ms = msOf(attempt);
  const cards = BigInt(gpu.count * gpu.parts) * ms * 1000n;
  return {
    cpuSeconds: BigInt(cpuMillicores) * ms,
    memoryByteSeconds: BigInt(memoryBytes) * ms * 1000n,
    gpuSeconds: (2n * cards + BigInt(gpu.of)) / (2n * BigInt(gpu.of)),
    runUnits: unitsByTheDocs(attempt),
    cost: costByTheDocs(attempt),
  };
}

/** Each attempt comes to what its facts say, and so does the total of all. */
function balances(t: ExecutionContext, { attempts = [], total, open }: RunUsage): void {
  t.is(open, undefined);
  for (const one of attempts) t.is(micro(one.runUnits), unitsByTheDocs(one));
  for (const key of ['cpuSeconds', 'memoryByteSeconds', 'gpuSeconds', 'runUnits', 'cost'] as const) {
    const sum = attempts.reduce((so, one) => so + amountsByTheDocs(one)[key], 0n);
    t.is(micro((total as MeteredAmounts)[key]), sum, key);
  }
}

/** The time of the one pod of a Run, as the status of its container says. */
async function toldByKubelet({ user, namespace }: World, name: string): Promise<PodUse> {
  const label = `nexusos.dev/run=${name}`;
  const list = await user.sees<{ readonly items: readonly [Pod] }>('-n', namespace, 'pods', '-l', label);
  const [pod] = list?.items ?? [];
  if (pod === undefined) throw new Error(`${name} has no pod`);
  const { startedAt, finishedAt } = pod.status.containerStatuses[0].state.terminated;
  return { uid: pod.metadata.uid, startedAt, finishedAt, basis: 'ContainerStatus', reported: USAGE };
}

test('the bill of a Run follows from what its pod reserved, how long it ran and what it reported', async (t) => {
  const place = await world(t, 'billed', {
    tenant: { plan: 'priced', quotas: { gpus: [{ class: 'a100-3g', count: 2 }] } },
    worker: { tier: 'heavy', gpu: { class: 'a100-3g', count: 2 } },
  });
  const { user, namespace } = place;
  const annotations = { 'kwok.nexusos.dev/duration': '3s', [SAYS]: JSON.stringify({ usage: USAGE }) };
  await user.applies(run(namespace, 'draws', { annotations }));
  await ends(place, 'draws', 'Succeeded');
  const usage = await usageOf(place, 'draws');
  const [attempt] = usage.attempts ?? [];
  t.like(attempt?.rate, {
    tier: 'heavy',
    tierPercent: 150,
    cpuMillicores: 100,
    memoryBytes: 64 * 1024 ** 2,
    gpu: { class: 'a100-3g', count: 2, parts: 3, of: 7, multiplierPercent: 150 },
    price: {
      currency: 'USD',
      runUnits: 500_000_000_000,
      inputTokens: 3_000_000_000,
      toolCalls: 1_000_500_000,
    },
  });
  t.deepEqual(attempt?.pods, [await toldByKubelet(place, 'draws')]);
  t.true(micro(usage.total?.gpuSeconds) > 0n);
  // Beside the run units: 1,200 tokens read, and three calls of tools.
  t.true(micro(usage.total?.cost) > 3_600_000n + 3001n);
  t.deepEqual(usage.reported, USAGE);
  balances(t, usage);
  t.regex(await user.does(['get', 'run', 'draws', '-n', namespace, '-o', 'wide']), /UNITS +COST/);
  await eventually('the ledger has counted what it cost', async () => {
    const { windows, tiers } = await allUsageOf(user, 'billed');
    const months = windows.filter(({ window }) => window === 'month').map(({ amounts }) => amounts.cost);
    return [months, tiers.map(({ cost }) => cost)].every(([one]) => one === usage.total?.cost);
  });
  await eventually('the tenant says so', async () =>
    /\d USD in 20\d\d-\d\d/.test(await user.does(['get', 'tn', 'billed', '-o', 'wide'])),
  );
});

test('attempts that fail, are paused or cancelled are settled too, each once', async (t) => {
  const place = await world(t, 'restless');
  const { user, namespace } = place;
  const patches = (name: string, spec: object) =>
    user.does(['patch', 'run', name, '-n', namespace, '--type=merge', '-p', JSON.stringify({ spec })]);
  const fails = { 'kwok.nexusos.dev/outcome': 'exit-code', [SAYS]: JSON.stringify({ usage: USAGE }) };
  const retries = { limit: 2, backoffSeconds: 0 };
  await user.applies(run(namespace, 'fails', { annotations: fails, spec: { retries } }));
  await user.applies(run(namespace, 'stops', FOREVER));
  await ends(place, 'stops', 'Running');
  t.like(await usageOf(place, 'stops'), { open: { rate: { tier: 'standard' } }, total: undefined });

  await patches('stops', { suspend: true });
  // That it is suspended is told while its workload still ends.
  await ends(place, 'stops', 'Queued');
  const paused = await usageOf(place, 'stops');
  balances(t, paused);
  t.true(micro(paused.total?.runUnits) > 0n);
  await patches('stops', { suspend: false });
  await ends(place, 'stops', 'Running');
  await patches('stops', { cancel: true });
  await ends(place, 'stops', 'Cancelled');
  const stopped = await usageOf(place, 'stops');
  balances(t, stopped);
  t.deepEqual(stopped.attempts?.slice(0, 1), paused.attempts);
  t.deepEqual(
    stopped.attempts?.map(({ attempt, pods }) => [attempt, pods.length]),
    [
      [1, 1],
      [2, 1],
    ],
  );

  await ends(place, 'fails', 'Failed');
  const failed = await usageOf(place, 'fails');
  balances(t, failed);
  t.deepEqual(
    failed.attempts?.map(({ attempt }) => attempt),
    [1, 2, 3],
  );
  t.is(failed.reported?.toolCalls, 3 * USAGE.toolCalls);
});

/** Run units by tier, of which each window has its part. */
function unitsOf(t: ExecutionContext, { windows, tiers }: WholeUsage): bigint {
  const all = tiers.reduce((sum, { runUnits }) => sum + micro(runUnits), 0n);
  for (const name of ['hour', 'day', 'month']) {
    const found = windows.filter(({ window }) => window === name);
    t.is(
      found.reduce((sum, { amounts }) => sum + micro(amounts.runUnits), 0n),
      all,
      name,
    );
  }
  return all;
}

test('what a tenant has used is counted once, also of Runs that are gone', async (t) => {
  const place = await world(t, 'thrifty');
  const { user, namespace } = place;
  const annotations = { [SAYS]: JSON.stringify({ usage: USAGE }) };
  await user.applies(
    run(namespace, 'kept', { annotations }),
    run(namespace, 'brief', { annotations, spec: { ttlSecondsAfterFinished: 0 } }),
    run(namespace, 'deleted', FOREVER),
  );
  await ends(place, 'kept', 'Succeeded');
  await eventually(
    'the brief one is gone',
    async () => (await user.sees('-n', namespace, 'run/brief')) === undefined,
  );
  await ends(place, 'deleted', 'Running');
  await user.does(['delete', 'run', 'deleted', '-n', namespace]);
  const history = await eventually('all three are counted', async () => {
    const seen = await allUsageOf(place.user, 'thrifty');
    const attempts = seen.windows.filter(({ window }) => window === 'month').map((one) => one.attempts);
    return attempts.reduce((sum, one) => sum + one, 0) === 3 ? seen : undefined;
  });
  // Two that reported half a unit in calls each, and one that ran.
  const units = unitsOf(t, history);
  const kept = micro((await usageOf(place, 'kept')).total?.runUnits);
  t.true(units >= kept + 500_000n + 10_000n, `${units} of which ${kept} are of the one that is kept`);
  const months = history.windows.filter(({ window }) => window === 'month');
  t.is(
    months.reduce((sum, { reported }) => sum + (reported?.toolCalls ?? 0), 0),
    2 * USAGE.toolCalls,
  );
  await eventually('the tenant says so', async () =>
    /\d in 20\d\d-\d\d/.test(await user.does(['get', 'tn', 'thrifty', '-o', 'wide'])),
  );
});

/** Windows of a year ago and later, which are over, in the ledger as those of before kept them. */
function formerWindows(now: Date) {
  const amounts = { cpuSeconds: '7', memoryByteSeconds: '70', gpuSeconds: '0', runUnits: '0.7' };
  const begin = (window: string, at: number, length: number) => ({
    window,
    start: `${new Date(at).toISOString().slice(0, length)}${'-01T00:00:00Z'.slice(length - 7)}`,
    attempts: 7,
    amounts,
  });
  const monthAgo = (months: number) => Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - months);
  const ago = (ms: number) => now.getTime() - ms;
  return [
    ...Array.from({ length: 20 }, (_, i) => begin('hour', ago((i + 2) * 3_600_000), 13)),
    ...Array.from({ length: 28 }, (_, i) => begin('day', ago((i + 2) * 86_400_000), 10)),
    ...Array.from({ length: 11 }, (_, i) => begin('month', monthAgo(i + 2), 7)),
  ];
}

function byStart(a: { readonly start: string }, b: { readonly start: string }): number {
  return a.start.localeCompare(b.start);
}

test('windows that are over leave the ledger for the record of the tenant, which owners read, and nothing changes', async (t) => {
  const owners = [{ kind: 'User', name: 'vintage-owner', role: 'viewer' }];
  const place = await world(t, 'vintage', { tenant: { owners } });
  const { user, namespace } = place;
  const former = formerWindows(new Date());
  const usage = { windows: former, tiers: [{ tier: 'standard', runUnits: '41.3' }] };
  const patch = JSON.stringify({ status: { usage } });
  const subresource = ['--subresource=status', '--type=merge', '-p', patch];
  await user.does(['patch', 'quotaledger', 'vintage', ...subresource]);
  await user.applies(run(namespace, 'late'));
  await ends(place, 'late', 'Succeeded');
  const record = await eventually('the record has them', () =>
    user.sees<RecordedUsage>('usagerecord/vintage'),
  );
  t.is(record.spec.merged, former.length);
  const ledger = await eventually('the ledger is rid of them', async () => {
    const seen = await user.sees<LedgerUsage>('quotaledger/vintage');
    const windows = seen?.status?.usage?.windows ?? [];
    return windows.length > 0 && windows.every(({ sealed }) => sealed === undefined) ? seen : undefined;
  });
  t.deepEqual(
    ledger.status?.usage?.windows.map(({ window, attempts }) => [window, attempts]),
    ['minute', 'hour', 'day', 'month'].map((window) => [window, 1]),
  );
  t.deepEqual(record.spec.windows.toSorted(byStart), former.toSorted(byStart) as typeof record.spec.windows);
  const own = micro((await usageOf(place, 'late')).total?.runUnits);
  const { windows, tiers } = await allUsageOf(user, 'vintage');
  for (const [window, count] of [
    ['hour', 20],
    ['day', 28],
    ['month', 11],
  ] as const) {
    const units = windows
      .filter((one) => one.window === window)
      .map(({ amounts }) => micro(amounts.runUnits));
    t.is(
      units.reduce((sum, one) => sum + one, 0n),
      own + BigInt(count) * 700_000n,
      window,
    );
  }
  t.is(micro(tiers[0]?.runUnits), own + 41_300_000n);
  const path = `{range .items[*]..windows[?(@.window=="month")]}{.start} {.amounts.runUnits}{"\\n"}{end}`;
  const both = ['quotaledger/vintage', 'usagerecord/vintage', '--ignore-not-found'];
  const told = await user.does(['get', ...both, '--as=vintage-owner', '-o', `jsonpath=${path}`]);
  t.regex(told, /^\d{4}-\d\d-01T00:00:00Z [\d.]+$/m);
  t.is(told.trim().split('\n').length, 12, told);
  t.false((await user.tries(['delete', 'usagerecord', 'vintage', '--as=vintage-owner'])).ok);
  t.false((await user.tries(['get', 'usagerecord', 'thrifty', '--as=vintage-owner'])).ok);
});

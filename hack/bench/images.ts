// SPDX-License-Identifier: Apache-2.0
import { installChart } from '../system/chart.ts';
import { type OperatorProcess, startOperator } from '../system/operator-process.ts';
import { type WebhookProcess, WebhookSystem } from '../system/webhook-process.ts';
import { sharesOf } from './audit-writes.ts';
import type { BenchEnvironment } from './environment.ts';
import { measureBom } from './image-bom.ts';
import { measureCosign } from './image-cosign.ts';
import { measureDecisions } from './image-decisions.ts';
import { measureLooks } from './image-looks.ts';
import { ImageSupply } from './image-supply.ts';
import { imageAt, setPolicy, setTrust, useImages, VerdictWatch } from './image-world.ts';
import { measureReviews } from './image-reviews.ts';
import { JudgeWatch } from './judge-watch.ts';
import { peakMegabytes, residentMegabytes } from './process-memory.ts';
import { ProcessStalls } from './process-stalls.ts';
import { componentPid, startTimer } from './processor-timer.ts';
import type { Figure } from './report.ts';
import { makeTenants, named, namespaceOf } from './run-world.ts';
import { settle, SILENCE_SECONDS, writesInSilence } from './steady-state.ts';

/** How many images there are, and of how many tenants. */
export interface ImageScale {
  readonly tenants: number;
  readonly images: number;
}

const QUIET_MS = 15_000;
const SETTLE_AT_MOST_MS = 300_000;
/** The tenant that no policy on images is for. */
const BESIDES = 'images-none';
/** No turn of the operator's loop is to take longer, in milliseconds. */
const STALL_MS = 10;

/** Verification and admission of images, each by itself, beside cosign in the same run. Needs no control plane. */
export async function measureImages(): Promise<readonly Figure[]> {
  return supplied(async (supply) => [
    ...measureDecisions(),
    ...(await measureBom()),
    ...(await measureLooks(supply)),
    ...(await measureCosign(supply)),
  ]);
}

/** All of it on a control plane: images of tenants, verified for the first time and again, and used. */
export async function measureImageFleet(
  environment: BenchEnvironment,
  { tenants, images }: ImageScale,
): Promise<readonly Figure[]> {
  return supplied(async (supply) => {
    const digests = await supply.images(named('app', images));
    return measureFleet(environment, { supply, digests, tenants: named('images', tenants) });
  });
}

async function supplied(
  measure: (supply: ImageSupply) => Promise<readonly Figure[]>,
): Promise<readonly Figure[]> {
  const supply = await ImageSupply.start();
  try {
    return await measure(supply);
  } finally {
    await supply.stop();
  }
}

/** Images of tenants. */
interface Fleet {
  readonly supply: ImageSupply;
  readonly digests: readonly string[];
  readonly tenants: readonly string[];
}

interface Measured extends Fleet {
  readonly environment: BenchEnvironment;
  readonly operator: OperatorProcess;
  readonly webhooks: WebhookProcess;
  readonly verdicts: VerdictWatch;
  readonly stalls: ProcessStalls;
}

async function measureFleet(environment: BenchEnvironment, fleet: Fleet): Promise<readonly Figure[]> {
  const { cluster } = environment;
  const system = await WebhookSystem.open(cluster);
  await installChart(cluster, { values: { webhooks: system.values } });
  const stalls = await ProcessStalls.create();
  const env = { ...stalls.env, NEXUSOS_REGISTRIES: JSON.stringify(fleet.supply.hosts) };
  const operator = await startOperator(cluster, { env });
  const verdicts = new VerdictWatch(environment);
  try {
    const webhooks = await system.start();
    const measured = { ...fleet, environment, operator, webhooks, verdicts, stalls };
    await makeTenants(environment, [...fleet.tenants, BESIDES]);
    const first = await measureFirst(measured);
    const reviews = await measureReviews({
      ...measured,
      with: namespaceOf(fleet.tenants[0] ?? ''),
      without: namespaceOf(BESIDES),
      images: imagesOf(fleet, 0),
    });
    const again = await measureAgain(measured);
    return [...reviews, ...first, ...again, ...(await measureSilence(measured))];
  } finally {
    verdicts.stop();
    await operator.stop();
    await stalls.remove();
    await system.stop();
  }
}

/** The images that one tenant uses: all are dealt out in turn. */
function imagesOf({ supply, digests, tenants }: Fleet, tenant: number): readonly string[] {
  return digests
    .filter((_, number) => number % tenants.length === tenant)
    .map((digest) => imageAt(supply, digest));
}

/** From the policy on until all images, none of which anybody has looked at, are as asked. */
async function measureFirst(measured: Measured): Promise<readonly Figure[]> {
  const { environment, supply, tenants } = measured;
  await setTrust(environment, supply);
  for (const [number, tenant] of tenants.entries())
    await useImages(environment, tenant, imagesOf(measured, number));
  return measureLook(measured, 'looked at for the first time', () => setPolicy(environment, supply, BESIDES));
}

/** From another trust root on, by which nothing counts any more that was found before. */
function measureAgain(measured: Measured): Promise<readonly Figure[]> {
  const { environment, supply } = measured;
  return measureLook(measured, 'looked at again', () => setTrust(environment, supply, 1));
}

async function measureLook(
  { environment, operator, supply, digests, verdicts, stalls }: Measured,
  how: string,
  begin: () => Promise<void>,
): Promise<readonly Figure[]> {
  const { cluster } = environment;
  const pids = { operator: operator.pid, 'API server': await componentPid(cluster, 'kube-apiserver') };
  const before = await residentMegabytes(operator.pid);
  supply.proxy.take();
  const judges = new JudgeWatch(operator.pid);
  const timer = await startTimer(pids);
  const since = new Date();
  await begin();
  const seconds = await verdicts.untilVerified(digests.length, since);
  const times = await timer.figures(`image ${how}`, digests.length);
  const stall = await stalls.since(since);
  const requests = [...supply.proxy.take()].map(([asked, count]) => ({
    name: `... requests to the registry for an image: ${asked}`,
    value: count / digests.length,
    unit: '',
  }));
  return [
    { name: `${digests.length} images, ${how}`, value: seconds, unit: 's' },
    { name: '... images', value: digests.length / seconds, unit: '/s' },
    ...times,
    ...requests,
    { name: '... longest stall of the operator', value: stall.clock, unit: 'ms', bar: { atMost: STALL_MS } },
    {
      name: '... longest stall of its own, of a processor',
      value: stall.own,
      unit: 'ms',
      bar: { atMost: STALL_MS },
    },
    { name: '... memory of the operator (RSS): before', value: before, unit: 'MB' },
    { name: '... and after', value: await residentMegabytes(operator.pid), unit: 'MB' },
    {
      name: '... the most that it had since its start',
      value: await peakMegabytes(operator.pid),
      unit: 'MB',
      bar: { atMost: 400 },
    },
    ...(await judges.stop()),
  ];
}

async function measureSilence({
  environment,
  operator,
  webhooks,
  verdicts,
  digests,
}: Measured): Promise<readonly Figure[]> {
  await settle(environment, { quietMs: QUIET_MS, atMostMs: SETTLE_AT_MOST_MS });
  const timer = await startTimer({ operator: operator.pid, webhooks: webhooks.process.pid });
  const silent = await writesInSilence(environment);
  return [
    {
      name: `writes in ${SILENCE_SECONDS} s of steady state`,
      value: silent.length,
      unit: '',
      bar: { atMost: 0 },
    },
    ...sharesOf(silent, 1),
    ...(await timer.figures('second of steady state', SILENCE_SECONDS)),
    { name: 'what one verdict says', value: verdicts.bytes / digests.length, unit: 'bytes' },
    {
      name: 'memory of the operator (RSS)',
      value: await residentMegabytes(operator.pid),
      unit: 'MB',
      bar: { atMost: 400 },
    },
    {
      name: 'memory of an admission process (RSS)',
      value: await residentMegabytes(webhooks.process.pid),
      unit: 'MB',
    },
  ];
}

// SPDX-License-Identifier: Apache-2.0
import type { KubeObject } from '#operator/core/object';
import { installChart } from '../system/chart.ts';
import { startOperator } from '../system/operator-process.ts';
import { WebhookSystem } from '../system/webhook-process.ts';
import type { BenchEnvironment } from './environment.ts';
import { componentPid, startTimer } from './processor-timer.ts';
import type { Figure } from './report.ts';
import { CONNECTIONS, sendReviews, type Timed, timed } from './review-sender.ts';
import { dealOut, hasEnded, IMAGE, makeTenants, named, namespaceOf, RESOURCES, RUNS } from './run-world.ts';
import { percentile } from './statistics.ts';
import { secondsUntilDone } from './until-done.ts';

const REVIEWS = 20_000;
const DRY_RUNS = 1500;
const TENANT = 'hooked';

/**
 * What admission costs, without any pack: a review over HTTPS to one process; a pod that is created as a dry run, and Runs from nothing to
 * Succeeded, each without the process first and with it then, on one control plane.
 */
export async function measureWebhook(
  environment: BenchEnvironment,
  runs: number,
): Promise<readonly Figure[]> {
  const { cluster } = environment;
  const webhooks = await WebhookSystem.open(cluster);
  const before = await startOperator(cluster);
  await makeTenants(environment, [TENANT]);
  // What comes first is dearer than the rest.
  await untilEnded(environment, named('warm', Math.ceil(runs / 4)));
  const bare = await dryRuns(environment);
  const bareRuns = await runsOf(environment, 'bare', { count: runs, operator: before.pid });
  await before.stop();
  await installChart(cluster, { values: { webhooks: webhooks.values } });
  const operator = await startOperator(cluster);
  try {
    const { process, port } = await webhooks.start();
    const direct = await reviews(environment, port);
    await untilEnded(environment, named('warm-judged', Math.ceil(runs / 4)));
    const judged = await dryRuns(environment);
    const judgedRuns = await runsOf(environment, 'judged', {
      count: runs,
      operator: operator.pid,
      webhooks: process.pid,
    });
    const added = percentile(judged.milliseconds, 0.95) - percentile(bare.milliseconds, 0.95);
    return [
      ...latencies(`review over HTTPS, ${CONNECTIONS} connections`, direct, 5),
      { name: 'reviews of one process', value: direct.perSecond, unit: '/s', bar: { atLeast: 3000 } },
      ...latencies('floor: dry-run create of a pod, nobody asked', bare),
      ...latencies('the same, one process asked', judged),
      { name: 'added by being asked, p95', value: added, unit: 'ms', bar: { atMost: 5 } },
      ...bareRuns,
      ...judgedRuns,
    ];
  } finally {
    await operator.stop();
    await webhooks.stop();
  }
}

function latencies(name: string, { milliseconds }: Timed, atMost?: number): readonly Figure[] {
  return [0.5, 0.95, 0.99].map((share) => ({
    name: `${name}, p${share * 100}`,
    value: percentile(milliseconds, share),
    unit: 'ms',
    ...(share === 0.95 && atMost !== undefined && { bar: { atMost } }),
  }));
}

function reviews({ cluster }: BenchEnvironment, port: number): Promise<Timed> {
  const labelled = { ...pod(), metadata: { ...pod().metadata, annotations: { padding: 'x'.repeat(2048) } } };
  return sendReviews(cluster, port, { count: REVIEWS, pods: [labelled] });
}

function dryRuns({ client }: BenchEnvironment): Promise<Timed> {
  const path = `/api/v1/namespaces/${namespaceOf(TENANT)}/pods`;
  return timed(DRY_RUNS, () => client.raw({ verb: 'create', path, query: { dryRun: 'All' }, body: pod() }));
}

function pod(): KubeObject {
  const securityContext = {
    runAsNonRoot: true,
    runAsUser: 1000,
    allowPrivilegeEscalation: false,
    capabilities: { drop: ['ALL'] },
    seccompProfile: { type: 'RuntimeDefault' },
  };
  const container = {
    name: 'agent',
    image: IMAGE,
    imagePullPolicy: 'Always',
    resources: RESOURCES,
    securityContext,
  };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'tried', namespace: namespaceOf(TENANT) },
    spec: { restartPolicy: 'Never', automountServiceAccountToken: false, containers: [container] },
  };
}

function untilEnded({ client }: BenchEnvironment, names: readonly string[]): Promise<number> {
  const objects = dealOut([TENANT], names);
  return secondsUntilDone(client, { width: CONNECTIONS, resource: RUNS, objects, isDone: hasEnded });
}

interface RunLoad {
  readonly count: number;
  readonly operator: number;
  readonly webhooks?: number;
}

async function runsOf(
  environment: BenchEnvironment,
  name: string,
  { count, ...pids }: RunLoad,
): Promise<readonly Figure[]> {
  const apiServer = await componentPid(environment.cluster, 'kube-apiserver');
  const timer = await startTimer({ 'API server': apiServer, ...pids });
  const seconds = await untilEnded(environment, named(name, count));
  const times = await timer.figures(`Run, ${name}`, count);
  return [
    { name: `${count} Runs, ${name}, created to Succeeded`, value: count / seconds, unit: '/s' },
    ...times,
  ];
}

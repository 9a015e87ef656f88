// SPDX-License-Identifier: Apache-2.0
import { type Cluster, startCluster } from '../cluster/cluster.ts';
import { installChart } from '../system/chart.ts';
import { startOperator } from '../system/operator-process.ts';
import { WebhookSystem } from '../system/webhook-process.ts';
import { ensureTools } from '../tools/build.ts';
import { cacheFolder } from '../tools/cache-folder.ts';
import { type BuildStep, showBuild } from '../tools/progress.ts';
import { KeptOperator, type RestartPolicy } from './kept-operator.ts';
import { applySamples, readSamples, samplesInOrder, waitForTenants } from './samples.ts';
import type { Terminal } from './terminal.ts';

/** Where to tell of what is done, who ends what was started, and what happens to an operator that ends. */
export interface BringUpOptions {
  readonly terminal: Terminal;
  readonly resources: AsyncDisposableStack;
  readonly restarts: RestartPolicy;
}

/** A control plane with NexusOS on it. */
export interface System {
  readonly cluster: Cluster;
  readonly operator: KeptOperator;
}

const PROGRAMS = [
  'etcd',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kubectl',
  'kwok',
  'helm',
] as const;
const STEPS = 6;
/** Admission processes, as many as the chart has. */
const REPLICAS = 2;
const TENANTS_READY_MS = 180_000;

/**
 * Brings everything up, step by step, and tells of each step. What was started is given to `resources` at once, so that it is
 * ended whenever that is. Throws with a message for people when a step fails.
 */
export async function bringUp({ terminal, resources, restarts }: BringUpOptions): Promise<System> {
  const step = stepper(terminal);
  await step('programs', 'etcd, Kubernetes, KWOK and Helm, built from source once', async () => {
    await ensureTools(PROGRAMS, { onStep: announceBuild(terminal) });
  });
  const cluster = await step(
    'control plane',
    'etcd, API server, controllers, scheduler, node pools',
    async () => {
      const started = await startCluster({ name: 'nexusos', audit: true });
      resources.defer(() => started.stop());
      return started;
    },
  );
  const webhooks = await WebhookSystem.open(cluster);
  resources.defer(() => webhooks.stop());
  await step('chart', 'charts/nexusos, by Helm: CRDs, roles, guardrails', () =>
    installChart(cluster, { values: { webhooks: webhooks.values } }),
  );
  const operator = await step(
    'operator',
    "as a process, with the chart's ServiceAccount and no other rights",
    async () => {
      const started = await KeptOperator.start((signal) => startOperator(cluster, { signal }), restarts);
      resources.defer(() => started.stop(5000));
      return started;
    },
  );
  await step('admission', `${REPLICAS} processes that the API server asks, with rights of their own`, () =>
    keepAsked(webhooks, { resources, restarts }),
  );
  await step('samples', 'crds/samples: GPU classes, tenants, agents, runs', () => applyAll(cluster));
  return { cluster, operator };
}

async function keepAsked(
  webhooks: WebhookSystem,
  { resources, restarts }: Pick<BringUpOptions, 'resources' | 'restarts'>,
): Promise<void> {
  const start = async (signal: AbortSignal) => (await webhooks.start({ signal })).process;
  const started = Array.from({ length: REPLICAS }, () => KeptOperator.start(start, restarts));
  for (const one of await Promise.all(started)) resources.defer(() => one.stop(5000));
}

async function applyAll(cluster: Cluster): Promise<void> {
  const { platform, tenants } = samplesInOrder(await readSamples());
  await applySamples(cluster, platform);
  await waitForTenants(cluster, TENANTS_READY_MS);
  await applySamples(cluster, tenants);
}

type Step = <T>(name: string, what: string, work: () => Promise<T>) => Promise<T>;

function stepper(terminal: Terminal): Step {
  let count = 0;
  return async (name, what, work) => {
    count += 1;
    const startedAt = performance.now();
    terminal.line(`[${count}/${STEPS}] ${name}: ${what}`);
    try {
      return await work();
    } catch (error) {
      throw new Error(`step ${count} of ${STEPS}, ${name}, failed`, { cause: error });
    } finally {
      const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
      terminal.line(`      took ${seconds} s`);
    }
  };
}

/** The first time takes long; say so before it does. */
function announceBuild(terminal: Terminal): (step: BuildStep) => void {
  const show = showBuild();
  let isAnnounced = false;
  return (step) => {
    if (!isAnnounced) {
      terminal.line(
        `      ${step.total} to build, about ten minutes for all on two cores; kept in ${cacheFolder()}`,
      );
      isAnnounced = true;
    }
    show(step);
  };
}

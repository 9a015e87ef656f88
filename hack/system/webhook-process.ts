// SPDX-License-Identifier: Apache-2.0
import { join } from 'node:path';
import type { AttachedCluster } from '../cluster/attached-cluster.ts';
import {
  type OperatorOptions,
  type OperatorProcess,
  type ProcessRole,
  spawnProgram,
  waitUntilReady,
} from './operator-process.ts';
import { WebhookBalancer } from './webhook-balancer.ts';

/** For longer than the balancer takes to notice, as in the chart: two probes of a second, each of which may wait for a second. */
const DRAIN_MS = '4000';

/** Set while tests run the admission process of a bundle, as the image has it. */
export const webhookProgramVariable = 'NEXUSOS_TEST_WEBHOOK_PROGRAM';

const MAIN = join(import.meta.dirname, '../../webhooks/main.ts');
const ROLE: Omit<ProcessRole, 'program'> = {
  name: 'webhooks',
  settings: 'nexusos-webhooks',
  serviceAccount: () => 'nexusos-webhooks',
};

/** How an admission process is started. */
export type WebhookOptions = Pick<
  OperatorOptions,
  'program' | 'env' | 'apiServer' | 'readyTimeoutMs' | 'signal'
>;

/** One admission process, and where it serves. */
export interface WebhookProcess {
  readonly process: OperatorProcess;
  readonly port: number;
}

/**
 * The admission processes of a cluster as they are in one: several, behind one address that sends each connection to one that is ready. The address
 * is there before the chart is installed, which has to be told it.
 */
export class WebhookSystem {
  readonly #cluster: AttachedCluster;
  readonly #balancer: WebhookBalancer;
  readonly #processes: WebhookProcess[] = [];

  private constructor(cluster: AttachedCluster, balancer: WebhookBalancer) {
    this.#cluster = cluster;
    this.#balancer = balancer;
  }

  /** An address, with nobody behind it. */
  static async open(cluster: AttachedCluster): Promise<WebhookSystem> {
    return new WebhookSystem(cluster, await WebhookBalancer.listen());
  }

  /** Values of the chart by which the API server asks here. */
  get values(): Readonly<Record<string, unknown>> {
    return { enabled: true, url: `https://127.0.0.1:${this.#balancer.port}` };
  }

  /** Those that were started, in that order. */
  get processes(): readonly WebhookProcess[] {
    return this.#processes;
  }

  /** Starts one more, and resolves when it is ready. There has to be an operator, which makes the certificate. */
  async start(options: WebhookOptions = {}): Promise<WebhookProcess> {
    const program = options.program ?? process.env[webhookProgramVariable] ?? MAIN;
    const env = { NEXUSOS_SERVE: '127.0.0.1:0', NEXUSOS_DRAIN_MS: DRAIN_MS, ...options.env };
    const started = await spawnProgram(this.#cluster, { ...ROLE, program }, { ...options, env });
    const serving = new Promise<number>((resolve) => {
      started.log.onEntry((entry) => {
        if (entry.msg === 'serving') resolve(Number(String(entry['serve']).split(':').at(-1)));
      });
    });
    await waitUntilReady(started, { ...options, what: 'the admission process' });
    // It may be ready before what it says of that is read.
    const one = { process: started, port: await serving };
    this.#processes.push(one);
    this.#balancer.add({ port: one.port, isReady: () => started.isReady() });
    await this.#balancer.settled();
    return one;
  }

  /** Lets this process end while the others still run. */
  unref(): void {
    this.#balancer.unref();
    for (const one of this.#processes) one.process.unref();
  }

  /** Ends all of it at once. */
  async stop(): Promise<void> {
    await Promise.all(this.#processes.map((one) => one.process.kill()));
    await this.#balancer.close();
  }
}

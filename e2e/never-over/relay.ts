// SPDX-License-Identifier: Apache-2.0
import type { Cluster } from '#hack/cluster/cluster';
import { PLATFORM_NAMESPACE } from '#hack/system/chart';
import { type OperatorProcess, startOperator } from '#hack/system/operator-process';
import { SHARED_SETTINGS } from '#hack/system/shared-settings';
import { eventually } from '#hack/tools/eventually';

const LEASE = `/apis/coordination.k8s.io/v1/namespaces/${PLATFORM_NAMESPACE}/leases/nexusos-operator`;
/** Short, so that who follows takes over at once; on a busy machine some leaders lose it by that, which is a fault more. */
const LEASE_MS = '2000';
/** How long a leader leads before it is killed. */
const REIGN_MS = 3000;
/** As many operators as stand ready. */
const REPLICAS = 2;

/** Operators of which the one that leads is killed again and again. */
export class Relay {
  readonly #cluster: Cluster;
  readonly #operators = new Map<string, Promise<OperatorProcess>>();
  #started = 0;
  /** Why one did not come to be ready. */
  #fault: unknown;
  #kills = 0;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** Leaders that were killed. */
  get kills(): number {
    return this.#kills;
  }

  /** Starts all of them, and waits until they are ready. */
  async start(): Promise<void> {
    while (this.#operators.size < REPLICAS) this.#startOne();
    await Promise.all(this.#operators.values());
  }

  /** Kills who has led for a few seconds, and starts another beside the one that follows, until `isOver`. */
  async killLeadersUntil(isOver: () => Promise<boolean>): Promise<void> {
    while (!(await isOver())) {
      let since = performance.now();
      let leader = '';
      const found = await eventually('somebody leads for a while, or it is over', async () => {
        if (this.#fault !== undefined || (await isOver())) return 'over';
        const holder = await this.#leader();
        if (holder !== leader) since = performance.now();
        leader = holder;
        return performance.now() - since > REIGN_MS && this.#operators.has(leader) ? leader : undefined;
      });
      if (this.#fault !== undefined) throw this.#fault;
      if (found !== 'over') await this.#replace(found);
    }
  }

  /** Ends all of them in order. */
  async stop(): Promise<void> {
    const all = await Promise.allSettled(this.#operators.values());
    const running = all.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    await Promise.all(running.map((operator) => operator.stop()));
    this.#operators.clear();
  }

  async #replace(identity: string): Promise<void> {
    const operator = await this.#operators.get(identity);
    this.#operators.delete(identity);
    await operator?.kill();
    this.#kills += 1;
    this.#startOne();
  }

  #startOne(): void {
    this.#started += 1;
    const identity = `relay-${this.#started}`;
    const env = { NEXUSOS_IDENTITY: identity, NEXUSOS_LEASE_DURATION_MS: LEASE_MS, ...SHARED_SETTINGS };
    const starting = startOperator(this.#cluster, { env });
    starting.catch((error: unknown) => {
      this.#fault ??= error;
    });
    this.#operators.set(identity, starting);
  }

  async #leader(): Promise<string> {
    const lease = await this.#cluster.admin.get(LEASE);
    return (lease?.['spec'] as { readonly holderIdentity?: string } | undefined)?.holderIdentity ?? '';
  }
}

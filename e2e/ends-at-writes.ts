// SPDX-License-Identifier: Apache-2.0
import type { Cluster } from '#hack/cluster/cluster';
import { type OperatorProcess, startOperator } from '#hack/system/operator-process';
import { eventually } from '#hack/tools/eventually';
import { type CrashProxy, type SeenWrite, startCrashProxy } from './crash-proxy.ts';

/** A way takes some ten writes; one that would not end is a fault. */
const MOST_ENDS = 40;

/** Operators that are ended with SIGKILL at each of their writes, one after the other. */
export class EndsAtWrites {
  readonly #cluster: Cluster;
  readonly #proxy: CrashProxy;
  readonly #identity: string;

  private constructor(
    cluster: Cluster,
    { proxy, identity }: { readonly proxy: CrashProxy; readonly identity: string },
  ) {
    this.#cluster = cluster;
    this.#proxy = proxy;
    this.#identity = identity;
  }

  /** Before the API server of `cluster`. No other operator may run; all that run here are `identity`, so that none waits for the Lease of another. */
  static async open(cluster: Cluster, identity: string): Promise<EndsAtWrites> {
    const proxy = await startCrashProxy(cluster.url, Buffer.from(cluster.caData, 'base64').toString());
    return new EndsAtWrites(cluster, { proxy, identity });
  }

  /** An operator that is let live. */
  start(): Promise<OperatorProcess> {
    this.#proxy.arm();
    return this.#start();
  }

  /** Ends operators at every write until one has nothing to write any more and `isOver`; the writes at which they were ended. */
  async until(isOver: () => Promise<boolean>): Promise<readonly SeenWrite[]> {
    const ends: SeenWrite[] = [];
    while (await this.#isEndedAtNext(ends, isOver)) {
      if (ends.length > MOST_ENDS) throw new Error(`still writing: ${JSON.stringify(ends.at(-1))}`);
    }
    return ends;
  }

  close(): Promise<void> {
    return this.#proxy.close();
  }

  #start(): Promise<OperatorProcess> {
    return startOperator(this.#cluster, {
      apiServer: this.#proxy.url,
      env: { NEXUSOS_IDENTITY: this.#identity },
    });
  }

  async #isEndedAtNext(ends: SeenWrite[], isOver: () => Promise<boolean>): Promise<boolean> {
    this.#proxy.arm(async (write) => {
      ends.push(write);
      await (await starting).kill();
    });
    const starting = this.#start();
    const operator = await starting;
    await eventually('it is ended, or all is over', async () => operator.hasEnded || (await isOver()));
    if (operator.hasEnded) return true;
    await operator.stop();
    return false;
  }
}

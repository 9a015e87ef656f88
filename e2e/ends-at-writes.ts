// SPDX-License-Identifier: Apache-2.0
import type { Cluster } from '#hack/cluster/cluster';
import { type OperatorProcess, startOperator } from '#hack/system/operator-process';
import { eventually } from '#hack/tools/eventually';
import { type CrashProxy, type SeenWrite, startCrashProxy } from './crash-proxy.ts';

/** A way takes some ten writes; one that would not end is a fault. */
const MOST_ENDS = 40;

const NEVER = /(?!)/;

interface Parts {
  readonly proxy: CrashProxy;
  readonly identity: string;
  readonly begunAnew: RegExp;
}

/** Operators that are ended with SIGKILL at each of their writes, one after the other. */
export class EndsAtWrites {
  readonly #cluster: Cluster;
  readonly #proxy: CrashProxy;
  readonly #identity: string;
  readonly #begunAnew: RegExp;
  /** Of what each begins anew: writes at which one was ended. */
  readonly #endedAt = new Set<string>();

  private constructor(cluster: Cluster, { proxy, identity, begunAnew }: Parts) {
    this.#cluster = cluster;
    this.#proxy = proxy;
    this.#identity = identity;
    this.#begunAnew = begunAnew;
  }

  /**
   * Before the API server of `cluster`. No other operator may run; all that run here are `identity`, so that none waits for the Lease of another.
   * `begunAnew`: paths of what every operator has to begin with again, at which therefore one is ended for each verb, and no more.
   */
  static async open(cluster: Cluster, identity: string, begunAnew = NEVER): Promise<EndsAtWrites> {
    const proxy = await startCrashProxy(cluster.url, Buffer.from(cluster.caData, 'base64').toString());
    return new EndsAtWrites(cluster, { proxy, identity, begunAnew });
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

  #isFatal({ verb, path }: SeenWrite): boolean {
    const key = `${verb} ${path}`;
    if (!this.#begunAnew.test(path)) return true;
    const isFirst = !this.#endedAt.has(key);
    this.#endedAt.add(key);
    return isFirst;
  }

  async #isEndedAtNext(ends: SeenWrite[], isOver: () => Promise<boolean>): Promise<boolean> {
    const end = async (write: SeenWrite): Promise<void> => {
      ends.push(write);
      await (await starting).kill();
    };
    this.#proxy.arm(end, (write) => this.#isFatal(write));
    const starting = this.#start();
    const operator = await starting;
    await eventually('it is ended, or all is over', async () => operator.hasEnded || (await isOver()));
    if (operator.hasEnded) return true;
    await operator.stop();
    return false;
  }
}

// SPDX-License-Identifier: Apache-2.0
import type { AttachedCluster } from '#hack/cluster/attached-cluster';

/** One request, and what became of it. */
export interface Sent {
  readonly status: number;
  readonly text: string;
  readonly tookMs: number;
  /** When it was answered, by `performance.now()`. */
  readonly at: number;
}

/** Sends the same request over and over, some at a time, until it is stopped. Whatever is answered is kept. */
export class SteadyLoad {
  readonly sent: Sent[] = [];
  readonly #loops: readonly Promise<void>[];
  #isStopped = false;

  constructor(
    cluster: AttachedCluster,
    { path, object, width = 4 }: { readonly path: string; readonly object: object; readonly width?: number },
  ) {
    const body = object as Parameters<typeof cluster.admin.send>[2];
    const loop = async (): Promise<void> => {
      while (!this.#isStopped) {
        const startedAt = performance.now();
        const { status, text } = await cluster.admin
          .send('POST', path, body)
          .catch((error: unknown) => ({ status: 0, text: String(error) }));
        const at = performance.now();
        this.sent.push({ status, text, tookMs: at - startedAt, at });
      }
    };
    this.#loops = Array.from({ length: width }, loop);
  }

  /** What was not created, from a moment on. */
  failures(since = 0): readonly Sent[] {
    return this.sent.filter(({ status, at }) => status !== 201 && at >= since);
  }

  /** Ends it, and waits for what is under way. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#loops);
  }
}

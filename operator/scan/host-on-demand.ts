// SPDX-License-Identifier: Apache-2.0
import { type HostOptions, PolicyHost } from '../policy/host.ts';
import type { Evaluate } from '../policy/packs/ask.ts';

/** Scans come minutes apart: what they were made with is given back. */
const IDLE_MS = 30_000;

/** A host whose workers are there only while they are asked: without packs, and between two scans, they cost nothing. */
export class HostOnDemand {
  readonly #options: HostOptions;
  readonly #idleMs: number;
  #host: PolicyHost | undefined;
  #asked = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: HostOptions, idleMs = IDLE_MS) {
    this.#options = options;
    this.#idleMs = idleMs;
  }

  /** Whether there are workers at the moment. */
  get isRunning(): boolean {
    return this.#host !== undefined;
  }

  /** Evaluates; never rejects. */
  readonly evaluate: Evaluate = async (evaluation) => {
    clearTimeout(this.#timer);
    this.#host ??= new PolicyHost(this.#options);
    this.#asked += 1;
    try {
      return await this.#host.evaluate(evaluation);
    } finally {
      this.#asked -= 1;
      if (this.#asked === 0) this.#rest();
    }
  };

  /** A module is not asked any more. */
  release(digest: string): void {
    this.#host?.release(digest);
  }

  /** A module is not asked with these data any more. */
  releaseData(digest: string, dataDigest: string): void {
    this.#host?.releaseData(digest, dataDigest);
  }

  /** Ends all workers. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    const host = this.#host;
    this.#host = undefined;
    await host?.close();
  }

  #rest(): void {
    this.#timer = setTimeout(() => void this.close(), this.#idleMs);
    this.#timer.unref();
  }
}

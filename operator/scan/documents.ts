// SPDX-License-Identifier: Apache-2.0
import type { LoadedRevision } from '../policy/packs/load.ts';

/** Documents that revisions are asked with, of each the one read last: what is replaced is given back once nobody is being asked with it. */
export class Documents {
  readonly #release: (digest: string, dataDigest: string) => void;
  readonly #seen = new Map<string, LoadedRevision>();
  /** How many are being asked with a document. */
  readonly #asking = new Map<string, number>();

  constructor(release: (digest: string, dataDigest: string) => void) {
    this.#release = release;
  }

  get(key: string): LoadedRevision | undefined {
    return this.#seen.get(key);
  }

  /** Takes the document of a revision, or that there is none any more. */
  put(key: string, loaded: LoadedRevision | undefined): void {
    const before = this.#seen.get(key);
    if (loaded === undefined) this.#seen.delete(key);
    else this.#seen.set(key, loaded);
    if (before !== undefined) this.#giveBack(before);
  }

  /** Asks; what is asked with stays for as long. */
  async during<T>(loaded: LoadedRevision | undefined, ask: () => Promise<T>): Promise<T> {
    if (loaded?.data === undefined) return ask();
    const id = idOf(loaded);
    this.#asking.set(id, (this.#asking.get(id) ?? 0) + 1);
    try {
      return await ask();
    } finally {
      const left = (this.#asking.get(id) ?? 1) - 1;
      if (left > 0) this.#asking.set(id, left);
      else {
        this.#asking.delete(id);
        this.#giveBack(loaded);
      }
    }
  }

  #giveBack(loaded: LoadedRevision): void {
    const id = idOf(loaded);
    const isKept = this.#asking.has(id) || [...this.#seen.values()].some((one) => idOf(one) === id);
    if (!isKept && loaded.data !== undefined) this.#release(loaded.module.digest, loaded.data.digest);
  }
}

function idOf({ module, data }: LoadedRevision): string {
  return `${module.digest} ${data?.digest ?? ''}`;
}

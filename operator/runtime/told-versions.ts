// SPDX-License-Identifier: Apache-2.0

/** What was told then, or earlier. */
interface Step {
  readonly atMs: number;
  readonly version: bigint;
}

/** So far apart are times that are told from each other, and so many are kept: enough for the slowest write that is worth a proof. */
const STEP_MS = 10;
const MAX_STEPS = 256;

/** Which versions a watch had told of when. What is written after that has a higher one. */
export class ToldVersions {
  #steps: Step[] = [];

  /** The watch began anew, with everything up to this version. */
  begin(version: bigint, atMs: number): void {
    this.#steps = [{ version, atMs }];
  }

  /** It has told everything up to this version by now. Times have to come in their order. */
  note(version: bigint, atMs: number): void {
    const last = this.#steps.at(-1);
    if (last !== undefined && atMs - last.atMs < STEP_MS) return;
    this.#steps.push({ version, atMs });
    if (this.#steps.length > MAX_STEPS) this.#steps.shift();
  }

  /** A version that it had told of when something was sent then; undefined where that is further back than is remembered. */
  knownWhenSent(sentAtMs: number): bigint | undefined {
    const [first] = this.#steps;
    const before = this.#steps.findLast(({ atMs }) => atMs < sentAtMs);
    return before?.version ?? (first?.atMs === sentAtMs ? first.version : undefined);
  }
}

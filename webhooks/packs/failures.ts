// SPDX-License-Identifier: Apache-2.0
import type { PackResult } from '#operator/core/policy/compose';

/** How often evaluations of a revision have failed, by why. */
export interface FailureCount {
  readonly revision: string;
  readonly reason: string;
  readonly count: number;
}

/** Different failures that are counted; of more than these nothing is told. */
const MAX_COUNTED = 256;

/** Counts failed evaluations since the process began. */
export class Failures {
  readonly #counts = new Map<string, FailureCount>();
  readonly #onChange: () => void;

  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  /** Takes note of what an evaluation came to. */
  note(revision: string, result: PackResult): void {
    if (result.kind !== 'failed') return;
    const { reason } = result;
    const key = `${revision} ${reason}`;
    const count = (this.#counts.get(key)?.count ?? 0) + 1;
    if (count === 1 && this.#counts.size >= MAX_COUNTED) return;
    this.#counts.set(key, { revision, reason, count });
    this.#onChange();
  }

  /** What was counted, of revisions that are still there. */
  counts(): readonly FailureCount[] {
    return [...this.#counts.values()];
  }

  /** Forgets revisions that are not loaded any more. */
  keep(revisions: ReadonlySet<string>): void {
    for (const [key, { revision }] of this.#counts) if (!revisions.has(revision)) this.#counts.delete(key);
  }
}

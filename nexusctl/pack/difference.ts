// SPDX-License-Identifier: Apache-2.0
import type { Review } from '#operator/core/policy/review';
import type { PackVerdict } from './verdict.ts';

/** An object that two packs judge differently. */
export interface Example {
  readonly newly: 'Denied' | 'Allowed';
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly message: string;
}

/** Numbers of one kind, or one namespace. */
export interface Counted {
  readonly name: string;
  readonly newlyDenied: number;
  readonly newlyAllowed: number;
}

/** What changing from one pack to the other would do to what there is. */
export interface Difference {
  readonly judged: number;
  readonly bothDenied: number;
  readonly bothAllowed: number;
  readonly newlyDenied: number;
  readonly newlyAllowed: number;
  readonly byKind: readonly Counted[];
  readonly byNamespace: readonly Counted[];
  readonly examples: readonly Example[];
}

/** Examples that are kept, as in the report of a PolicyPack. */
export const MAX_EXAMPLES = 20;

type Cell = 'bothDenied' | 'bothAllowed' | 'newlyDenied' | 'newlyAllowed';

/** Counts pairs of verdicts, one object after the other. */
export class DifferenceCounter {
  readonly #cells: Record<Cell, number> = { bothDenied: 0, bothAllowed: 0, newlyDenied: 0, newlyAllowed: 0 };
  readonly #byKind = new Map<string, Record<'newlyDenied' | 'newlyAllowed', number>>();
  readonly #byNamespace = new Map<string, Record<'newlyDenied' | 'newlyAllowed', number>>();
  readonly #examples: Example[] = [];

  /** `before` is undefined where there was no pack. */
  add(review: Review, before: PackVerdict | undefined, after: PackVerdict): void {
    const wasDenied = before?.verdict === 'Denied';
    const isDenied = after.verdict === 'Denied';
    const cell = cellOf(wasDenied, isDenied);
    this.#cells[cell] += 1;
    if (cell === 'bothDenied' || cell === 'bothAllowed') return;
    count(this.#byKind, review.kind.kind, cell);
    count(this.#byNamespace, review.namespace, cell);
    if (this.#examples.length === MAX_EXAMPLES) return;
    const [message = ''] = (isDenied ? after : before)?.texts ?? [];
    const { kind, namespace, name } = review;
    this.#examples.push({
      newly: isDenied ? 'Denied' : 'Allowed',
      kind: kind.kind,
      namespace,
      name,
      message,
    });
  }

  /** What has been counted so far. */
  result(): Difference {
    const judged = Object.values(this.#cells).reduce((sum, one) => sum + one, 0);
    return {
      judged,
      ...this.#cells,
      byKind: sorted(this.#byKind),
      byNamespace: sorted(this.#byNamespace),
      examples: this.#examples,
    };
  }
}

function cellOf(wasDenied: boolean, isDenied: boolean): Cell {
  if (wasDenied) return isDenied ? 'bothDenied' : 'newlyAllowed';
  return isDenied ? 'newlyDenied' : 'bothAllowed';
}

type Counts = Map<string, Record<'newlyDenied' | 'newlyAllowed', number>>;

function count(counts: Counts, name: string, cell: 'newlyDenied' | 'newlyAllowed'): void {
  const found = counts.get(name) ?? { newlyDenied: 0, newlyAllowed: 0 };
  counts.set(name, { ...found, [cell]: found[cell] + 1 });
}

function sorted(counts: Counts): readonly Counted[] {
  return [...counts]
    .map(([name, found]) => ({ name, ...found }))
    .toSorted(
      (a, b) =>
        b.newlyDenied - a.newlyDenied || b.newlyAllowed - a.newlyAllowed || (a.name < b.name ? -1 : 1),
    );
}

// SPDX-License-Identifier: Apache-2.0
import { type NextTurn, spreadOverTurns } from './spread-over-turns.ts';

interface Entry {
  readonly key: string;
  readonly dueAt: number;
}

/** Longest delay of a timer of Node. */
const MAX_TIMER_MS = 2 ** 31 - 1;
/** Entries that were replaced stay in the heap until they are due, or until they are this much of it. */
const MAX_STALE_RATIO = 2;

/**
 * Keys that are due later: one heap and one timer, however many there are. Each key is due once, at the
 * earliest time asked for.
 */
export class DelayQueue {
  readonly #onDue: (key: string) => void;
  readonly #now: () => number;
  readonly #nextTurn: NextTurn;
  /** What is due is being told: the rest of it in the turns of the loop that follow. */
  #isTelling = false;
  /** The entry that counts for a key; others of the heap are stale. */
  readonly #current = new Map<string, Entry>();
  #heap: Entry[] = [];
  #timer: NodeJS.Timeout | undefined;
  #timerDueAt = Number.POSITIVE_INFINITY;

  /**
   * `now` is a clock in milliseconds that never goes back; `nextTurn` has something done in the next turn of the loop. Default: those of the
   * process. A timer without delay is not always the next turn: Node looks what is due by then before it ends this one.
   */
  constructor(
    onDue: (key: string) => void,
    now: () => number = () => performance.now(),
    nextTurn: NextTurn = setImmediate,
  ) {
    this.#onDue = onDue;
    this.#now = now;
    this.#nextTurn = nextTurn;
  }

  get size(): number {
    return this.#current.size;
  }

  /** Has `key` due in `delayMs`, unless it is due sooner already. */
  add(key: string, delayMs: number): void {
    const dueAt = this.#now() + Math.max(delayMs, 0);
    const before = this.#current.get(key);
    if (before !== undefined && before.dueAt <= dueAt) return;
    const entry = { key, dueAt };
    this.#current.set(key, entry);
    pushHeap(this.#heap, entry);
    this.#dropStale();
    this.#arm();
  }

  /** `key` is not due any more. */
  cancel(key: string): void {
    this.#current.delete(key);
  }

  /** Tells keys that are due, the earliest first; those that are too many for one turn of the loop in the next ones. Called by the timer. */
  fire(): void {
    if (this.#isTelling) return;
    this.#isTelling = true;
    spreadOverTurns(this.#takeDue(), this.#onDue, {
      nextTurn: this.#nextTurn,
      onEnd: () => {
        this.#isTelling = false;
        this.#arm();
      },
    });
  }

  /** Forgets everything. */
  clear(): void {
    this.#heap = [];
    this.#current.clear();
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#timerDueAt = Number.POSITIVE_INFINITY;
  }

  /** Keys that are due by the time they are asked for, the earliest first, until there is none. */
  *#takeDue(): Generator<string, void> {
    for (let first = this.#firstDue(); first !== undefined; first = this.#firstDue()) {
      popHeap(this.#heap);
      if (this.#current.get(first.key) !== first) continue;
      this.#current.delete(first.key);
      yield first.key;
    }
  }

  #firstDue(): Entry | undefined {
    const [first] = this.#heap;
    return first !== undefined && first.dueAt <= this.#now() ? first : undefined;
  }

  #arm(): void {
    const [first] = this.#heap;
    if (first === undefined || (this.#timer !== undefined && this.#timerDueAt <= first.dueAt)) return;
    clearTimeout(this.#timer);
    this.#timerDueAt = first.dueAt;
    // Rounded up: a timer that fires a fraction early would spin until the time is there.
    const delayMs = Math.min(Math.max(Math.ceil(first.dueAt - this.#now()), 0), MAX_TIMER_MS);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#timerDueAt = Number.POSITIVE_INFINITY;
      this.fire();
    }, delayMs);
  }

  #dropStale(): void {
    if (this.#heap.length < 64 || this.#heap.length < this.#current.size * MAX_STALE_RATIO) return;
    this.#heap = [];
    for (const entry of this.#current.values()) pushHeap(this.#heap, entry);
  }
}

function pushHeap(heap: Entry[], entry: Entry): void {
  let at = heap.length;
  heap.push(entry);
  while (at > 0) {
    const parent = (at - 1) >> 1;
    const above = heap[parent];
    if (above === undefined || above.dueAt <= entry.dueAt) break;
    heap[at] = above;
    at = parent;
  }
  heap[at] = entry;
}

function popHeap(heap: Entry[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let at = 0;
  for (;;) {
    const child = smallerChild(heap, at);
    const below = heap[child];
    if (below === undefined || below.dueAt >= last.dueAt) break;
    heap[at] = below;
    at = child;
  }
  heap[at] = last;
}

function smallerChild(heap: readonly Entry[], at: number): number {
  const left = 2 * at + 1;
  const a = heap[left];
  const b = heap[left + 1];
  return a !== undefined && b !== undefined && b.dueAt < a.dueAt ? left + 1 : left;
}

// SPDX-License-Identifier: Apache-2.0

interface Entry {
  readonly key: string;
  readonly dueAt: number;
}

/** Longest delay of a timer of Node. */
const MAX_TIMER_MS = 2 ** 31 - 1;
/** Entries that were replaced stay in the heap until they are due, or until they are this much of it. */
const MAX_STALE_RATIO = 2;
/** Keys that are told in one turn of the loop: thousands may be due at one moment, since one change has asked for all of them. */
export const TOLD_IN_A_TURN = 64;

/**
 * Keys that are due later: one heap and one timer, however many there are. Each key is due once, at the
 * earliest time asked for.
 */
export class DelayQueue {
  readonly #onDue: (key: string) => void;
  readonly #now: () => number;
  readonly #nextTurn: (what: () => void) => void;
  /** The rest of what is due is told in the next turn of the loop. */
  #goesOn = false;
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
    nextTurn: (what: () => void) => void = setImmediate,
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
    const now = this.#now();
    let told = 0;
    for (let first = this.#heap[0]; first !== undefined && first.dueAt <= now; first = this.#heap[0]) {
      if (told === TOLD_IN_A_TURN) return this.#goOn();
      popHeap(this.#heap);
      if (this.#current.get(first.key) !== first) continue;
      this.#current.delete(first.key);
      told += 1;
      this.#onDue(first.key);
    }
    this.#arm();
  }

  /** Forgets everything. */
  clear(): void {
    this.#heap = [];
    this.#current.clear();
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#timerDueAt = Number.POSITIVE_INFINITY;
  }

  #goOn(): void {
    if (this.#goesOn) return;
    this.#goesOn = true;
    this.#nextTurn(() => {
      this.#goesOn = false;
      this.fire();
    });
  }

  #arm(): void {
    const [first] = this.#heap;
    if (first === undefined || this.#goesOn || (this.#timer !== undefined && this.#timerDueAt <= first.dueAt))
      return;
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

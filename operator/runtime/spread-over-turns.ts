// SPDX-License-Identifier: Apache-2.0

/** Has something done in the next turn of the event loop. */
export type NextTurn = (what: () => void) => void;

/** How work is spread. */
export interface Spread {
  /** How much is done in one turn. Default: `IN_A_TURN`, which is for things of some hundredths of a millisecond. */
  readonly most?: number;
  /** Default: that of the process. */
  readonly nextTurn?: NextTurn;
  /** Told when there is nothing left. */
  readonly onEnd?: () => void;
}

/** Small things that are done in one turn of the event loop: together they take a millisecond or two, and there may be thousands. */
export const IN_A_TURN = 64;

/**
 * Does something with each of `items`: so many at once, and the rest in the turns that follow, so that whatever else waits for the event loop has its
 * turn in between. Items are asked for one by one when it is their turn, so they may come and go until then.
 */
export function spreadOverTurns<Item>(
  items: Iterable<Item>,
  does: (item: Item) => void,
  { most = IN_A_TURN, nextTurn = setImmediate, onEnd }: Spread = {},
): void {
  const left = items[Symbol.iterator]();
  const some = (): void => {
    for (let done = 0; done < most; done += 1) {
      const next = left.next();
      if (next.done === true) return onEnd?.();
      does(next.value);
    }
    nextTurn(some);
  };
  some();
}

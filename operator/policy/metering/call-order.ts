// SPDX-License-Identifier: Apache-2.0

/** In which order functions can be looked at so that what one calls has been looked at before it. */
export interface CallOrder {
  /** All functions, the called before who calls them, but for calls of what `again` has. */
  readonly order: readonly number[];
  /** Functions by which calls come round: without them, none leads back to where it began. */
  readonly again: ReadonlySet<number>;
}

/** Finds that order for functions by their place, each with those that it calls. */
export function callOrder(callees: readonly (readonly number[])[]): CallOrder {
  const order: number[] = [];
  const again = new Set<number>();
  const state = callees.map((): 'new' | 'open' | 'done' => 'new');
  /** Not by recursion: how deep calls are is up to whoever made the module. */
  const open: { readonly index: number; next: number }[] = [];
  const enter = (index: number): void => {
    state[index] = 'open';
    open.push({ index, next: 0 });
  };
  for (const root of callees.keys()) {
    if (state[root] === 'new') enter(root);
    for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
      const called = callees[top.index]?.[top.next];
      top.next += 1;
      if (called === undefined) {
        state[top.index] = 'done';
        order.push(top.index);
        open.pop();
      } else if (state[called] === 'open') again.add(called);
      else if (state[called] === 'new') enter(called);
    }
  }
  return { order, again };
}

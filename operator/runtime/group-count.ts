// SPDX-License-Identifier: Apache-2.0

/** How many of each fairness group are at the same thing at this moment. */
export class GroupCount {
  readonly #counts = new Map<string, number>();

  /** One more of `group`, until `leave`. */
  enter(group: string): void {
    this.#counts.set(group, this.of(group) + 1);
  }

  /** One of `group` less, that had entered. */
  leave(group: string): void {
    const before = this.#counts.get(group) ?? 0;
    if (before > 1) this.#counts.set(group, before - 1);
    else this.#counts.delete(group);
  }

  /** How many groups have somebody at it. */
  get groups(): number {
    return this.#counts.size;
  }

  /** How many of `group` have entered, and not left. */
  of(group: string): number {
    return this.#counts.get(group) ?? 0;
  }
}

// SPDX-License-Identifier: Apache-2.0
import { setImmediate } from 'node:timers/promises';

/** A clock that is set by hand, with what is to be done when. */
export class HandClock {
  ms = 0;
  #alarms: { readonly atMs: number; readonly does: () => void }[] = [];

  /** When the next thing is to be done; Infinity: never. */
  get nextMs(): number {
    return Math.min(...this.#alarms.map(({ atMs }) => atMs));
  }

  readonly now = (): number => this.ms;

  readonly after = (ms: number, does: () => void): (() => void) => {
    const alarm = { atMs: this.ms + ms, does };
    this.#alarms.push(alarm);
    return () => void (this.#alarms = this.#alarms.filter((one) => one !== alarm));
  };

  /** Sets it, and does what was to be done until then. */
  async goTo(ms: number): Promise<void> {
    this.ms = ms;
    const due = this.#alarms.filter(({ atMs }) => atMs <= ms);
    this.#alarms = this.#alarms.filter((one) => !due.includes(one));
    for (const { does } of due) does();
    // Who is answered looks before anything else happens.
    await setImmediate();
  }
}

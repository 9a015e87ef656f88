// SPDX-License-Identifier: Apache-2.0

/** Nobody ever changes it, nor wakes who waits for that. */
const CELL = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
/** What is over before the system has looked at it is no wait. */
const LEAST_MS = 0.02;

/**
 * Gives the processor of the calling thread to whoever waits for one. JavaScript has no yield; but the system looks for another thread
 * when one waits, however short. Comes back after some tens of microseconds where nobody else has work.
 */
export function rest(): void {
  Atomics.wait(CELL, 0, 0, LEAST_MS);
}

// SPDX-License-Identifier: Apache-2.0
import { appendFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';
import { watchLoop } from './own-stalls.ts';
import { LEAST_MS, lineOf, STALLS_VARIABLE, WRITE_MS } from './process-stalls.ts';

/**
 * Loaded into a process before its program (`--import`): writes into the file that NEXUSOS_BENCH_STALLS names when the loop of its main thread was held
 * up, and for how long. What a process tells of that by its metrics does not say whose doing it was.
 */
const path = process.env[STALLS_VARIABLE] ?? '';

if (path !== '' && isMainThread) {
  // It is there as soon as the process is, so that one without stalls is told from one that does not tell.
  let lines = '';
  appendFileSync(path, lines);
  watchLoop((stall) => {
    if (stall.clock >= LEAST_MS) lines += lineOf(Date.now(), stall);
  });
  setInterval(() => {
    if (lines !== '') appendFileSync(path, lines);
    lines = '';
  }, WRITE_MS).unref();
}

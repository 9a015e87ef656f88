// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';

/**
 * Loaded into a process before its program (`--import`): shifts its clock by the milliseconds in the file that NEXUSOS_TEST_CLOCK names,
 * whenever somebody writes others there.
 */
const path = process.env['NEXUSOS_TEST_CLOCK'] ?? '';
const Machine = globalThis.Date;
let shiftMs = 0;

function readShift(): void {
  shiftMs = Number(readFileSync(path, 'utf8'));
}

const Shifted = new Proxy(Machine, {
  construct: (target, args: readonly unknown[], newTarget) =>
    Reflect.construct(target, args.length === 0 ? [Machine.now() + shiftMs] : [...args], newTarget) as Date,
  get: (target, name, receiver): unknown =>
    name === 'now' ? () => Machine.now() + shiftMs : Reflect.get(target, name, receiver),
});

if (path !== '') {
  readShift();
  setInterval(readShift, 50).unref();
  globalThis.Date = Shifted;
}

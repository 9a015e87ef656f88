// SPDX-License-Identifier: Apache-2.0
import type { Builtin, Builtins } from './builtin.ts';
import { SPRINTF_BUILTINS } from './sprintf.ts';
import { TIME_BUILTINS } from './time.ts';

const BUILTINS: Builtins = {
  ...SPRINTF_BUILTINS,
  ...TIME_BUILTINS,
};

/** The builtins that modules are given by their host, sorted. Those in the module itself are not among them. */
export const HOST_BUILTINS: readonly string[] = Object.keys(BUILTINS).toSorted();

/** Whether a module may call this. */
export function isKnownBuiltin(name: string): boolean {
  return Object.hasOwn(BUILTINS, name);
}

/** What is called under this name. */
export function findBuiltin(name: string): Builtin | undefined {
  return isKnownBuiltin(name) ? BUILTINS[name] : undefined;
}

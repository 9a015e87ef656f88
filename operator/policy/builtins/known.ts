// SPDX-License-Identifier: Apache-2.0
import type { Builtin, Builtins } from './builtin.ts';
import { ENCODING_BUILTINS } from './encoding.ts';
import { HASH_BUILTINS } from './hashes.ts';
import { MISC_BUILTINS } from './misc.ts';
import { NETWORK_BUILTINS } from './networks.ts';
import { OBJECT_BUILTINS } from './objects.ts';
import { PATCH_BUILTINS } from './patch.ts';
import { REGEX_BUILTINS } from './regex.ts';
import { SPRINTF_BUILTINS } from './sprintf.ts';
import { STRING_BUILTINS } from './strings.ts';
import { TIME_BUILTINS } from './time.ts';
import { UNIT_BUILTINS } from './units.ts';
import { VERSION_BUILTINS } from './versions.ts';
import { YAML_BUILTINS } from './yaml.ts';

/** The builtins that modules are given by their host, by name. Those in the module itself are not among them. */
export const BUILTINS: Builtins = {
  ...ENCODING_BUILTINS,
  ...HASH_BUILTINS,
  ...MISC_BUILTINS,
  ...NETWORK_BUILTINS,
  ...OBJECT_BUILTINS,
  ...PATCH_BUILTINS,
  ...REGEX_BUILTINS,
  ...SPRINTF_BUILTINS,
  ...STRING_BUILTINS,
  ...TIME_BUILTINS,
  ...UNIT_BUILTINS,
  ...VERSION_BUILTINS,
  ...YAML_BUILTINS,
};

/** What is called under this name. */
export function findBuiltin(name: string): Builtin | undefined {
  return Object.hasOwn(BUILTINS, name) ? BUILTINS[name] : undefined;
}

// SPDX-License-Identifier: Apache-2.0
import type { Command } from './cli/command.ts';
import { completionOf } from './completion/command.ts';
import { CONFORMANCE } from './conformance/command.ts';
import { IMPORT } from './images/import.ts';
import { VERIFY } from './images/verify.ts';
import { BUILD } from './pack/build.ts';
import { CAPABILITIES_COMMAND } from './pack/capabilities.ts';
import { CONVERT } from './pack/convert.ts';
import { DIFF } from './pack/diff.ts';
import { EXPLAIN } from './pack/explain.ts';
import { INIT } from './pack/init.ts';
import { PULL } from './pack/pull.ts';
import { PUSH } from './pack/push.ts';
import { TEST } from './pack/test.ts';
import { VERSION } from './version.ts';

/** Every command, in the order in which help lists them. */
export const COMMANDS: readonly Command[] = [
  INIT,
  TEST,
  BUILD,
  PUSH,
  PULL,
  DIFF,
  EXPLAIN,
  CONVERT,
  CONFORMANCE,
  CAPABILITIES_COMMAND,
  IMPORT,
  VERIFY,
  completionOf(() => COMMANDS),
  VERSION,
];

// SPDX-License-Identifier: Apache-2.0
import type { Command } from './cli/command.ts';
import { CONFORMANCE } from './conformance/command.ts';

/** Every command, in the order in which help lists them. */
export const COMMANDS: readonly Command[] = [CONFORMANCE];

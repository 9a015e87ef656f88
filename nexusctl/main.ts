#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
import { runCommandLine } from './cli/run.ts';
import { COMMANDS } from './commands.ts';

process.exitCode = await runCommandLine(process.argv.slice(2), {
  commands: COMMANDS,
  env: process.env,
  cwd: process.cwd(),
  print: (text) => process.stdout.write(`${text}\n`),
  complain: (text) => process.stderr.write(`${text}\n`),
});

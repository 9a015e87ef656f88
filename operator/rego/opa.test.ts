// SPDX-License-Identifier: Apache-2.0
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import test from 'ava';

/** Takes every file that it may have, and then starts a program; a second later it still lives. */
const SCRIPT = `
import { openSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { opaRunner } from '${new URL('./opa.ts', import.meta.url).href}';
try { for (;;) openSync('/dev/null'); } catch {}
const said = await opaRunner(process.execPath)(['-v'], { cwd: '/', timeoutMs: 100 }).catch(({ code }) => code);
await setTimeout(1000);
process.exitCode = said === 'EMFILE' ? 0 : 3;
`;

test('where not one more file may be opened, that is told, and this process goes on', async (t) => {
  const shell = 'ulimit -n 64; exec "$0" --input-type=module -e "$1"';
  // A group of its own: a signal to all of it must not reach the tests.
  const run = promisify(execFile)('setsid', ['--wait', 'sh', '-c', shell, process.execPath, SCRIPT]);
  await t.notThrowsAsync(run);
});

// SPDX-License-Identifier: Apache-2.0
import { join } from 'node:path';
import type { Check, Finding } from './verify/check.ts';
import { checksOf } from './verify/checks.ts';

const MAX_LINES = 60;

/** Runs one check; whatever it throws is its finding. */
async function runCheck(check: Check): Promise<Finding> {
  try {
    return await check.run();
  } catch (error) {
    return { problems: [error instanceof Error ? (error.stack ?? error.message) : String(error)] };
  }
}

function report(check: Check, finding: Finding, startedAt: number): void {
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  console.log(`${finding.problems.length === 0 ? '✔' : '✘'} ${check.name} (${seconds} s)`);
  for (const line of finding.report ?? []) console.log(`    ${line}`);
  for (const line of finding.problems.slice(0, MAX_LINES)) console.log(`    ${line}`);
  const rest = finding.problems.length - MAX_LINES;
  if (rest > 0) console.log(`    ... and ${rest} more`);
}

let failed = 0;
const checks = checksOf(join(import.meta.dirname, '..'));
for (const check of checks) {
  const startedAt = performance.now();
  const finding = await runCheck(check);
  report(check, finding, startedAt);
  if (finding.problems.length > 0) failed += 1;
}
console.log(`${checks.length - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

// SPDX-License-Identifier: Apache-2.0
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { cacheFolder } from '../tools/cache-folder.ts';
import { dieWithParent } from '../tools/die-with-parent.ts';
import { signalChild } from '../tools/signal-child.ts';
import { addFailure, emptyTally, readTapLine, type Tally } from './tap.ts';

/** Some test files that run under the same conditions. */
export interface Phase {
  readonly name: string;
  /** Relative to the repository. */
  readonly files: readonly string[];
  /** How many of them at a time: more than the processors of a small machine, as many a test waits for what takes its time. */
  readonly concurrency: number;
  /** Options for ava. */
  readonly options: readonly string[];
  /** Added to the environment of this process. */
  readonly env: Readonly<Record<string, string>>;
  /** Whether it is fine that no title fits. */
  readonly mayBeEmpty: boolean;
  /** Ends the tests when it is aborted. */
  readonly signal: AbortSignal;
}

const ROOT = join(import.meta.dirname, '../..');
const AVA = join(ROOT, 'node_modules/ava/entrypoints/cli.js');

/** Runs the tests of a phase with ava, shows them as they end, and counts them. */
export async function runPhase(phase: Phase): Promise<Tally> {
  const tally = emptyTally();
  // Who was told to end while a control plane was made ready begins no tests any more: that is told once.
  if (phase.files.length === 0 || phase.signal.aborted) return tally;
  console.log(`\n${phase.name}: ${phase.files.length} files`);
  const args = [AVA, '--tap', `--concurrency=${phase.concurrency}`, ...phase.options, ...phase.files];
  const command = dieWithParent({ program: process.execPath, args });
  const child = spawn(command.program, command.args, {
    cwd: ROOT,
    // A test process, and many a program that it starts, has little more to do than to be compiled.
    env: { NODE_COMPILE_CACHE: join(cacheFolder(), 'compiled'), ...process.env, ...phase.env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const abort = (): void => void signalChild(child, 'SIGTERM');
  phase.signal.addEventListener('abort', abort);
  const closed = once(child, 'close');
  let isWhole = false;
  for await (const line of createInterface({ input: child.stdout })) {
    isWhole ||= /^1\.\.\d+$/.test(line);
    const shown = readTapLine(line, tally);
    if (shown !== undefined) console.log(shown);
  }
  await closed;
  phase.signal.removeEventListener('abort', abort);
  countEnd(phase, tally, { exitCode: child.exitCode, isWhole });
  return tally;
}

interface End {
  readonly exitCode: number | null;
  /** Whether ava got as far as its plan, which TAP has at the end. */
  readonly isWhole: boolean;
}

/** What ava itself failed at counts too. */
function countEnd(phase: Phase, tally: Tally, end: End): void {
  const problem = endProblem(phase, tally, end);
  if (problem === undefined) return;
  console.log(`✘ ${phase.name}: ${problem}`);
  addFailure(tally, `${phase.name}: ${problem}`);
}

function endProblem(phase: Phase, tally: Tally, { exitCode, isWhole }: End): string | undefined {
  if (!isWhole) return `ava ended early, with ${exitCode ?? 'a signal'}`;
  const ran = tally.passed + tally.failed + tally.skipped;
  if (ran === 0) return phase.mayBeEmpty ? undefined : 'no test ran';
  const isExplained = exitCode === 0 || tally.failed > 0;
  return isExplained ? undefined : `every test passed, yet ava ended with ${exitCode ?? 'a signal'}`;
}

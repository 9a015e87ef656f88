// SPDX-License-Identifier: Apache-2.0
import { sweepRecords } from '../cluster/records.ts';
import { eventually } from '../tools/eventually.ts';
import { sweepTemporaryFolders } from '../tools/sweep-temporary.ts';
import { type RunningCommand, startCommand } from './command.ts';
import { makeSandbox, type Sandbox } from './sandbox.ts';

/**
 * Ends `npm start` and `npm test` at many moments in every way there is, and lists what each time is left. An argument
 * chooses those whose title contains it: `npm run ends -- Ctrl-C`.
 */

interface Command {
  readonly args: readonly string[];
  /** A moment is the line that has just been printed. */
  readonly moments: readonly RegExp[];
}

const COMMANDS: readonly Command[] = [
  {
    args: ['start'],
    moments: [/NexusOS:/, /\[2\/5\]/, /\[3\/5\]/, /\[4\/5\]/, /\[5\/5\]/, /Everything is up/],
  },
  {
    args: [
      'test',
      '--',
      'operator/runtime/client.test.ts',
      'hack/cluster/named-cluster.test.ts',
      'e2e/scenarios/tutorial.e2e.test.ts',
    ],
    // Beside the control plane of all tests, a cluster that outlives commands runs when the test of two `up` has passed.
    moments: [
      /Starting a control plane/,
      /Ready: Kubernetes/,
      /unit and real API/,
      /✔.*up, by two at once/,
      /end to end/,
    ],
  },
];

/** Ways to end a command by the pid of npm, which leads a process group. */
const ENDS: Readonly<Record<string, (pid: number, sandbox: Sandbox) => void>> = {
  'Ctrl-C': (pid) => process.kill(-pid, 'SIGINT'),
  'kill -9 of npm': (pid) => process.kill(pid, 'SIGKILL'),
  'kill -9 of all in the terminal': (pid) => process.kill(-pid, 'SIGKILL'),
  // Not even the supervisor of the control plane is left to clean up.
  'kill -9 of everything': (_, sandbox) => {
    for (const pid of sandbox.processes()) killIfThere(pid);
  },
};

/** The kernel may have ended it with its parent a moment ago. */
function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Gone.
  }
}

const REACH_MS = 300_000;
/** What is killed takes its children along within a second; in order, a control plane may take its time. */
const GONE_MS = 20_000;
const SWEPT_MS = 5_000;

interface Trial {
  readonly command: Command;
  readonly moment: RegExp;
  /** A key of `ENDS`. */
  readonly how: string;
}

interface Outcome {
  readonly seconds: number;
  /** After the end, and after the next start of a cluster has swept. */
  readonly left: readonly string[];
  readonly leftAfterSweep: readonly string[];
}

async function attempt(trial: Trial, sandbox: Sandbox): Promise<Outcome> {
  const command = startCommand('npm', trial.command.args, sandbox);
  try {
    await reach(trial.moment, command);
  } catch (error) {
    for (const pid of sandbox.processes()) killIfThere(pid);
    throw error;
  }
  const endedAt = performance.now();
  ENDS[trial.how]?.(command.pid, sandbox);
  await eventually('no process is left', () => sandbox.processes().length === 0, GONE_MS).catch(
    () => undefined,
  );
  const seconds = (performance.now() - endedAt) / 1000;
  const left = sandbox.leftovers();
  return { seconds, left, leftAfterSweep: await sweep(sandbox) };
}

/**
 * Sweeps as the next start of any cluster, and the next test, do first, and lists what stays. What is killed has no arguments any more a moment before
 * it has ended, and a sweep leaves alone what has an owner that has not: so there is more than one.
 */
async function sweep(sandbox: Sandbox): Promise<readonly string[]> {
  process.env['NEXUSOS_CLUSTER_RECORDS'] = sandbox.records;
  const isSwept = async (): Promise<boolean> => {
    await sweepRecords();
    await sweepTemporaryFolders(sandbox.env['TMPDIR']);
    return sandbox.leftovers().length === 0;
  };
  await eventually('nothing is left', isSwept, SWEPT_MS).catch(() => undefined);
  return sandbox.leftovers();
}

/** Waits for the line. @throws Error when it does not come, or the command ends before it. */
async function reach(moment: RegExp, { lines, hasEnded }: RunningCommand): Promise<void> {
  const isThere = (): boolean => lines.some((line) => moment.test(line));
  await eventually(`${moment.source} is printed`, () => hasEnded() || isThere(), REACH_MS);
  if (!isThere()) throw new Error(`it ended before ${moment.source}:\n${lines.join('\n')}`);
}

function kindsOf(left: readonly string[]): string {
  const kinds = Object.entries(Object.groupBy(left, (one) => one.replace(/ .*/, '')));
  return kinds.length === 0
    ? 'nothing'
    : kinds.map(([kind, some = []]) => `${some.length} ${kind}`).join(', ');
}

function titleOf({ command, moment, how }: Trial): string {
  return `npm ${command.args[0]}, at ${moment.source}, ${how}`;
}

/** Tries one end and tells of it. Returns whether it left nothing that the next start does not sweep, and no process at all. */
async function isClean(trial: Trial): Promise<boolean> {
  const sandbox = makeSandbox();
  const { seconds, left, leftAfterSweep } = await attempt(trial, sandbox);
  const ok = leftAfterSweep.length === 0 && !left.some((one) => one.startsWith('process'));
  const then = `no process after ${seconds.toFixed(1)} s, then ${kindsOf(left)}; after a sweep ${kindsOf(leftAfterSweep)}`;
  console.log(`${ok ? '✔' : '✘'} ${titleOf(trial)}: ${then}`);
  if (ok) sandbox.remove();
  else for (const one of new Set([...left, ...leftAfterSweep])) console.log(`    ${one}`);
  return ok;
}

const [pattern = ''] = process.argv.slice(2);
const trials = COMMANDS.flatMap((command) =>
  command.moments.flatMap((moment) => Object.keys(ENDS).map((how): Trial => ({ command, moment, how }))),
).filter((trial) => titleOf(trial).includes(pattern));
let dirty = 0;
for (const trial of trials) {
  if (!(await isClean(trial))) dirty += 1;
}
console.log(`\n${trials.length} ends, ${dirty} left something`);
process.exitCode = dirty === 0 ? 0 : 1;

// SPDX-License-Identifier: Apache-2.0
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import type { ClusterRecord } from '../cluster/supervisor-protocol.ts';
import { type RunningCommand, startCommand } from '../ends/command.ts';
import { makeSandbox, type Sandbox } from '../ends/sandbox.ts';
import { operatorProgramVariable } from '../system/operator-process.ts';
import { eventually } from '../tools/eventually.ts';

// As people run it: with the operator of the sources.
delete process.env[operatorProgramVariable];
const MAIN = 'hack/start/main.ts';
/** What is warm takes a minute at most, alone on two cores; the rest is for a machine that others keep busy. */
const IS_WARM_MS = 300_000;

/** `npm start` of its own; whatever it left would stay for `leftovers` to find. */
function start(...args: readonly string[]): { readonly sandbox: Sandbox; readonly command: RunningCommand } {
  const sandbox = makeSandbox();
  return { sandbox, command: startCommand(process.execPath, [MAIN, ...args], sandbox) };
}

function textOf({ lines }: RunningCommand): string {
  return lines.join('\n');
}

test.serial('--once ends with 0, a summary, and nothing left', async (t) => {
  t.timeout(IS_WARM_MS);
  const { sandbox, command } = start('--once');
  t.is(await command.ended, 0, textOf(command));
  await eventually('its last words are read', () => /Took .* in all\./.test(textOf(command)));
  t.regex(textOf(command), /tenants Ready.*\b(\d+) of \1\b/);
  t.regex(textOf(command), /runs Succeeded.*\b(\d+) of \1\b/);
  await eventually('everything has ended', () => sandbox.leftovers().length === 0);
  sandbox.remove();
});

test.serial(
  '--once ends with 1 and names the step when something is broken, and nothing is left',
  async (t) => {
    t.timeout(IS_WARM_MS);
    const { sandbox, command } = start('--once');
    await eventually('it installs the chart', () => /\[3\/6\] chart/.test(textOf(command)));
    process.kill(pidOf(sandbox, 'kube-apiserver'), 'SIGKILL');
    t.is(await command.ended, 1, textOf(command));
    const isNamed = () => /npm start: step 3 of 6, chart, failed/.test(textOf(command));
    await eventually('the step is named', isNamed);
    await eventually('everything has ended', () => sandbox.leftovers().length === 0);
    sandbox.remove();
  },
);

test.serial('an operator that is killed is started again, and the control plane stays', async (t) => {
  t.timeout(IS_WARM_MS);
  const { sandbox, command } = start();
  await eventually('everything is up', () => /Everything is up/.test(textOf(command)));
  const apiServer = pidOf(sandbox, 'kube-apiserver');
  const killed = operatorIn(sandbox);
  process.kill(killed!, 'SIGKILL');
  const isTold = () => /operator: runs again: it ended with SIGKILL \(restart 1\)/.test(textOf(command));
  await eventually('it runs again', isTold);
  t.not(operatorIn(sandbox) ?? killed, killed);
  t.is(pidOf(sandbox, 'kube-apiserver'), apiServer);
  process.kill(command.pid, 'SIGINT');
  t.is(await command.ended, 130, textOf(command));
  await eventually('everything has ended', () => sandbox.leftovers().length === 0);
  sandbox.remove();
});

function operatorIn(sandbox: Sandbox): number | undefined {
  return sandbox.processes().find((pid) => argumentsOf(pid).includes('operator/main.ts'));
}

/** Empty for a process that has ended since it was found. */
function argumentsOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

/** The component of the one cluster that runs in the sandbox. */
function pidOf({ records }: Sandbox, component: keyof ClusterRecord['components']): number {
  // Beside it lies, for moments, its next version.
  const [record = ''] = readdirSync(records).filter((name) => name.endsWith('.json'));
  const { components } = JSON.parse(readFileSync(join(records, record), 'utf8')) as ClusterRecord;
  return components[component]!.pid;
}

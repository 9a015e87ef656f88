// SPDX-License-Identifier: Apache-2.0
import { bringUp, type System } from './bring-up.ts';
import { follow } from './follow.ts';
import { LIKE_A_DEPLOYMENT, NEVER } from './kept-operator.ts';
import { isSettled } from './outcome.ts';
import { Terminal } from './terminal.ts';
import { checkAll, renderVerdicts } from './verdicts.ts';

const USAGE = `npm start            control plane, chart, operator and samples; stays until Ctrl-C
npm start -- --once  the same, checks the outcome, prints a summary and ends with 0 or 1`;
const SETTLE_MS = 300_000;

function tellHowToPlay(terminal: Terminal, { cluster }: System): void {
  const kubectl = `KUBECONFIG=${cluster.kubeconfigPath} ${cluster.description.kubectlPath}`;
  terminal.line(`\nEverything is up after ${terminal.elapsed()}. From another terminal, as administrator:\n`);
  terminal.line(`  export KUBECONFIG=${cluster.kubeconfigPath}`);
  terminal.line(`  alias kubectl=${kubectl.slice(kubectl.indexOf(' ') + 1)}\n`);
  terminal.line('  kubectl get tenants,agents,runs -A');
  terminal.line('  kubectl describe tenants');
  terminal.line('  kubectl get events -A --sort-by=.lastTimestamp\n');
}

/** Follows the samples to their end, checks what they promise, and says so. Returns the exit code. */
async function checkOnce(terminal: Terminal, system: System): Promise<number> {
  const snapshot = await follow(terminal, system, { until: isSettled, timeoutMs: SETTLE_MS });
  const verdicts = await checkAll(system, snapshot);
  terminal.line('');
  for (const line of renderVerdicts(verdicts)) terminal.line(line);
  terminal.line(`Took ${terminal.elapsed()} in all.`);
  return verdicts.every((one) => one.ok) ? 0 : 1;
}

/** Brings everything up, and stays with it until it is to end. Returns the exit code. */
async function play(terminal: Terminal, resources: AsyncDisposableStack, isOnce: boolean): Promise<number> {
  const restarts = isOnce ? NEVER : LIKE_A_DEPLOYMENT;
  const system = await bringUp({ terminal, resources, restarts });
  tellHowToPlay(terminal, system);
  if (isOnce) return checkOnce(terminal, system);
  await follow(terminal, system, { until: () => false });
  return 0;
}

/** An error with what caused it, for people: no stack. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}:\n${explain(error.cause)}`;
}

/** Whatever was started ends at the first signal, in order; at the second one, at once. */
function endOnSignal(terminal: Terminal, resources: AsyncDisposableStack): void {
  let isEnding = false;
  const end = (code: number): void => {
    if (isEnding) process.exit(code);
    isEnding = true;
    terminal.line('\nEnding operator and control plane; once more to end at once.');
    void resources.disposeAsync().finally(() => process.exit(code));
  };
  process.on('SIGINT', () => end(130));
  process.on('SIGTERM', () => end(143));
  process.on('SIGHUP', () => end(129));
}

async function main(args: readonly string[]): Promise<number> {
  const unknown = args.filter((arg) => arg !== '--once');
  if (unknown.length > 0) {
    console.log(USAGE);
    return unknown.every((arg) => arg === '--help' || arg === '-h') ? 0 : 2;
  }
  const terminal = new Terminal();
  const resources = new AsyncDisposableStack();
  endOnSignal(terminal, resources);
  terminal.line(
    'NexusOS: a control plane for AI agents, on a real Kubernetes control plane on this machine.',
  );
  terminal.line(
    'Nodes and GPUs are simulated; everything else is real. Nothing outside of this machine is touched.\n',
  );
  try {
    return await play(terminal, resources, args.includes('--once'));
  } catch (error) {
    if (resources.disposed) return 130;
    terminal.line(`\nnpm start: ${explain(error)}`);
    return 1;
  } finally {
    await resources.disposeAsync();
  }
}

process.exitCode = await main(process.argv.slice(2));

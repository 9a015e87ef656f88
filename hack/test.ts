// SPDX-License-Identifier: Apache-2.0
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { bundleRoles } from './build/bundle.ts';
import { type Cluster, startCluster } from './cluster/cluster.ts';
import { descriptionPath, sharedClusterVariable } from './cluster/description.ts';
import { sharedOperatorVariable } from './system/attach.ts';
import { installChart } from './system/chart.ts';
import { operatorProgramVariable, startOperator } from './system/operator-process.ts';
import { SHARED_SETTINGS } from './system/shared-settings.ts';
import { readArguments, selectFiles, type TestSelection } from './test/arguments.ts';
import { type Phase, runPhase } from './test/phase.ts';
import { ensureTools } from './tools/build.ts';
import { PROGRAMS, type ProgramName } from './tools/catalog.ts';
import { addFailure, addTally, emptyTally, failureText, type Tally } from './test/tap.ts';

const ROOT = join(import.meta.dirname, '..');
/** Scenarios wait more than they work. */
const CONCURRENCY = { parts: 4, scenarios: 4 } as const;
const stop = new AbortController();
let isTesting = false;

function testFiles(): readonly string[] {
  return globSync('**/*.test.ts', { cwd: ROOT, exclude: ['**/node_modules'] }).toSorted();
}

/** One control plane for all: with the chart, and so with its guardrails, from the beginning. */
async function startControlPlane(): Promise<Cluster> {
  console.log('Starting a control plane for all tests; what is missing is built first.');
  // All of them, now: a test that waits for one to be built waits longer than a test may.
  await ensureTools(Object.keys(PROGRAMS) as ProgramName[]);
  const cluster = await startCluster({ name: 'nexusos-test' });
  await installChart(cluster);
  console.log(
    `Ready: Kubernetes ${cluster.description.kubernetesVersion} at ${cluster.url}, chart installed.`,
  );
  return cluster;
}

/** By its name, wherever it lies: scenarios, and tests of controllers that need a whole system but none of their own. */
function isScenario(file: string): boolean {
  return /\.e2e\.test\.ts(:|$)/.test(file);
}

/** The operator in one file, as in the image; it goes with the control plane. */
async function bundleOperator({ description }: Cluster): Promise<string> {
  const folder = join(description.dataDir, 'operator-bundle');
  await bundleRoles(folder);
  return join(folder, 'operator.mjs');
}

type Conditions = Pick<Phase, 'options' | 'env' | 'mayBeEmpty' | 'signal'>;

/** Scenarios see the operator as users do: as a process that runs with the rights of the chart. */
async function runScenarios(
  cluster: Cluster,
  files: readonly string[],
  conditions: Conditions,
): Promise<Tally> {
  if (files.length === 0 || stop.signal.aborted) return emptyTally();
  const program = conditions.env[operatorProgramVariable];
  const options = { env: SHARED_SETTINGS, ...(program !== undefined && { program }) };
  const operator = await startOperator(cluster, options);
  const env = { ...conditions.env, [sharedOperatorVariable]: String(operator.pid) };
  const phase = { name: 'end to end', files, concurrency: CONCURRENCY.scenarios };
  const tally = await runPhase({ ...phase, ...conditions, env });
  if (operator.hasEnded && !stop.signal.aborted) {
    const how = await operator.ended();
    addFailure(tally, `the operator ended by itself with ${how}:\n${operator.log.tail()}`);
  }
  await operator.stop();
  return tally;
}

async function run(selection: TestSelection): Promise<Tally> {
  const files = selectFiles(testFiles(), selection.paths);
  const cluster = await startControlPlane();
  isTesting = true;
  try {
    const conditions: Conditions = {
      options: selection.options,
      env: {
        [sharedClusterVariable]: descriptionPath(cluster.description.dataDir),
        [operatorProgramVariable]: await bundleOperator(cluster),
      },
      mayBeEmpty: selection.byTitle,
      signal: stop.signal,
    };
    const parts = files.filter((file) => !isScenario(file));
    const phase = { name: 'unit and real API', files: parts, concurrency: CONCURRENCY.parts };
    const tally = await runPhase({ ...phase, ...conditions });
    addTally(tally, await runScenarios(cluster, files.filter(isScenario), conditions));
    return tally;
  } finally {
    await cluster.stop();
  }
}

function summarize(tally: Tally): void {
  if (tally.passed + tally.failed === 0) addFailure(tally, 'no test ran');
  if (tally.failures.length > 0) console.log(`\nFailed:\n${failureText(tally)}`);
  if (tally.skipped > 0) console.log(`\n${tally.skipped} skipped`);
  console.log(`\n${tally.passed} passed, ${tally.failed} failed`);
}

/**
 * The first signal ends the tests, and with them in order whatever was started for them. Before there are any, and at the
 * second signal, this process just ends: the control plane ends with it.
 */
function endOnSignal(signal: NodeJS.Signals, code: number): void {
  process.on(signal, () => {
    if (!isTesting || stop.signal.aborted) process.exit(code);
    console.log(`\n${signal}: ending the tests and the control plane`);
    process.exitCode = code;
    stop.abort();
  });
}

endOnSignal('SIGINT', 130);
endOnSignal('SIGTERM', 143);
const startedAt = performance.now();
const tally = await run(readArguments(process.argv.slice(2))).catch((error: unknown): Tally => {
  console.error(error instanceof Error ? error.message : error);
  const none = emptyTally();
  addFailure(none, 'the tests could not be run');
  return none;
});
console.log(`\nTook ${Math.round((performance.now() - startedAt) / 1000)} s.`);
summarize(tally);
if (tally.failed > 0) process.exitCode ??= 1;

// SPDX-License-Identifier: Apache-2.0
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { withWhy } from '../policy/builtins/left-out.ts';
import type { PackSource } from './compile.ts';
import { type Coverage, coverageOf } from './coverage.ts';
import { type ModuleRead, type ModulesRead, readModules } from './modules.ts';
import { KILLED, type OpaResult, type RunOpa } from './opa.ts';
import { isTestFile, mayHaveTests, type TestLines } from './rego-tests.ts';

/** What the tests of a pack came to. */
export type TestOutcome =
  | { readonly kind: 'passed'; readonly tests: number; readonly coverage: Coverage | undefined }
  | {
      readonly kind: 'failed';
      readonly reason: 'CompileFailed' | 'TestsFailed' | 'VerificationTimedOut';
      readonly message: string;
    };

/** How to run them. */
export interface TestOptions {
  readonly run: RunOpa;
  /** Text of a capabilities file: what is not in it, tests cannot use either, and they run where we do. */
  readonly capabilities: string;
  /** Parts of `data` that the pack has to keep to. */
  readonly roots: readonly string[];
  readonly timeoutMs: number;
  /** Its modules, where somebody has read them already. */
  readonly modules?: ReadonlyMap<string, ModuleRead>;
}

const FOLDER = 'source';
const CAPABILITIES = 'capabilities.json';
const MAX_NAMED = 8;

/**
 * Runs the tests of a pack with its coverage. Everything, tests included, is checked first against what packs may use: `opa test` would carry
 * out a request over the network that a test makes.
 */
export async function testPack(source: PackSource, options: TestOptions): Promise<TestOutcome> {
  const folder = await mkdtemp(join(tmpdir(), 'nexusos-test-'));
  try {
    await writePack(folder, source, options);
    return await testIn({ ...options, folder, source });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

interface Job extends TestOptions {
  readonly folder: string;
  readonly source: PackSource;
}

async function writePack(
  folder: string,
  { files, regoVersion }: PackSource,
  options: TestOptions,
): Promise<void> {
  const manifest = { rego_version: regoVersion === 'V0' ? 0 : 1, roots: options.roots };
  const all = new Map<string, Uint8Array | string>([...files, ['.manifest', JSON.stringify(manifest)]]);
  for (const [path, content] of all) {
    const target = join(folder, FOLDER, path);
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, content);
  }
  await writeFile(join(folder, CAPABILITIES), options.capabilities);
}

async function testIn(job: Job): Promise<TestOutcome> {
  const checked = await opa(job, ['check', '--format', 'json', '--bundle', '.']);
  if (checked.code !== 0) return failed(checked, 'CompileFailed');
  const read = await modulesWithTests(job);
  if (read.kind === 'failed') return failed(read.result, 'CompileFailed');
  if (!hasAnyTest(job.source, read.modules)) return { kind: 'passed', tests: 0, coverage: undefined };
  const told = await opa(job, ['test', '--format', 'json', '.']);
  const results = parse(told.stdout);
  if (!Array.isArray(results)) return failed(told, 'TestsFailed');
  const wrong = (results as readonly Result[]).filter(
    ({ fail, error }) => fail === true || error !== undefined,
  );
  // What is still to be done (`todo_test_`) is passed over, and told by the same code as a failure.
  const isSkipped = (results as readonly Result[]).some(({ skip }) => skip === true);
  if (wrong.length > 0 || (told.code !== 0 && !isSkipped))
    return { kind: 'failed', reason: 'TestsFailed', message: wordsOf(results, wrong) };
  const covered = await opa(job, ['test', '--coverage', '--format', 'json', '.']);
  if (covered.code === KILLED) return failed(covered, 'TestsFailed');
  const coverage = coverageOf(parse(covered.stdout), testLines(read.modules));
  return { kind: 'passed', tests: results.length, coverage };
}

/** Tests may also stand beside the rules that they are of; who has compiled these knows where. */
async function modulesWithTests({ modules, source, folder, ...job }: Job): Promise<ModulesRead> {
  if (modules !== undefined) return { kind: 'ok', modules };
  return readModules({ ...job, ...source, cwd: join(folder, FOLDER) }, mayHaveTests);
}

function hasAnyTest({ files }: PackSource, modules: ReadonlyMap<string, ModuleRead>): boolean {
  return [...files.keys()].some(isTestFile) || [...modules.values()].some((one) => one.hasTests);
}

function testLines(modules: ReadonlyMap<string, ModuleRead>): ReadonlyMap<string, TestLines> {
  return new Map([...modules].map(([path, one]) => [path, one.testLines]));
}

function opa({ run, folder, timeoutMs, source }: Job, args: readonly string[]): Promise<OpaResult> {
  const [command = '', ...rest] = args;
  const old = source.regoVersion === 'V0' ? ['--v0-compatible'] : [];
  const given = [command, ...old, '--capabilities', `../${CAPABILITIES}`, ...rest];
  return run(given, { cwd: join(folder, FOLDER), timeoutMs });
}

/** One test, as `opa test` tells of it. */
interface Result {
  readonly package?: string;
  readonly name?: string;
  readonly fail?: boolean;
  readonly skip?: boolean;
  readonly error?: { readonly message?: string };
}

function wordsOf(all: readonly unknown[], wrong: readonly Result[]): string {
  const names = wrong.slice(0, MAX_NAMED).map(nameOf);
  const more = wrong.length - names.length;
  return `${wrong.length} of ${all.length} tests fail: ${names.join(', ')}${more > 0 ? `, and ${more} more` : ''}`;
}

function nameOf({ package: path = '', name = '', error }: Result): string {
  const called = `${path.replace(/^data\./, '')}.${name}`;
  if (error === undefined) return called;
  return `${called} (${(error.message ?? 'error').slice(0, 200)})`;
}

function failed({ code, stdout, stderr }: OpaResult, reason: 'CompileFailed' | 'TestsFailed'): TestOutcome {
  if (code === KILLED) return { kind: 'failed', reason: 'VerificationTimedOut', message: stderr };
  const errors = [stdout, stderr].map(parse).find((one) => one !== undefined) as Errors | undefined;
  const told = (errors?.errors ?? []).slice(0, MAX_NAMED).map(errorWords);
  const message = told.length > 0 ? told.join('; ') : (stderr.trim() || stdout.trim()).slice(0, 1000);
  return { kind: 'failed', reason, message };
}

interface Errors {
  readonly errors?: readonly {
    readonly message?: string;
    readonly location?: { readonly file?: string; readonly row?: number; readonly col?: number };
  }[];
}

/** `a.rego:3:1: ...`, as compilers say it. */
function errorWords({ message = '', location }: NonNullable<Errors['errors']>[number]): string {
  const words = withWhy(message.slice(0, 300));
  if (location?.file === undefined) return words;
  return `${location.file}:${location.row}:${location.col}: ${words}`;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

// SPDX-License-Identifier: Apache-2.0
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { withWhy } from '../policy/builtins/left-out.ts';
import { isTestFile, type PackSource } from './compile.ts';
import { type Coverage, coverageOf, type TestLines, testLinesOf } from './coverage.ts';
import { isObject } from './gatekeeper/json.ts';
import type { OpaResult, RunOpa } from './opa.ts';

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
}

const FOLDER = 'source';
const CAPABILITIES = 'capabilities.json';
const MAX_NAMED = 8;
const KILLED = 128;

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
  if (![...job.source.files].some(hasTests)) return { kind: 'passed', tests: 0, coverage: undefined };
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
  const coverage = coverageOf(parse(covered.stdout), await testsBesideRules(job));
  return { kind: 'passed', tests: results.length, coverage };
}

/** A rule that is a test. A function whose name begins so is none. */
const BESIDE_RULES = /^[ \t]*test_\w+(?![\w(])/m;

/** What of a file may be a test, as its syntax tree then tells. */
const MAY_BE_TESTS = /^[ \t]*(?:package\b.*_test\b|(?:todo_)?test_)/m;

/** Tests may also stand beside the rules that they are of. */
function hasTests([path, content]: readonly [string, Uint8Array]): boolean {
  if (isTestFile(path)) return true;
  return path.endsWith('.rego') && BESIDE_RULES.test(new TextDecoder().decode(content));
}

/** Where tests stand in files that are no files of tests. */
async function testsBesideRules(job: Job): Promise<ReadonlyMap<string, TestLines>> {
  const found = new Map<string, TestLines>();
  for (const [path, content] of job.source.files) {
    if (isTestFile(path) || !path.endsWith('.rego')) continue;
    if (!MAY_BE_TESTS.test(new TextDecoder().decode(content))) continue;
    const { stdout } = await opa(job, ['parse', '--json-include', 'locations', '--format', 'json', path]);
    const tree = parse(stdout);
    if (isObject(tree)) found.set(path, testLinesOf(tree));
  }
  return found;
}

function opa({ run, folder, timeoutMs, source }: Job, args: readonly string[]): Promise<OpaResult> {
  const [command = '', ...rest] = args;
  const old = source.regoVersion === 'V0' ? ['--v0-compatible'] : [];
  // What only reads a module runs nothing of it.
  const allowed = command === 'parse' ? [] : ['--capabilities', `../${CAPABILITIES}`];
  const given = [command, ...old, ...allowed, ...rest];
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

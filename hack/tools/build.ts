// SPDX-License-Identifier: Apache-2.0
import { spawn } from 'node:child_process';
import { access, mkdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { cacheFolder, cacheKey } from './cache-folder.ts';
import { type Family, PROGRAMS, type Program, type ProgramName } from './catalog.ts';
import { dieWithParent } from './die-with-parent.ts';
import { exclusively } from './exclusive.ts';
import { findGo, goEnvironment, type GoToolchain, goModuleFolder } from './go.ts';
import { requiredGo, requiredVersion } from './go-module.ts';
import { type BuildObserver, type BuildStep, showBuild } from './progress.ts';

/** Options of `ensureTools`. */
export interface EnsureToolsOptions {
  /** Told of every step; by default it is shown on standard error. */
  readonly onStep?: BuildObserver;
}

/** A program and the file it is to become. */
interface Target {
  readonly name: ProgramName;
  readonly program: Program;
  readonly path: string;
  readonly linkerFlags: readonly string[];
}

// What a debugger reads is stripped by the linker anyway: not to write it for each package saves time.
const buildFlags: readonly string[] = ['-trimpath', '-buildvcs=false', '-gcflags=all=-dwarf=false'];

/** Enough for some thirty lines. */
const tailCharacters = 4000;

/**
 * The paths of these programs, built first where they are not in the cache yet. Two checkouts that want the
 * same one wait for each other; a build that was interrupted goes on from Go's own cache. Throws with what
 * to install when there is no fit Go, and with the end of Go's output when a build fails.
 */
export async function ensureTools<N extends ProgramName>(
  names: readonly N[],
  options: EnsureToolsOptions = {},
): Promise<Readonly<Record<N, string>>> {
  const targets = await Promise.all(inBuildOrder(names).map(describeTarget));
  const missing = await filterMissing(targets);
  const onStep = options.onStep ?? showBuild();
  for (const [index, target] of missing.entries()) {
    const place = { program: target.name, position: index + 1, total: missing.length };
    await ensureOne(target, (step) => onStep({ ...place, ...step }));
  }
  return Object.fromEntries(targets.map(({ name, path }) => [name, path])) as Record<N, string>;
}

/** The folder of the module that `name` is built from, in Go's module cache: its data files are read there. */
export async function toolModuleFolder(name: ProgramName): Promise<string> {
  const { family } = PROGRAMS[name];
  await findGo(requiredGo(await readGoMod(family)));
  return goModuleFolder(familyFolder(family), family.module);
}

/** The version of the module that `name` is built from, such as `v1.36.3`. */
export async function toolVersion(name: ProgramName): Promise<string> {
  const { family } = PROGRAMS[name];
  return requiredVersion(await readGoMod(family), family.module);
}

function inBuildOrder(names: readonly ProgramName[]): readonly ProgramName[] {
  return (Object.keys(PROGRAMS) as ProgramName[]).filter((name) => names.includes(name));
}

async function describeTarget(name: ProgramName): Promise<Target> {
  const program: Program = PROGRAMS[name];
  const { family } = program;
  const goMod = await readGoMod(family);
  const goSum = await readFile(join(familyFolder(family), 'go.sum'), 'utf8');
  const linkerFlags = family.linkerFlags(requiredVersion(goMod, family.module));
  const go = await toolchain(requiredGo(goMod));
  const key = cacheKey([goMod, goSum, ...buildFlags, ...linkerFlags, go.version, go.os, go.arch]);
  const path = join(cacheFolder(), 'tools', `${family.name}-${key}`, name);
  return { name, program, path, linkerFlags };
}

const toolchains = new Map<string, Promise<GoToolchain>>();

/** Asking Go costs tens of milliseconds, and every program asks the same. */
function toolchain(wanted: string): Promise<GoToolchain> {
  const known = toolchains.get(wanted) ?? findGo(wanted);
  toolchains.set(wanted, known);
  return known;
}

async function filterMissing(targets: readonly Target[]): Promise<readonly Target[]> {
  const present = await Promise.all(targets.map(({ path }) => exists(path)));
  return targets.filter((_, index) => present[index] !== true);
}

type StepNews = Pick<BuildStep, 'state' | 'elapsedMs'> & { readonly note?: string };

async function ensureOne(target: Target, onStep: (news: StepNews) => void): Promise<void> {
  const startedAt = performance.now();
  const tell = (state: BuildStep['state'], note?: string): void =>
    onStep({ state, elapsedMs: performance.now() - startedAt, ...(note !== undefined && { note }) });
  // One lock for all builds: two Go builds at once only take the cores from each other.
  const lock = {
    path: join(cacheFolder(), 'tools', 'build.lock'),
    onWait: (holder: string): void => tell('waiting', `process ${holder} builds`),
  };
  await exclusively(lock, async () => {
    if (await exists(target.path)) {
      return;
    }
    tell('building');
    const ticker = setInterval(() => tell('building'), 1000);
    try {
      await build(target);
    } finally {
      clearInterval(ticker);
    }
    tell('built');
  });
}

/**
 * Builds in a scratch folder and renames, so that a file with the final name is always whole. What a killed
 * build left there goes first: the lock is ours, so nobody uses it.
 */
async function build(target: Target): Promise<void> {
  await rm(scratchFolder(), { recursive: true, force: true });
  await Promise.all(
    [scratchFolder(), dirname(target.path)].map((folder) => mkdir(folder, { recursive: true })),
  );
  const unfinished = join(scratchFolder(), target.name);
  const args = ['build', ...buildFlags, '-ldflags', target.linkerFlags.join(' ')];
  const output = await runGo([...args, '-o', unfinished, target.program.package], target);
  if (output === undefined) {
    await rename(unfinished, target.path);
  }
  await rm(scratchFolder(), { recursive: true, force: true });
  if (output !== undefined) {
    throw new Error(`Building ${target.name} failed. The end of Go's output:\n${output}`);
  }
}

/** Runs Go; the end of its output when it failed, undefined when it did not. */
async function runGo(args: readonly string[], target: Target): Promise<string | undefined> {
  const command = dieWithParent({ program: 'go', args });
  const child = spawn(command.program, command.args, {
    cwd: familyFolder(target.program.family),
    env: { ...goEnvironment(), GOTMPDIR: scratchFolder() },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8');
    stream.on('data', (chunk) => {
      output = (output + String(chunk)).slice(-tailCharacters);
    });
  }
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  return code === 0 ? undefined : output.trimEnd();
}

/** Go's own temporary files, too, are where the next build finds and removes them. */
function scratchFolder(): string {
  return join(cacheFolder(), 'tools', 'unfinished');
}

function familyFolder(family: Family): string {
  return join(import.meta.dirname, family.name);
}

function readGoMod(family: Family): Promise<string> {
  return readFile(join(familyFolder(family), 'go.mod'), 'utf8');
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}

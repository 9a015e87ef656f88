// SPDX-License-Identifier: Apache-2.0
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { withWhy } from '../policy/builtins/left-out.ts';
import { readOwnArchive } from './archive.ts';
import { isObject, type JsonObject, listAt, objectAt, textAt } from './gatekeeper/json.ts';
import { isModule, type ModuleRead, type ModulesRead, readModules } from './modules.ts';
import { KILLED, type OpaResult, type RunOpa } from './opa.ts';
import { type Answering, answering, ENTRYPOINT, wrapperModule, WRAPPER_PACKAGE } from './wrapper.ts';

/** What a pack is made of, wherever it is from. */
export interface PackSource {
  /**
   * By path, as in an OPA bundle: `abac/tools.rego`, `data.json` and `data.yaml` in any folder. Those that end with `_test.rego` are
   * tests; all else is left out.
   */
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly regoVersion: 'V0' | 'V1';
}

/** Modules and data as they stand in a manifest, as files. */
export function sourceFiles(
  modules: Readonly<Record<string, string>>,
  data: JsonObject | undefined,
): ReadonlyMap<string, Uint8Array> {
  const texts = Object.entries({
    ...modules,
    ...(data !== undefined && { 'data.json': JSON.stringify(data) }),
  });
  return new Map(texts.map(([path, text]) => [path, new TextEncoder().encode(text)]));
}

/** What is wrong with a source: in which file, and where it is known, in which line. */
export interface SourceProblem {
  readonly file: string;
  readonly line?: number;
  readonly message: string;
}

/** A compiled pack. */
export interface CompiledPack {
  readonly wasm: Uint8Array;
  /** JSON text of what rules find under `data`. */
  readonly data: Uint8Array | undefined;
  readonly entrypoints: readonly string[];
  /** Which packages answer what; what the one entry point puts together. */
  readonly answering: Answering;
  readonly hasMutate: boolean;
  /** What its modules are by their syntax trees, so that nobody has to read them again. */
  readonly modules: ReadonlyMap<string, ModuleRead>;
}

/** A compiled pack, or everything that stands against it. */
export type Compilation =
  | { readonly kind: 'ok'; readonly pack: CompiledPack }
  | {
      readonly kind: 'refused';
      readonly reason: 'TooLarge' | 'InvalidSource' | 'CompileFailed' | 'NoRules' | 'TimedOut';
      readonly problems: readonly SourceProblem[];
    };

type Refusal = Extract<Compilation, { readonly kind: 'refused' }>;

/** How to compile. */
export interface CompileOptions {
  readonly run: RunOpa;
  /** Of each call of the compiler. */
  readonly timeoutMs?: number;
  /** Text of a capabilities file: the builtins that the source may use. All of the compiler's, if it is not given. */
  readonly capabilities?: string;
}

/** How large a source may be. */
export const SOURCE_LIMITS = { files: 512, bytes: 4 * 1024 * 1024, outputBytes: 32 * 1024 * 1024 } as const;

const TIMEOUT_MS = 20_000;
/** A path within the source: it becomes one of a file. */
const PATH = /^(?!\.)[\w.-]+(?:\/(?!\.)[\w.-]+)*$/;
const DATA = /(?:^|\/)data\.(?:json|yaml|yml)$/;
const OUTPUT = 'bundle.tar.gz';
const MAX_PROBLEMS = 16;

/** Compiles a pack to one module with one entry point. A source that cannot be compiled is a result; nothing else throws but the system. */
export async function compilePack(source: PackSource, options: CompileOptions): Promise<Compilation> {
  const invalid = sourceProblems(source);
  if (invalid !== undefined) return invalid;
  const folder = await mkdtemp(join(tmpdir(), 'nexusos-compile-'));
  try {
    return await compileIn({ ...options, ...source, folder, timeoutMs: options.timeoutMs ?? TIMEOUT_MS });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

interface Job extends PackSource, CompileOptions {
  readonly folder: string;
  readonly timeoutMs: number;
}

async function compileIn(job: Job): Promise<Compilation> {
  const { folder, files } = job;
  const taken = [...files].filter(([path]) => isModule(path) || DATA.test(path));
  for (const [path, content] of taken) await writeTo(join(folder, 'source', path), content);
  const manifest = { rego_version: job.regoVersion === 'V0' ? 0 : 1, roots: [''] };
  await writeTo(join(folder, 'source/.manifest'), JSON.stringify(manifest));
  if (job.capabilities !== undefined) await writeTo(join(folder, 'capabilities.json'), job.capabilities);
  const wrong = await opaProblems(job, ['check', ...flagsOf(job), '--format', 'json', '--bundle', 'source']);
  if (wrong !== undefined) return wrong;
  const read = await modulesOf(job);
  if (read.kind === 'refused') return read;
  const found = answering([...read.modules.values()]);
  if (Object.keys(found).length === 0) return refused('NoRules', { file: '', message: NO_RULES });
  await writeTo(join(folder, 'source', WRAPPER_PACKAGE, 'main.rego'), wrapperModule(found));
  return build(job, found, read.modules);
}

const NO_RULES =
  'no package has a rule that is asked for: deny, warn, violation, mutate, masks or limits; allow below package abac, regions below residency, dlp below dlp, disclosures below disclosures';

async function writeTo(path: string, content: Uint8Array | string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
}

/** What is too large, or has a name that no file may have. */
function sourceProblems({ files }: PackSource): Refusal | undefined {
  if (files.size > SOURCE_LIMITS.files)
    return refused('TooLarge', {
      file: '',
      message: `has ${files.size} files; at most ${SOURCE_LIMITS.files} are taken`,
    });
  const bytes = [...files.values()].reduce((sum, content) => sum + content.length, 0);
  if (bytes > SOURCE_LIMITS.bytes)
    return refused('TooLarge', {
      file: '',
      message: `has ${bytes} bytes; at most ${SOURCE_LIMITS.bytes} are taken`,
    });
  const wrong = [...files.keys()].filter((path) => !PATH.test(path));
  if (wrong.length === 0) return undefined;
  const message =
    'is no path that a pack may have: letters, digits, ., - and _, folders by /, none beginning with .';
  return refused('InvalidSource', ...wrong.slice(0, MAX_PROBLEMS).map((file) => ({ file, message })));
}

function flagsOf({ regoVersion, capabilities }: Job): readonly string[] {
  return [
    ...(regoVersion === 'V0' ? ['--v0-compatible'] : []),
    ...(capabilities === undefined ? [] : ['--capabilities', 'capabilities.json']),
  ];
}

/** Runs the compiler; undefined when it has nothing to say. */
async function opaProblems(
  { run, folder, timeoutMs }: Job,
  args: readonly string[],
): Promise<Refusal | undefined> {
  const result = await run(args, { cwd: folder, timeoutMs });
  if (result.code === 0) return undefined;
  if (result.code === KILLED) return refused('TimedOut', { file: '', message: result.stderr });
  return refused('CompileFailed', ...problemsIn(result));
}

/** Errors as JSON where it prints them so, on either stream; else its text. */
function problemsIn({ stdout, stderr }: OpaResult): readonly SourceProblem[] {
  const output = [stdout, stderr].map(jsonOf).find(isObject);
  const errors = output === undefined ? [] : listAt(output, 'errors').filter(isObject);
  const problems = errors.map((error): SourceProblem => {
    const location = objectAt(error, 'location');
    const line = Number(location['row']);
    return {
      file: textAt(location, 'file').replace(/^\/?(?:source\/)?/, ''),
      ...(line > 0 && { line }),
      message: withWhy(textAt(error, 'message')).slice(0, MAX_MESSAGE),
    };
  });
  if (problems.length > 0) return problems.slice(0, MAX_PROBLEMS);
  return [{ file: '', message: (stderr.trim() || stdout.trim()).slice(0, MAX_MESSAGE) }];
}

const MAX_MESSAGE = 1000;

/** All modules, by their syntax trees. */
async function modulesOf(job: Job): Promise<Refusal | Extract<ModulesRead, { readonly kind: 'ok' }>> {
  const read = await readModules({ ...job, cwd: join(job.folder, 'source') });
  if (read.kind === 'failed') return unread(read);
  const ours = [...read.modules].find(([, { path }]) => path[0] === WRAPPER_PACKAGE);
  if (ours === undefined) return read;
  const [file, { path }] = ours;
  const message = `package ${path.join('.')}: packages of that name are ours; take another`;
  return refused('CompileFailed', { file, line: 1, message });
}

function unread({ file, result }: Extract<ModulesRead, { readonly kind: 'failed' }>): Refusal {
  if (result.code === KILLED) return refused('TimedOut', { file, message: result.stderr });
  return refused('CompileFailed', ...problemsIn(result));
}

async function build(job: Job, found: Answering, modules: CompiledPack['modules']): Promise<Compilation> {
  const target = ['--target', 'wasm', '--entrypoint', ENTRYPOINT, '--output', OUTPUT];
  const wrong = await opaProblems(job, ['build', ...flagsOf(job), ...target, '--bundle', 'source']);
  if (wrong !== undefined) return wrong;
  const files = await readOwnArchive(await readFile(join(job.folder, OUTPUT)), SOURCE_LIMITS.outputBytes);
  const wasm = files['policy.wasm'];
  if (wasm === undefined)
    return refused('CompileFailed', { file: '', message: 'the compiler made no module' });
  const merged = files['data.json'];
  const data = merged === undefined || Buffer.from(merged).toString().trim() === '{}' ? undefined : merged;
  // What is redacted is changed, too.
  const hasMutate = found.mutate !== undefined || found.dlp !== undefined;
  return {
    kind: 'ok',
    pack: { wasm, data, entrypoints: [ENTRYPOINT], answering: found, hasMutate, modules },
  };
}

function refused(reason: Refusal['reason'], ...problems: readonly SourceProblem[]): Refusal {
  return { kind: 'refused', reason, problems };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

// SPDX-License-Identifier: Apache-2.0
import { access, constants } from 'node:fs/promises';
import { delimiter, join, resolve } from 'node:path';
import { type OpaCapabilities, restrictCapabilities } from '#operator/policy/capabilities';
import { type Compilation, type CompiledPack, compilePack, type PackSource } from '#operator/rego/compile';
import { opaRunner, type RunOpa } from '#operator/rego/opa';
import { type Call, CommandError, EXIT, type Flag, flagValue } from '../cli/command.ts';

/** The flag of all commands that compile. */
export const OPA_FLAG: Flag = {
  name: 'opa',
  value: 'PATH',
  what: 'the compiler of Rego, opa 1.x; else NEXUSCTL_OPA, else opa in PATH',
};

/** The compiler, and the builtins that packs may use. */
export interface Compiler {
  readonly run: RunOpa;
  readonly capabilities: string;
  readonly version: string;
}

const START_MS = 20_000;

/** Finds the compiler, and asks what it can. */
export async function openCompiler(call: Call): Promise<Compiler> {
  const run = opaRunner(await findOpa(call));
  const { stdout } = await run(['version'], { cwd: call.cwd, timeoutMs: START_MS });
  const [, version = ''] = /^Version: (\S+)/.exec(stdout) ?? [];
  if (!version.startsWith('1.'))
    throw new CommandError(
      EXIT.unavailable,
      `opa says of itself "${stdout.split('\n')[0]}"; version 1 is needed`,
    );
  const listed = await run(['capabilities', '--current'], { cwd: call.cwd, timeoutMs: START_MS });
  const capabilities = JSON.stringify(restrictCapabilities(JSON.parse(listed.stdout) as OpaCapabilities));
  return { run, capabilities, version };
}

async function findOpa(call: Call): Promise<string> {
  const named = flagValue(call, 'opa') ?? call.env['NEXUSCTL_OPA'];
  const folders = (call.env['PATH'] ?? '').split(delimiter).filter((one) => one !== '');
  const places = named === undefined ? folders.map((one) => join(one, 'opa')) : [resolve(call.cwd, named)];
  for (const path of places) {
    const isThere = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere) return path;
  }
  const where = named === undefined ? 'there is no opa in PATH' : `${named} is no program`;
  throw new CommandError(
    EXIT.unavailable,
    `the compiler of Rego is needed, and ${where}: install opa 1.x from openpolicyagent.org, or say where it is by --opa`,
  );
}

/** Compiles, or says with file and line why that cannot be. */
export async function compileOrSay(source: PackSource, compiler: Compiler): Promise<CompiledPack> {
  const made: Compilation = await compilePack(source, compiler);
  if (made.kind === 'ok') return made.pack;
  const lines = made.problems.map(({ file, line, message }) => {
    const where = [file, line === undefined ? '' : String(line)].filter((one) => one !== '').join(':');
    return where === '' ? message : `${where}: ${message}`;
  });
  throw new CommandError(EXIT.no, `the pack does not compile (${made.reason})`, lines);
}

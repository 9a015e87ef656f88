// SPDX-License-Identifier: Apache-2.0
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { parse } from 'yaml';
import { ensureTools } from '#hack/tools/build';
import { runProgram } from '#hack/tools/run-program';
import { evaluateHere } from '../evaluate-here.ts';
import { compileModule } from './compile.ts';

/** Arguments of one call, each an expression of Rego. */
export type Call = readonly string[];

/** What each call of a builtin comes to, by its text; calls that are undefined are missing. */
export type Answers = Readonly<Record<string, unknown>>;

/**
 * What the real opa, and a module in this host, answer to the same calls. Arguments are hidden from the type checker, so that wrong types
 * come as far as they do in a policy whose input is wrong.
 */
export async function answersOfBoth(
  calls: Readonly<Record<string, readonly Call[]>>,
): Promise<{ opa: Answers; host: Answers }> {
  const rego = policyOf(calls);
  return { opa: await askOpa(rego), host: await askHost(rego) };
}

/** Names of calls, as they are in the answers. */
function namesOf(calls: Readonly<Record<string, readonly Call[]>>): readonly string[] {
  return Object.entries(calls).flatMap(([builtin, all]) =>
    all.map((args) => `${builtin}(${args.join(', ')})`),
  );
}

function policyOf(calls: Readonly<Record<string, readonly Call[]>>): string {
  const rules = Object.entries(calls).flatMap(([builtin, all]) =>
    all.map((args) => {
      const hidden = args.map((one) => `object.get(input, "missing", ${one})`).join(', ');
      return `answers[${JSON.stringify(`${builtin}(${args.join(', ')})`)}] := v if v := ${builtin}(${hidden})`;
    }),
  );
  return ['package calls', ...rules].join('\n');
}

async function askOpa(rego: string): Promise<Answers> {
  const folder = await mkdtemp(join(tmpdir(), 'nexusos-opa-'));
  try {
    await writeFile(join(folder, 'calls.rego'), rego);
    await writeFile(join(folder, 'input.json'), '{}');
    const { opa } = await ensureTools(['opa']);
    const args = ['eval', '-f', 'raw', '-d', 'calls.rego', '-i', 'input.json', 'data.calls.answers'];
    const { stdout, stderr, code } = await runProgram(opa, { args, cwd: folder, env: { TZ: 'UTC' } });
    if (code !== 0) throw new Error(`opa eval: ${stdout}${stderr}`);
    return JSON.parse(stdout) as Answers;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function askHost(rego: string): Promise<Answers> {
  const module = await compileModule({ rego, entrypoints: ['calls/answers'] });
  const input = new TextEncoder().encode('{}');
  const asked = { nowNs: 0n, deadlineMs: 0, memoryMiB: 64, tenant: undefined };
  const verdict = evaluateHere({ module, entrypoint: 'calls/answers', input, ...asked });
  if (verdict.kind !== 'value') throw new Error(JSON.stringify(verdict));
  return verdict.value as Answers;
}

/** The lines of each part of a file in `testing/calls`. */
export async function readLines(name: string): Promise<Readonly<Record<string, readonly string[]>>> {
  const text = await readFile(join(import.meta.dirname, 'calls', `${name}.yaml`), 'utf8');
  const parts = Object.entries(parse(text) as Record<string, string>);
  return Object.fromEntries(parts.map(([part, lines]) => [part, lines.trimEnd().split('\n')]));
}

/** The arguments in a line. */
export function callOf(line: string): Call {
  return line.split(' ;; ');
}

/** Asks both; what they disagree in, and how many calls had an answer. `same` brings the host's answer into the order of opa's. */
export async function compareWithOpa(
  calls: Readonly<Record<string, readonly Call[]>>,
  same: (name: string, answer: unknown) => unknown = (_, answer) => answer,
): Promise<{ readonly different: Answers; readonly answered: number }> {
  const { opa, host } = await answersOfBoth(calls);
  const different = namesOf(calls).filter((name) => !isDeepStrictEqual(same(name, host[name]), opa[name]));
  return {
    different: Object.fromEntries(different.map((name) => [name, { host: host[name], opa: opa[name] }])),
    answered: Object.keys(opa).length,
  };
}

// SPDX-License-Identifier: Apache-2.0
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RunOpa } from '../opa.ts';
import { isObject, type JsonObject, listAt, objectAt, textAt } from './json.ts';

/** A syntax tree, or the messages of the parser with their lines. */
export type Parsed =
  | { readonly kind: 'ok'; readonly tree: JsonObject }
  | { readonly kind: 'refused'; readonly messages: readonly string[] };

/** A value, and the JSON Schema that it is to fit. */
export interface Fitting {
  readonly value: unknown;
  readonly schema: JsonObject;
}

/** What of the compiler is needed to read templates and constraints. */
export interface OpaTools {
  /** Parses Rego, with the locations of all terms. */
  readonly parse: (text: string, version: 'V0' | 'V1') => Promise<Parsed>;
  /** For each value, what does not fit its schema: a field and a message each. */
  readonly misfits: (pairs: readonly Fitting[]) => Promise<readonly (readonly Misfit[])[]>;
}

/** What does not fit a schema. */
export interface Misfit {
  readonly field: string;
  readonly message: string;
}

const TIMEOUT_MS = 20_000;
const MODULE = 'template.rego';
const INPUT = 'input.json';
const MISFITS = '[errors | [_, errors] := json.match_schema(input[i].value, input[i].schema)]';

/** These tools, by the `opa` program. */
export function opaTools(run: RunOpa): OpaTools {
  return {
    parse: (text, version) =>
      inFolder({ [MODULE]: text }, async (cwd) => {
        const flags = version === 'V0' ? ['--v0-compatible'] : [];
        const args = ['parse', ...flags, '--format', 'json', '--json-include', 'locations,-comments', MODULE];
        return parsedOf(await run(args, { cwd, timeoutMs: TIMEOUT_MS }));
      }),
    misfits: async (pairs) => {
      if (pairs.length === 0) return [];
      return inFolder({ [INPUT]: JSON.stringify(pairs) }, async (cwd) => {
        const args = ['eval', '--strict-builtin-errors', '--format', 'json', '--input', INPUT, MISFITS];
        return misfitsOf(await run(args, { cwd, timeoutMs: TIMEOUT_MS }), pairs.length);
      });
    },
  };
}

async function inFolder<T>(
  files: Readonly<Record<string, string>>,
  use: (folder: string) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'nexusos-opa-'));
  try {
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

type Result = Awaited<ReturnType<RunOpa>>;

function parsedOf({ code, stdout, stderr }: Result): Parsed {
  // It prints trees to one, and errors to the other.
  const tree = jsonOf(code === 0 ? stdout : stderr);
  if (code === 0 && isObject(tree)) return { kind: 'ok', tree };
  const errors = isObject(tree) ? listAt(tree, 'errors').filter(isObject) : [];
  const messages = errors.map(
    (one) => `line ${String(objectAt(one, 'location')['row'])}: ${textAt(one, 'message')}`,
  );
  return { kind: 'refused', messages: messages.length > 0 ? messages : [stderr.trim().slice(0, 1000)] };
}

function misfitsOf({ code, stdout, stderr }: Result, count: number): readonly (readonly Misfit[])[] {
  const output = jsonOf(stdout);
  const [result] = isObject(output) ? listAt(output, 'result') : [];
  const [expression] = isObject(result) ? listAt(result, 'expressions') : [];
  const found = isObject(expression) ? listAt(expression, 'value') : [];
  // A schema that is none is an error of the builtin, and fits nothing.
  if (code !== 0 || found.length !== count) {
    const errors = isObject(output) ? listAt(output, 'errors').filter(isObject) : [];
    const message = textAt(errors[0] ?? {}, 'message') || stderr.trim() || 'the schema cannot be read';
    return Array.from({ length: count }, () => [{ field: '', message }]);
  }
  return found.map((errors) =>
    (Array.isArray(errors) ? errors : []).filter(isObject).map((one) => ({
      field: textAt(one, 'field').replace(/^\(root\)\.?/i, ''),
      message: textAt(one, 'desc') || textAt(one, 'error'),
    })),
  );
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

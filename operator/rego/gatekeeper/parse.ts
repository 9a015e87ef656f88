// SPDX-License-Identifier: Apache-2.0
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RunOpa } from '../opa.ts';
import { isObject, listAt, objectAt, textAt } from './json.ts';
import type { Parsed, ParseRego } from './pack.ts';

const TIMEOUT_MS = 10_000;
const FILE = 'template.rego';

/** Parses Rego by the `opa` program, a module at a time. */
export function opaParser(run: RunOpa): ParseRego {
  return async (text, version) => {
    const folder = await mkdtemp(join(tmpdir(), 'nexusos-parse-'));
    try {
      await writeFile(join(folder, FILE), text);
      const flags = version === 'V0' ? ['--v0-compatible'] : [];
      const args = ['parse', ...flags, '--format', 'json', '--json-include', 'locations,-comments', FILE];
      return parsedOf(await run(args, { cwd: folder, timeoutMs: TIMEOUT_MS }));
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  };
}

function parsedOf({ code, stdout, stderr }: Awaited<ReturnType<RunOpa>>): Parsed {
  // It prints trees to one, and errors to the other.
  const tree = jsonOf(code === 0 ? stdout : stderr);
  if (code === 0 && isObject(tree)) return { kind: 'ok', tree };
  const errors = isObject(tree) ? listAt(tree, 'errors').filter(isObject) : [];
  const messages = errors.map(
    (one) => `line ${String(objectAt(one, 'location')['row'])}: ${textAt(one, 'message')}`,
  );
  return { kind: 'refused', messages: messages.length > 0 ? messages : [stderr.trim().slice(0, 1000)] };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

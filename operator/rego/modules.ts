// SPDX-License-Identifier: Apache-2.0
import { isObject, type JsonObject, listAt, objectAt } from './gatekeeper/json.ts';
import type { OpaResult, RunOpa } from './opa.ts';
import {
  hasTests,
  isTestFile,
  isTestPackage,
  mayHaveTests,
  packageIn,
  type TestLines,
  testLinesOf,
} from './rego-tests.ts';
import type { PackageRules } from './wrapper.ts';

/** What is known of a module by its syntax tree. */
export interface ModuleRead extends PackageRules {
  /** Whether it has rules that are tests. */
  readonly hasTests: boolean;
  readonly testLines: TestLines;
}

/** Modules by their paths; or the first of them that could not be read, with what the compiler said. */
export type ModulesRead =
  | { readonly kind: 'ok'; readonly modules: ReadonlyMap<string, ModuleRead> }
  | { readonly kind: 'failed'; readonly file: string; readonly result: OpaResult };

/** Where modules are, and by what they are read. */
export interface ModuleReading {
  readonly run: RunOpa;
  /** The folder in which their paths begin. */
  readonly cwd: string;
  readonly timeoutMs: number;
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly regoVersion: 'V0' | 'V1';
}

/** Programs that run at the same time. */
const AT_ONCE = 2;
const NO_TESTS = { hasTests: false, testLines: new Set<number>() } as const;

/** Whether a file is a module of rules. */
export function isModule(path: string): boolean {
  return path.endsWith('.rego') && !isTestFile(path);
}

/**
 * Reads the modules of rules that `wanted` is true of, each by a program of its own: `opa parse` takes one, and what it tells of is not
 * told by anything that takes many. So nobody reads a module twice.
 */
export async function readModules(
  reading: ModuleReading,
  wanted: (text: string) => boolean = () => true,
): Promise<ModulesRead> {
  const texts = [...reading.files]
    .filter(([path]) => isModule(path))
    .map(([path, content]) => ({ path, text: new TextDecoder().decode(content) }))
    .filter(({ text }) => wanted(text));
  const modules = new Map<string, ModuleRead>();
  for (let at = 0; at < texts.length; at += AT_ONCE) {
    const read = await Promise.all(texts.slice(at, at + AT_ONCE).map((one) => readModule(one, reading)));
    for (const one of read) {
      if (one.kind === 'failed') return one;
      modules.set(one.path, one.module);
    }
  }
  return { kind: 'ok', modules };
}

interface Text {
  readonly path: string;
  readonly text: string;
}

async function readModule({ path, text }: Text, { run, cwd, timeoutMs, regoVersion }: ModuleReading) {
  // With locations, a tree is many times as long.
  const isLocated = mayHaveTests(text);
  const flags = [
    ...(regoVersion === 'V0' ? ['--v0-compatible'] : []),
    ...(isLocated ? ['--json-include', 'locations'] : []),
  ];
  const result = await run(['parse', ...flags, '--format', 'json', path], { cwd, timeoutMs });
  const tree = jsonOf(result.stdout);
  if (result.code !== 0 || !isObject(tree)) return { kind: 'failed', file: path, result } as const;
  const tests = isLocated ? { hasTests: hasTests(tree), testLines: testLinesOf(tree) } : NO_TESTS;
  return { kind: 'read', path, module: { ...rulesOf(tree), ...tests } } as const;
}

/** Functions are not asked, nor what a test defines. */
function rulesOf(tree: JsonObject): PackageRules {
  const path = packageIn(tree);
  const rules = listAt(tree, 'rules').flatMap((rule) => {
    const head = isObject(rule) ? objectAt(rule, 'head') : {};
    const [first] = listAt(head, 'ref');
    return head['args'] === undefined && isObject(first) ? [String(first['value'])] : [];
  });
  return { path, rules: isTestPackage(path) ? [] : [...new Set(rules)] };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

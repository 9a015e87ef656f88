// SPDX-License-Identifier: Apache-2.0
import { isObject, type JsonObject, listAt, objectAt, textAt } from './gatekeeper/json.ts';

/**
 * What of Rego is a test. There is no other place that says so: what is compiled, what `opa test` is run for, and what coverage is counted of, go by
 * this alone.
 */

/** Lines of a file that are tests: `all` of a package for tests. */
export type TestLines = 'all' | ReadonlySet<number>;

/** Whether a file is one of tests: it is not part of what is compiled. */
export function isTestFile(path: string): boolean {
  return path.endsWith('_test.rego');
}

/** Whether a package, as in `data`, is for tests. */
export function isTestPackage(path: readonly string[]): boolean {
  return path.at(-1)?.endsWith('_test') ?? false;
}

/** Whether a module may have tests. Cheap, and says yes too often: its syntax tree tells. */
export function mayHaveTests(text: string): boolean {
  return /test_|_test\b/.test(text);
}

/** Whether a module has a test that is run; one that is still to be done (`todo_test_`) is not. */
export function hasTests(tree: JsonObject): boolean {
  return rulesIn(tree).some((rule) => isNamed(rule, TEST));
}

/** Which lines of a module are tests, by its syntax tree with locations. */
export function testLinesOf(tree: JsonObject): TestLines {
  if (isTestPackage(packageIn(tree))) return 'all';
  const tests = rulesIn(tree).filter((rule) => isNamed(rule, TEST) || isNamed(rule, STILL_TO_DO));
  return new Set(tests.flatMap(ruleLines));
}

/** The package of a module, as in `data`. */
export function packageIn(tree: JsonObject): readonly string[] {
  return listAt(objectAt(tree, 'package'), 'path')
    .slice(1)
    .map((term) => textAt(asObject(term), 'value'));
}

function rulesIn(tree: JsonObject): readonly JsonObject[] {
  return listAt(tree, 'rules').map(asObject);
}

const TEST = 'test_';
const STILL_TO_DO = 'todo_test_';

/** Any part of its name may begin so, as in `images.test_latest`. What takes arguments is a function, whatever it is called. */
function isNamed(rule: JsonObject, prefix: string): boolean {
  const head = objectAt(rule, 'head');
  if (head['args'] !== undefined) return false;
  return listAt(head, 'ref').some((term) => textAt(asObject(term), 'value').startsWith(prefix));
}

/** Of a rule, and of what it is else. */
function ruleLines(rule: JsonObject): readonly number[] {
  const location = objectAt(rule, 'location');
  const start = Number(location['row']);
  const text = Buffer.from(textAt(location, 'text'), 'base64').toString();
  const own = text.split('\n').map((_, index) => start + index);
  return isObject(rule['else']) ? [...own, ...ruleLines(rule['else'])] : own;
}

function asObject(value: unknown): JsonObject {
  return isObject(value) ? value : {};
}

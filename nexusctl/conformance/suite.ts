// SPDX-License-Identifier: Apache-2.0
import { isObject, type JsonObject, listAt, textAt } from '#operator/rego/gatekeeper/json';
import type { SourceDocument } from '#operator/rego/gatekeeper/template';

/** A suite of Gatekeeper: `kind: Suite` of `test.gatekeeper.sh`. */
export interface Suite {
  readonly file: string;
  readonly name: string;
  readonly isSkipped: boolean;
  readonly tests: readonly SuiteTest[];
}

/** A template with a constraint, and the cases that are judged by them. */
export interface SuiteTest {
  readonly name: string;
  readonly template: string;
  readonly constraint: string;
  /** Path of an expansion; undefined where it has none. */
  readonly expansion: string | undefined;
  /** Whether the constraint is meant not to fit the schema of its template. */
  readonly isInvalid: boolean;
  readonly isSkipped: boolean;
  readonly cases: readonly SuiteCase[];
}

/** An object, and what is to be found against it. */
export interface SuiteCase {
  readonly name: string;
  readonly object: string;
  readonly inventory: readonly string[];
  readonly assertions: readonly JsonObject[];
  readonly isSkipped: boolean;
}

/** Whether a document is a suite. */
export function isSuite({ value }: SourceDocument): boolean {
  return value['kind'] === 'Suite' && textAt(value, 'apiVersion').startsWith('test.gatekeeper.sh/');
}

/** Reads a suite. What it lacks is told by the case that needs it. */
export function readSuite({ file, value }: SourceDocument): Suite {
  const metadata = isObject(value['metadata']) ? value['metadata'] : {};
  return {
    file,
    name: textAt(metadata, 'name') || file,
    isSkipped: value['skip'] === true,
    tests: listAt(value, 'tests').filter(isObject).map(readTest),
  };
}

function readTest(test: JsonObject): SuiteTest {
  const expansion = textAt(test, 'expansion');
  return {
    name: textAt(test, 'name'),
    template: textAt(test, 'template'),
    constraint: textAt(test, 'constraint'),
    expansion: expansion === '' ? undefined : expansion,
    isInvalid: test['invalid'] === true,
    isSkipped: test['skip'] === true,
    cases: listAt(test, 'cases').filter(isObject).map(readCase),
  };
}

function readCase(one: JsonObject): SuiteCase {
  return {
    name: textAt(one, 'name'),
    object: textAt(one, 'object'),
    inventory: listAt(one, 'inventory').map(String),
    assertions: listAt(one, 'assertions').filter(isObject),
    isSkipped: one['skip'] === true,
  };
}

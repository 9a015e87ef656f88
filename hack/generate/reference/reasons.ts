// SPDX-License-Identifier: Apache-2.0
import { basename, relative } from 'node:path';
import type { ObjectLiteralExpression, SourceFile, Statement } from 'typescript/unstable/ast';
import * as is from 'typescript/unstable/ast/is';
import { docComment, withProject } from '../../verify/source-files.ts';
import type { GeneratedFile } from '../file.ts';
import { code, pageHead, table } from './markdown.ts';

/** A reason of conditions and Events, with the doc comment that it has in the source. */
export interface Reason {
  readonly name: string;
  readonly meaning: string;
}

/** The reasons of one kind, or of one part of the operator. */
export interface ReasonGroup {
  readonly title: string;
  readonly reasons: readonly Reason[];
}

/** The page of every reason that conditions and Events carry. */
export function reasonsPage(groups: readonly ReasonGroup[]): GeneratedFile {
  const sections = groups.map(
    ({ title, reasons }) =>
      `## ${title}\n\n${table(
        ['reason', 'meaning'],
        reasons.map((one) => [code(one.name), one.meaning]),
      )}`,
  );
  const text = [
    pageHead('Conditions and reasons', 'the *_REASONS objects of crds/v1alpha1 and operator/'),
    'Every condition has the form of `metav1.Condition`. `Ready` sums up, so `kubectl wait --for=condition=Ready` works on every kind; `Reconciling` and `Stalled` are there only while they are true. An Event has the reason of the condition that changed.\n',
    ...sections,
  ].join('\n');
  return { path: 'docs/reference/conditions.md', text };
}

/**
 * The reasons in the source at `root`: properties of exported objects called `..._REASONS`. Throws for one without a
 * doc comment, as it would be a reason that nobody can look up.
 */
export function readReasons(root: string): readonly ReasonGroup[] {
  const groups = withProject(root, (file, tree) =>
    tree.statements.flatMap((statement) => groupOf(statement, tree, relative(root, file))),
  );
  return groups.flat().toSorted((a, b) => (a.title < b.title ? -1 : 1));
}

function groupOf(statement: Statement, tree: SourceFile, path: string): readonly ReasonGroup[] {
  const [declaration] = is.isVariableStatement(statement) ? statement.declarationList.declarations : [];
  const isReasons = declaration?.name.getText().endsWith('_REASONS') === true && !path.endsWith('.test.ts');
  if (!isReasons || declaration.initializer === undefined) return [];
  const { initializer } = declaration;
  const literal = is.isAsExpression(initializer) ? initializer.expression : initializer;
  if (!is.isObjectLiteralExpression(literal)) throw new Error(`${path}: reasons must be an object literal`);
  return [{ title: titleOf(path), reasons: reasonsOf(literal, tree, path) }];
}

function reasonsOf(literal: ObjectLiteralExpression, tree: SourceFile, path: string): readonly Reason[] {
  return literal.properties.map((property) => {
    const name = is.isPropertyAssignment(property) ? property.name.getText() : property.getText();
    const meaning = docComment(property, tree);
    if (meaning === undefined) throw new Error(`${path}: the reason ${name} has no doc comment`);
    return { name, meaning };
  });
}

/** titleOf('crds/v1alpha1/quota-ledger.ts') -> 'QuotaLedger'; reasons of other parts go by their folder. */
function titleOf(path: string): string {
  const [folder = '', part = ''] = path.split('/');
  const words = folder === 'crds' ? basename(path, '.ts') : `${folder} ${part}`;
  return words.replaceAll(/(^|-)([a-z])/g, (_, _dash, letter: string) => letter.toUpperCase());
}

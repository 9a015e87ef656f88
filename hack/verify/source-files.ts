// SPDX-License-Identifier: Apache-2.0
import { join, relative } from 'node:path';
import type { Node, SourceFile as Tree } from 'typescript/unstable/ast';
import * as is from 'typescript/unstable/ast/is';
import { API } from 'typescript/unstable/sync';

/** An import or re-export of a file, static or dynamic, of types or of values. */
export interface ImportOf {
  readonly specifier: string;
  /** From 1. */
  readonly line: number;
}

/** A function with a body. `lines` counts signature and closing brace. */
export interface FunctionOf {
  readonly name: string;
  readonly line: number;
  readonly lines: number;
}

/** An exported declaration; `value` is a constant, whose name may well say everything. */
export interface ExportOf {
  readonly name: string;
  readonly kind: 'value' | 'other';
  readonly line: number;
  readonly documented: boolean;
}

/** What the checks want to know of one TypeScript file. `path` is relative to the repository, with slashes. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
  readonly lines: number;
  readonly imports: readonly ImportOf[];
  readonly functions: readonly FunctionOf[];
  readonly exports: readonly ExportOf[];
}

/**
 * Every TypeScript file of the project at `root`, parsed by the compiler itself: the one that is pinned, since its
 * programming interface may still change.
 */
export function readSourceFiles(root: string): readonly SourceFile[] {
  return withProject(root, (file, tree) => describeFile(relative(root, file), tree));
}

/** Calls `read` with every file of the project at `root`, in the compiler's order. */
export function withProject<T>(root: string, read: (file: string, tree: Tree) => T): readonly T[] {
  const api = new API({ cwd: root });
  try {
    const [project] = api.updateSnapshot({ openProject: join(root, 'tsconfig.json') }).getProjects();
    if (project === undefined) throw new Error(`no TypeScript project at ${root}`);
    return project.rootFiles.map((file) => {
      const tree = project.program.getSourceFile(file);
      if (tree === undefined) throw new Error(`the compiler did not read ${file}`);
      return read(file, tree);
    });
  } finally {
    api.close();
  }
}

/** The doc comment right before `node`, without its asterisks, on one line; undefined when there is none. */
export function docComment(node: Node, tree: Tree): string | undefined {
  const comment = node.jsDoc?.at(-1);
  if (comment === undefined) return undefined;
  const text = tree.text.slice(comment.pos, comment.end);
  return text
    .replace(/^\s*\/\*\*/, '')
    .replace(/\*\/\s*$/, '')
    .replaceAll(/^\s*\* ?/gm, '')
    .replaceAll(/\s+/g, ' ')
    .trim();
}

function describeFile(path: string, tree: Tree): SourceFile {
  const imports: ImportOf[] = [];
  const functions: FunctionOf[] = [];
  const visit = (node: Node): void => {
    const specifier = importedBy(node);
    if (specifier !== undefined) imports.push({ specifier, line: lineOf(node, tree) });
    if (isFunctionWithBody(node)) functions.push(describeFunction(node, tree));
    node.forEachChild(visit);
  };
  visit(tree);
  const lines = tree.text.split('\n').length - (tree.text.endsWith('\n') ? 1 : 0);
  return { path, text: tree.text, lines, imports, functions, exports: exportsOf(tree) };
}

function importedBy(node: Node): string | undefined {
  const from = importedFrom(node);
  return from !== undefined && is.isStringLiteral(from) ? from.text : undefined;
}

function importedFrom(node: Node): Node | undefined {
  if (is.isImportDeclaration(node) || is.isExportDeclaration(node)) return node.moduleSpecifier;
  if (is.isImportTypeNode(node))
    return is.isLiteralTypeNode(node.argument) ? node.argument.literal : undefined;
  const isDynamic = is.isCallExpression(node) && node.expression.getText() === 'import';
  return isDynamic ? node.arguments[0] : undefined;
}

function isFunctionWithBody(node: Node): boolean {
  return (
    is.isArrowFunction(node) ||
    is.isFunctionExpression(node) ||
    is.isConstructorDeclaration(node) ||
    ((is.isFunctionDeclaration(node) || is.isMethodDeclaration(node)) && node.body !== undefined)
  );
}

function describeFunction(node: Node, tree: Tree): FunctionOf {
  const line = lineOf(node, tree);
  const last = tree.getLineAndCharacterOfPosition(node.end).line + 1;
  return { name: functionName(node), line, lines: last - line + 1 };
}

function functionName(node: Node): string {
  const named = is.isFunctionDeclaration(node) || is.isMethodDeclaration(node) ? node.name : undefined;
  if (named !== undefined) return named.getText();
  const { parent } = node;
  return is.isVariableDeclaration(parent) || is.isPropertyAssignment(parent)
    ? parent.name.getText()
    : 'anonymous';
}

function exportsOf(tree: Tree): readonly ExportOf[] {
  return tree.statements.filter(isExported).map((statement) => ({
    name: exportedName(statement),
    kind: is.isVariableStatement(statement) ? 'value' : 'other',
    line: lineOf(statement, tree),
    documented: docComment(statement, tree) !== undefined,
  }));
}

function isExported(node: Node): boolean {
  if (is.isExportDeclaration(node) || !('modifiers' in node)) return false;
  const modifiers = node.modifiers as readonly Node[] | undefined;
  return modifiers?.some((one) => one.getText() === 'export') === true;
}

function exportedName(node: Node): string {
  if (is.isVariableStatement(node)) {
    return node.declarationList.declarations.map((one) => one.name.getText()).join(', ');
  }
  return 'name' in node ? ((node.name as Node | undefined)?.getText() ?? 'default') : 'unnamed';
}

function lineOf(node: Node, tree: Tree): number {
  return tree.getLineAndCharacterOfPosition(node.getStart(tree)).line + 1;
}

// SPDX-License-Identifier: Apache-2.0
import { posix } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { rootSchema } from '#crds/openapi/crd';
import type { KindDescriptor } from '#crds/openapi/kind';
import { partialProblems } from './partial-object.ts';
import type { TextFile } from './source-rules.ts';

const LINK = /\[[^\]]*\]\(([^)\s]+)\)/g;
const FENCE = /^ *```(\w*)\n([\s\S]*?)^ *```/gm;

/** Relative links of Markdown `pages` that lead nowhere. `exists` tells of a path of the repository. */
export function linkProblems(
  pages: readonly TextFile[],
  exists: (path: string) => boolean,
): readonly string[] {
  return pages.flatMap(({ path, text }) =>
    [...withoutCode(text).matchAll(LINK)]
      .map((match) => match[1] ?? '')
      .filter((target) => !/^([a-z]+:|#)/.test(target))
      .filter((target) => !exists(resolveLink(path, target)))
      .map((target) => `${path}: the link ${target} leads nowhere`),
  );
}

/** YAML blocks of `pages`, and YAML files, that do not parse, or that hold one of `kinds` and do not fit its schema. */
export function yamlProblems(
  files: readonly TextFile[],
  kinds: readonly KindDescriptor[],
): readonly string[] {
  return files.flatMap(({ path, text }) =>
    blocksOf(path, text).flatMap((block) =>
      parseAllDocuments(block.text).flatMap((document) => {
        const where = `${path}:${block.line}`;
        const [error] = document.errors;
        if (error !== undefined) return [`${where}: ${error.message.split('\n')[0]}`];
        return objectProblems(document.toJS(), kinds).map((one) => `${where}: ${one}`);
      }),
    ),
  );
}

/** Reasons of a kind that its specification page does not mention. */
export function missingReasons(page: TextFile, reasons: readonly string[]): readonly string[] {
  return reasons
    .filter((reason) => !page.text.includes(`\`${reason}\``))
    .map((reason) => `${page.path}: says nothing of the reason ${reason}`);
}

/** Code may hold what looks like a link. */
function withoutCode(text: string): string {
  return text.replaceAll(FENCE, '').replaceAll(/`[^`\n]*`/g, '');
}

interface Block {
  readonly text: string;
  readonly line: number;
}

function blocksOf(path: string, text: string): readonly Block[] {
  if (!path.endsWith('.md')) return [{ text, line: 1 }];
  return [...text.matchAll(FENCE)]
    .filter(([, language]) => language === 'yaml' || language === 'yml')
    .map((match) => ({
      text: outdent(match[2] ?? ''),
      line: text.slice(0, match.index).split('\n').length + 1,
    }));
}

/** A block within a list item is indented as a whole. */
function outdent(text: string): string {
  const indent = /^ */.exec(text)?.[0] ?? '';
  return text.replaceAll(new RegExp(`^${indent}`, 'gm'), '');
}

function objectProblems(object: unknown, kinds: readonly KindDescriptor[]): readonly string[] {
  if (typeof object !== 'object' || object === null || !('kind' in object)) return [];
  if (!('apiVersion' in object)) return fragmentProblems({ ...object }, kinds);
  const kind = kinds.find(
    (one) => one.kind === object.kind && `${one.group}/${one.version}` === object.apiVersion,
  );
  if (kind === undefined) {
    const isOurs = String(object.apiVersion).startsWith(`${kinds[0]?.group}/`);
    return isOurs ? [`there is no kind ${String(object.kind)} in ${String(object.apiVersion)}`] : [];
  }
  const spec = 'spec' in object ? object.spec : undefined;
  const result = kind.spec.safeParse(spec);
  const misfits = result.success
    ? []
    : result.error.issues.map((issue) => `spec.${issue.path.map(String).join('.')}: ${issue.message}`);
  return [...misfits, ...unknownFields(spec, result.data, 'spec')];
}

/** A part of an object, as pages show it: what it has must be right, and more may be needed. */
function fragmentProblems(
  object: { readonly kind?: unknown },
  kinds: readonly KindDescriptor[],
): readonly string[] {
  const kind = kinds.find((one) => one.kind === object.kind);
  return kind === undefined ? [] : partialProblems(object, rootSchema(kind));
}

/** Fields that the schema does not know: the API server would drop them without a word. */
function unknownFields(given: unknown, parsed: unknown, path: string): readonly string[] {
  if (typeof given !== 'object' || given === null || typeof parsed !== 'object' || parsed === null) return [];
  return Object.entries(given).flatMap(([key, value]) => {
    const known = (parsed as Readonly<Record<string, unknown>>)[key];
    if (known === undefined && value !== undefined) return [`${path}.${key}: is not a field`];
    return unknownFields(value, known, `${path}.${key}`);
  });
}

function resolveLink(page: string, target: string): string {
  const [path = ''] = target.split('#');
  return posix.join(posix.dirname(page), path).replace(/\/$/, '');
}

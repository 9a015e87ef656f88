// SPDX-License-Identifier: Apache-2.0
import { rootSchema } from '#crds/openapi/crd';
import type { KindDescriptor } from '#crds/openapi/kind';
import type { Schema } from '#crds/openapi/structural';
import { jsonPatchProblems } from './json-patch.ts';
import { deadPaths } from './json-path.ts';
import { type KubectlWords, readKubectl } from './kubectl-words.ts';
import { partialProblems } from './partial-object.ts';
import type { TextFile } from './source-rules.ts';

/** A kind with the schema of its objects. */
interface KnownKind {
  readonly kind: KindDescriptor;
  readonly schema: Schema;
}

/** A command of kubectl about objects of ours. */
interface Command {
  readonly kinds: readonly KnownKind[];
  readonly flags: KubectlWords['flags'];
}

const BLOCK = /^ *```(?:sh|console)\n([\s\S]*?)^ *```/gm;
/** A command within a sentence. */
const INLINE = /`(kubectl [^`\n]+)`/g;
const WORD = /(?:[^\s'"\\]|\\.|'[^']*'|"(?:[^"\\]|\\.)*")+/g;
const VERBS = new Set(['get', 'patch', 'wait', 'describe']);
const ENDS = new Set(['|', '||', '&&', ';', '#']);
/** Fields that every kind can be selected by. */
const ALWAYS_SELECTABLE = ['.metadata.name', '.metadata.namespace'];

/**
 * What commands of kubectl in the `sh` and `console` blocks of `pages`, and in their sentences, ask of `kinds` that these do not have: fields of patches, of JSONPath
 * templates and of field selectors, and conditions that are waited for.
 */
export function commandProblems(
  pages: readonly TextFile[],
  kinds: readonly KindDescriptor[],
): readonly string[] {
  const known = kinds.map((kind) => ({ kind, schema: rootSchema(kind) }));
  return pages.flatMap(({ path, text }) =>
    [...text.matchAll(BLOCK), ...text.matchAll(INLINE)].flatMap((found) => {
      const line = text.slice(0, found.index + found[0].indexOf(found[1] ?? '')).split('\n').length;
      return commandsOf(found[1] ?? '', known)
        .flatMap(problemsOf)
        .map((one) => `${path}:${line}: ${one}`);
    }),
  );
}

/** The commands about kinds that are known, with lines that are continued put together. */
function commandsOf(block: string, known: readonly KnownKind[]): readonly Command[] {
  return block
    .replaceAll(/\\\n\s*/g, ' ')
    .split('\n')
    .flatMap((line) => {
      const words = [...line.matchAll(WORD)].map(([word]) => unquoted(word));
      const start = words.findIndex((word) => /(^|\()kubectl$/.test(word)) + 1;
      const end = words.findIndex((word, index) => index >= start && ENDS.has(word));
      const own = start === 0 ? [] : words.slice(start, end === -1 ? undefined : end);
      const { plain, flags } = readKubectl(own);
      const kinds = kindsOf(plain, known);
      return kinds.length === 0 ? [] : [{ kinds, flags }];
    });
}

function unquoted(word: string): string {
  return word
    .replace(/\)$/, '')
    .replaceAll(/'([^']*)'|"((?:[^"\\]|\\.)*)"/g, (_, single?: string, double?: string) => {
      return single ?? (double ?? '').replaceAll(/\\(.)/g, '$1');
    });
}

/** The kinds that a command names: `tn acme`, `quotaledger/acme usagerecord/acme`, `tn,ag`. None where one is not known. */
function kindsOf(plain: readonly string[], known: readonly KnownKind[]): readonly KnownKind[] {
  const [verb = '', first = '', ...rest] = plain;
  if (!VERBS.has(verb)) return [];
  const names = first.includes('/')
    ? [first, ...rest.filter((one) => one.includes('/'))].map((one) => one.split('/')[0] ?? '')
    : first.split(',');
  const found = names.map((name) => known.find(({ kind }) => isName(name, kind)));
  return found.every((one) => one !== undefined) ? found : [];
}

function isName(name: string, { kind, plural, singular, shortNames }: KindDescriptor): boolean {
  return [kind.toLowerCase(), plural, singular, ...shortNames].includes(name);
}

function problemsOf(command: Command): readonly string[] {
  const of = (flag: string): readonly string[] => command.flags.get(flag) ?? [];
  return [
    ...of('--patch').flatMap((patch) => patchProblems(patch, command)),
    ...of('--field-selector').flatMap((selector) => selectorProblems(selector, command)),
    ...[...of('--output'), ...of('--for')].flatMap((format) => pathProblems(format, command)),
    ...of('--sort-by').flatMap((path) => templateProblems(`{${path.replaceAll(/[{}]/g, '')}}`, command)),
    ...of('--for').flatMap((wanted) => conditionProblems(wanted, command)),
  ];
}

/** What none of the kinds of a command is content with is told, as the first of them sees it. */
function ofAll(
  { kinds }: Command,
  problemsOfOne: (known: KnownKind) => readonly string[],
): readonly string[] {
  const found = kinds.map((known) => problemsOfOne(known).map((one) => `${known.kind.kind}: ${one}`));
  return found.some((one) => one.length === 0) ? [] : (found[0] ?? []);
}

function patchProblems(text: string, command: Command): readonly string[] {
  let patch: unknown;
  try {
    patch = JSON.parse(text);
  } catch {
    return [`the patch ${text} is no JSON`];
  }
  const type = command.flags.get('--type')?.[0];
  if (type === 'json') return ofAll(command, ({ schema }) => jsonPatchProblems(patch, schema));
  // kubectl sends a strategic merge patch by itself, which the API server takes for kinds of its own alone.
  if (type !== 'merge') return [`the patch ${text} needs --type merge or --type json`];
  return ofAll(command, ({ schema }) => partialProblems(patch, schema));
}

function pathProblems(format: string, command: Command): readonly string[] {
  const template = /^jsonpath=(\{.*\})/.exec(format)?.[1];
  return template === undefined ? [] : templateProblems(template, command);
}

function templateProblems(template: string, command: Command): readonly string[] {
  return ofAll(command, ({ schema }) =>
    deadPaths(template, schema).map((path) => `the path ${path} leads to no field`),
  );
}

function selectorProblems(selector: string, command: Command): readonly string[] {
  const fields = selector.split(',').map((one) => `.${one.split(/!?=/)[0]}`);
  return ofAll(command, ({ kind }) => {
    const selectable = [...ALWAYS_SELECTABLE, ...(kind.selectableFields ?? [])];
    return fields
      .filter((field) => !selectable.includes(field))
      .map((field) => `no field selector knows ${field}`);
  });
}

function conditionProblems(wanted: string, command: Command): readonly string[] {
  const name = /^condition=(\w+)/.exec(wanted)?.[1];
  if (name === undefined) return [];
  return ofAll(command, ({ schema }) =>
    conditionsTold(schema).includes(name) ? [] : [`there is no condition ${name}`],
  );
}

/** The words of what the schema says of its conditions: it names them all. */
function conditionsTold(schema: Schema): readonly string[] {
  const properties = schema['properties'] as Readonly<Record<string, Schema>>;
  const fields = properties['status']?.['properties'] as Readonly<Record<string, Schema>> | undefined;
  const told = fields?.['conditions']?.['description'] as string | undefined;
  return told?.match(/[A-Za-z]+/g) ?? [];
}

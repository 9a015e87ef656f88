// SPDX-License-Identifier: Apache-2.0
import { rootSchema } from '#crds/openapi/crd';
import type { KindDescriptor } from '#crds/openapi/kind';
import type { Schema } from '#crds/openapi/structural';
import { deadPaths } from './json-path.ts';
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
  /** All words after `kubectl`, without their quotes. */
  readonly words: readonly string[];
}

const BLOCK = /^ *```(?:sh|console)\n([\s\S]*?)^ *```/gm;
const WORD = /(?:[^\s'"\\]|\\.|'[^']*'|"(?:[^"\\]|\\.)*")+/g;
/** Flags whose value is the next word. */
const WITH_VALUE = new Set(['-n', '--namespace', '--as', '--context', '-l', '-o', '-p', '-f', '--type']);
const VERBS = new Set(['get', 'patch', 'wait', 'describe']);
const ENDS = new Set(['|', '||', '&&', ';', '#']);
/** Fields that every kind can be selected by. */
const ALWAYS_SELECTABLE = ['.metadata.name', '.metadata.namespace'];

/**
 * What commands of kubectl in the `sh` and `console` blocks of `pages` ask of `kinds` that these do not have: fields of patches, of JSONPath
 * templates and of field selectors, and conditions that are waited for.
 */
export function commandProblems(
  pages: readonly TextFile[],
  kinds: readonly KindDescriptor[],
): readonly string[] {
  const known = kinds.map((kind) => ({ kind, schema: rootSchema(kind) }));
  return pages.flatMap(({ path, text }) =>
    [...text.matchAll(BLOCK)].flatMap((block) => {
      const line = text.slice(0, block.index).split('\n').length + 1;
      return commandsOf(block[1] ?? '', known)
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
      const kinds = kindsOf(own, known);
      return kinds.length === 0 ? [] : [{ kinds, words: own }];
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
function kindsOf(words: readonly string[], known: readonly KnownKind[]): readonly KnownKind[] {
  const plain = words.filter(
    (word, index) => !word.startsWith('-') && !WITH_VALUE.has(words[index - 1] ?? ''),
  );
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
  return command.words.flatMap((word, index) => [
    ...(command.words[index - 1] === '-p' ? patchProblems(word, command) : []),
    ...(command.words[index - 1] === '--field-selector' ? selectorProblems(word, command) : []),
    ...pathProblems(word, command),
    ...conditionProblems(word, command),
  ]);
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
  return ofAll(command, ({ schema }) => partialProblems(patch, schema));
}

function pathProblems(word: string, command: Command): readonly string[] {
  const template = /jsonpath=(\{.*\})/.exec(word)?.[1];
  if (template === undefined) return [];
  return ofAll(command, ({ schema }) =>
    deadPaths(template, schema).map((path) => `the path ${path} leads to no field`),
  );
}

function selectorProblems(word: string, command: Command): readonly string[] {
  const fields = word.split(',').map((one) => `.${one.split(/!?=/)[0]}`);
  return ofAll(command, ({ kind }) => {
    const selectable = [...ALWAYS_SELECTABLE, ...(kind.selectableFields ?? [])];
    return fields
      .filter((field) => !selectable.includes(field))
      .map((field) => `no field selector knows ${field}`);
  });
}

function conditionProblems(word: string, command: Command): readonly string[] {
  const name = /^--for=condition=(\w+)/.exec(word)?.[1];
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

// SPDX-License-Identifier: Apache-2.0
import { type Document, isScalar, parseAllDocuments, type ScalarTag, stringify, visit } from 'yaml';
import { Decimal, isArray, RegoObject, RegoSet, type Value } from '../values/value.ts';
import { keyText } from '../values/write.ts';
import { type Builtins, fromWhole, ofTexts, TooMuch } from './builtin.ts';

/** Numbers in forms that YAML 1.2 has given up, and OPA still reads: octal with a zero, binary, and with underscores. */
const OLD_NUMBERS: readonly ScalarTag[] = [
  oldNumber(/^[-+]?0[0-7_]+$/, (digits) => `0o${digits}`),
  oldNumber(/^[-+]?0b[01_]+$/, (digits) => digits),
  oldNumber(/^[-+]?(?:[1-9][0-9_]*|0x[0-9a-fA-F_]+)$/, (digits) => digits),
];

/** Bytes stand for the text that they are. */
const BINARY: ScalarTag = {
  tag: 'tag:yaml.org,2002:binary',
  resolve: (text) => Buffer.from(text, 'base64').toString(),
};

/** A document may have parts that stand for others many times over: no more than that. */
const MAX_ALIASES = 100;

/** YAML as OPA reads it: 1.2 with some of 1.1, and of two keys that are the same the last. */
export const YAML_BUILTINS: Builtins = {
  'yaml.is_valid': ([text]) => typeof text === 'string' && parse(text) !== undefined,
  'yaml.unmarshal': ofTexts((text) => parse(text)?.value),
  'yaml.marshal': ([value]) =>
    value === undefined
      ? undefined
      : stringify(toYaml(value), { version: '1.1', lineWidth: 0, blockQuote: false }),
};

/** Undefined for what is no YAML, or nothing that JSON could hold. */
function parse(text: string): { readonly value: Value } | undefined {
  const documents = parseAllDocuments(text, {
    intAsBigInt: true,
    uniqueKeys: false,
    merge: true,
    logLevel: 'silent',
    customTags: (tags) => [...OLD_NUMBERS, BINARY, ...tags],
  });
  const document: Document.Parsed | undefined = Array.isArray(documents) ? documents[0] : undefined;
  if (document === undefined) return { value: null };
  if (document.errors.length > 0) return undefined;
  endLikeText(document, text);
  try {
    return { value: fromYaml(document.toJS({ maxAliasCount: MAX_ALIASES })) };
  } catch (error) {
    // Other documents with parts that stand for others may be right: of this one nothing is known.
    if (error instanceof ReferenceError && error.message.startsWith('Excessive')) {
      throw new TooMuch(`a document of YAML stands for itself more than ${MAX_ALIASES} times`);
    }
    if (error instanceof ReferenceError || error instanceof NoJson) return undefined;
    throw error;
  }
}

/** A block at the end of a text without a last newline has none either. */
function endLikeText(document: Document.Parsed, text: string): void {
  if (text.endsWith('\n')) return;
  visit(document, (_, node) => {
    if (!isScalar(node) || !node.type?.startsWith('BLOCK') || (node.range?.[1] ?? 0) < text.length) return;
    if (typeof node.value === 'string') node.value = node.value.replace(/\n$/, '');
  });
}

/** What YAML can say and JSON cannot. */
class NoJson extends Error {}

function fromYaml(value: unknown): Value {
  if (typeof value === 'bigint') return fromWhole(value);
  if (typeof value === 'number' && !Number.isFinite(value)) throw new NoJson('JSON has no such number');
  if (Array.isArray(value)) return value.map(fromYaml);
  if (typeof value === 'object' && value !== null) {
    return new RegoObject(Object.entries(value).map(([key, one]) => [key, fromYaml(one)]));
  }
  return value as Value;
}

/** Numbers keep all their digits. */
function toYaml(value: Value): unknown {
  if (value instanceof Decimal) return Number(value.text);
  if (value instanceof RegoSet) return value.members.map(toYaml);
  if (value instanceof RegoObject)
    return Object.fromEntries(value.entries.map(([key, one]) => [keyText(key), toYaml(one)]));
  return isArray(value) ? value.map(toYaml) : value;
}

function oldNumber(test: RegExp, write: (digits: string) => string): ScalarTag {
  return {
    tag: 'tag:yaml.org,2002:int',
    default: true,
    test,
    resolve: (text) => {
      const size = BigInt(write(text.replace(/^[-+]/, '').replaceAll('_', '')));
      return text.startsWith('-') ? -size : size;
    },
  };
}

// SPDX-License-Identifier: Apache-2.0
import { isDeeperThan, isJsonObject, type JsonObject } from './review.ts';

/** What is done with a match of a detector, from the mildest. */
export const DLP_ACTIONS = ['allow', 'log', 'redact', 'block'] as const;
/** One of them. */
export type DlpAction = (typeof DLP_ACTIONS)[number];

/** What the constraint that a finding comes from says is done with it. */
export const FINDING_ACTIONS = ['deny', 'warn', 'dryrun'] as const;
/** One of them. */
export type FindingAction = (typeof FINDING_ACTIONS)[number];

/** What is wrong with an object, as one rule of a pack says it. */
export interface Finding {
  readonly rule: string;
  readonly message: string;
  readonly field?: string;
}

/** Of a `violation`: also what its constraint wants done. */
export interface Violation extends Finding {
  readonly action: FindingAction;
}

/** A match of a detector, at a place of the object. */
export interface DlpMatch {
  readonly detector: string;
  readonly action: DlpAction;
  readonly path: string;
  readonly message: string;
}

/** The most of each that is allowed; absent is no limit. */
export interface Limits {
  readonly tokens?: number;
  readonly cost?: number;
  readonly seconds?: number;
}

/** A value for a place of the object that has none. */
export interface Default {
  readonly path: string;
  readonly value: unknown;
}

/** Everything that a pack may answer. What it does not speak of is absent: that is not the same as an empty list. */
export interface PackAnswer {
  readonly deny: readonly Finding[];
  readonly warn: readonly Finding[];
  readonly violation: readonly Violation[];
  /** Null: it has rules on access, and none of them says anything. */
  readonly allow?: boolean | null;
  readonly regions?: readonly string[];
  readonly dlp: readonly DlpMatch[];
  readonly disclosures: readonly string[];
  readonly limits: Limits;
  readonly masks: readonly string[];
  readonly mutate: readonly Default[];
}

/** An answer, or why it is none: which key, and what would pass. */
export type ReadAnswer =
  | { readonly kind: 'ok'; readonly answer: PackAnswer }
  | { readonly kind: 'malformed'; readonly message: string };

/** An answer that says nothing. */
export const SILENT: PackAnswer = {
  deny: [],
  warn: [],
  violation: [],
  dlp: [],
  disclosures: [],
  limits: {},
  masks: [],
  mutate: [],
};

/** Entries of one list of an answer; a pod has at most some hundred things that can be wrong. */
export const MAX_ENTRIES = 1000;
/** Characters of a message. What is longer is cut: it is still a denial. */
export const MAX_MESSAGE = 1024;
const MAX_WORD = 256;
const MAX_PATH = 1024;
const MAX_DEFAULT_DEPTH = 32;

class Malformed extends Error {}

/**
 * Reads what a pack answered. Strict: a key that is misspelt, or a value of another type, would otherwise be a rule that never
 * holds, and nobody would know. Whether such a pack then denies is what its enforcement says.
 */
export function readAnswer(value: unknown): ReadAnswer {
  try {
    return { kind: 'ok', answer: toAnswer(value) };
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    return { kind: 'malformed', message: error.message };
  }
}

const READERS: { readonly [Key in keyof PackAnswer]-?: (value: unknown, key: string) => PackAnswer[Key] } = {
  deny: (value, key) => listAt(value, key, toFinding),
  warn: (value, key) => listAt(value, key, toFinding),
  violation: (value, key) => listAt(value, key, toViolation),
  allow: (value, key) => (value === null ? null : booleanAt(value, key)),
  regions: (value, key) => listAt(value, key, wordAt),
  dlp: (value, key) => listAt(value, key, toDlpMatch),
  disclosures: (value, key) => listAt(value, key, wordAt),
  limits: toLimits,
  masks: (value, key) => listAt(value, key, pointerAt),
  mutate: (value, key) => listAt(value, key, toDefault),
};

/** One copy is filled in: an object for each key, and then one of them all, takes four times as long, for each pack and each question. */
function toAnswer(value: unknown): PackAnswer {
  if (!isJsonObject(value)) throw wrong('the decision', 'an object');
  const answer: Partial<Record<keyof PackAnswer, unknown>> = { ...SILENT };
  for (const key of Object.keys(value)) {
    if (!isKey(key)) throw wrong(key, `one of ${Object.keys(READERS).join(', ')}`);
    answer[key] = READERS[key](value[key], key);
  }
  return answer as PackAnswer;
}

function isKey(key: string): key is keyof PackAnswer {
  return Object.hasOwn(READERS, key);
}

function toFinding(value: unknown, at: string): Finding {
  if (typeof value === 'string') return { rule: '', message: cut(value) };
  const found = objectAt(value, at, ['msg', 'details', 'field', 'rule', 'enforcementAction']);
  const { msg, field, rule } = found;
  return {
    rule: rule === undefined ? '' : wordAt(rule, `${at}.rule`),
    message: msg === undefined ? 'no message' : cut(textAt(msg, `${at}.msg`)),
    ...(field !== undefined && { field: textAt(field, `${at}.field`).slice(0, MAX_PATH) }),
  };
}

function toViolation(value: unknown, at: string): Violation {
  const finding = toFinding(value, at);
  const wanted = isJsonObject(value) ? value['enforcementAction'] : undefined;
  if (wanted === undefined) return { ...finding, action: 'deny' };
  return { ...finding, action: oneOf(wanted, FINDING_ACTIONS, `${at}.enforcementAction`) };
}

function toDlpMatch(value: unknown, at: string): DlpMatch {
  const found = objectAt(value, at, ['detector', 'action', 'path', 'msg']);
  const detector = wordAt(found['detector'], `${at}.detector`);
  return {
    detector,
    action: oneOf(found['action'], DLP_ACTIONS, `${at}.action`),
    path: pointerAt(found['path'] ?? '', `${at}.path`),
    message: cut(textAt(found['msg'] ?? `found by ${detector}`, `${at}.msg`)),
  };
}

function toLimits(value: unknown, at: string): Limits {
  const found = objectAt(value, at, ['tokens', 'cost', 'seconds']);
  for (const [key, limit] of Object.entries(found)) {
    if (typeof limit !== 'number' || !Number.isFinite(limit) || limit < 0)
      throw wrong(`${at}.${key}`, 'a number that is not negative');
  }
  return found;
}

function toDefault(value: unknown, at: string): Default {
  const found = objectAt(value, at, ['path', 'value']);
  const path = pointerAt(found['path'], `${at}.path`);
  if (path === '') throw wrong(`${at}.path`, 'a place below the object');
  if (found['value'] === undefined) throw wrong(`${at}.value`, 'a value');
  if (isDeeperThan(found['value'], MAX_DEFAULT_DEPTH))
    throw wrong(`${at}.value`, `at most ${MAX_DEFAULT_DEPTH} levels`);
  return { path, value: found['value'] };
}

/** A list of at most so many entries; a set of Rego comes as one. */
function listAt<T>(value: unknown, key: string, of: (one: unknown, at: string) => T): readonly T[] {
  if (!Array.isArray(value)) throw wrong(key, 'a list or set');
  if (value.length > MAX_ENTRIES) throw wrong(key, `at most ${MAX_ENTRIES} entries`);
  return value.map((one, index) => of(one, `${key}[${index}]`));
}

function objectAt(value: unknown, at: string, keys: readonly string[]): JsonObject {
  if (!isJsonObject(value)) throw wrong(at, 'an object');
  const stranger = Object.keys(value).find((key) => !keys.includes(key));
  if (stranger !== undefined) throw wrong(`${at}.${stranger.slice(0, 64)}`, `one of ${keys.join(', ')}`);
  return value;
}

function booleanAt(value: unknown, at: string): boolean {
  if (typeof value !== 'boolean') throw wrong(at, 'true or false');
  return value;
}

function textAt(value: unknown, at: string): string {
  if (typeof value !== 'string') throw wrong(at, 'a string');
  return value;
}

function wordAt(value: unknown, at: string): string {
  const word = textAt(value, at);
  if (word === '' || word.length > MAX_WORD) throw wrong(at, `a string of 1 to ${MAX_WORD} characters`);
  return word;
}

function pointerAt(value: unknown, at: string): string {
  const pointer = textAt(value, at);
  if (pointer.length > MAX_PATH || !/^(\/([^~/]|~[01])*)*$/.test(pointer))
    throw wrong(at, 'a JSON pointer, such as /spec/containers/0/image');
  return pointer;
}

function oneOf<T extends string>(value: unknown, words: readonly T[], at: string): T {
  const found = words.find((one) => one === value);
  if (found === undefined) throw wrong(at, words.join(' or '));
  return found;
}

function cut(text: string): string {
  return text.length <= MAX_MESSAGE ? text : `${text.slice(0, MAX_MESSAGE - 1)}…`;
}

/** Names the place and what would pass. Never what was found: a pack may have answered with what it was given. */
function wrong(at: string, wanted: string): Malformed {
  return new Malformed(`the pack answered something else than ${wanted} in ${at.slice(0, 128)}`);
}

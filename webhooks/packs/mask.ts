// SPDX-License-Identifier: Apache-2.0
import { partsOf, pointerOf } from '#operator/core/policy/pointer';

/** What of an event was left out, and what was replaced: JSON pointers. */
export interface Masking {
  readonly erased: string[];
  readonly masked: string[];
}

/** What stands in place of a part of a text. */
export const MASK = '[masked]';

/** Names of fields whose texts are credentials. */
const CREDENTIAL =
  /(^|[-_.]|[a-z](?=[A-Z]))(token|password|passwd|passphrase|secret|api[-_]?key|private[-_]?key|authorization|credentials?)$/i;
/** Credentials within texts: `--token=abc`, `Bearer abc`, tokens and keys that tell themselves by how they begin. */
const WITHIN = new RegExp(
  [
    String.raw`\bauthorization["']?\s*[=:]\s*["']?(?:\w+\s+)?[^\s"',;&]+`,
    String.raw`\bbearer\s+[\w.~+/=-]{8,}`,
    String.raw`\b(?:token|password|passwd|secret|api[-_]?key)["']?\s*[=:]\s*["']?[^\s"',;&]+`,
    String.raw`\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*`,
    String.raw`\bAKIA[0-9A-Z]{16}`,
    String.raw`\bgh[pousr]_\w{20,}`,
    String.raw`\bsk-[\w-]{20,}`,
    String.raw`-----BEGIN [A-Z ]{0,32}PRIVATE KEY-----[\s\S]*`,
  ].join('|'),
  'gi',
);
/** A list of variables of containers: their values are where people put secrets. */
const ENV = 'env';
/** Of a value that is deeper nothing is told. */
const MAX_DEPTH = 64;
/** A text that is longer is told by its beginning. */
const MAX_TEXT = 4096;

type Path = readonly string[];

/** A copy of `value` without what no log shows, and a note of what that was. `erase` are JSON pointers into `value`. */
export function maskValue(
  value: unknown,
  { at, erase, noted }: { readonly at: Path; readonly erase: ReadonlySet<string>; readonly noted: Masking },
): unknown {
  const visit = (one: unknown, path: Path): unknown => {
    // Most often nothing is to be left out by its place, and to name each place would take half of the time.
    const isErased = erase.size > 0 && erase.has(pointerOf(path));
    if (isErased || path.length > MAX_DEPTH + at.length) return erased(path);
    if (typeof one === 'string') return textOf(one, path);
    if (Array.isArray(one)) return one.map((part, index) => visit(part, [...path, String(index)]));
    if (typeof one !== 'object' || one === null) return one;
    const fields = Object.entries(one)
      .map(([key, part]) => [key, visitField(part, [...path, key])] as const)
      .filter(([, part]) => part !== undefined);
    return Object.fromEntries(fields);
  };
  const visitField = (part: unknown, path: Path): unknown => {
    const isCredential = typeof part === 'string' && part !== '' && CREDENTIAL.test(path.at(-1) ?? '');
    return isCredential || isEnvValue(path) ? erased(path) : visit(part, path);
  };
  const textOf = (text: string, path: Path): string => {
    const masked = text.slice(0, MAX_TEXT).replace(WITHIN, MASK);
    if (masked !== text) noted.masked.push(pointerOf(path));
    return masked;
  };
  const erased = (path: Path): undefined => {
    noted.erased.push(pointerOf(path));
    return undefined;
  };
  return visit(value, at);
}

/** `…/env/3/value`. */
function isEnvValue(path: Path): boolean {
  return path.at(-1) === 'value' && path.at(-3) === ENV;
}

/** Pointers of packs: as OPA has them, from `/input` or `/result` on; or from the object that is judged. */
export function maskPointers(masks: readonly string[], object: Path): ReadonlySet<string> {
  return new Set(
    masks.map((mask) => {
      const parts = partsOf(mask);
      return parts[0] === 'input' || parts[0] === 'result' ? mask : pointerOf([...object, ...parts]);
    }),
  );
}

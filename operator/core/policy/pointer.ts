// SPDX-License-Identifier: Apache-2.0
import { isJsonObject } from './review.ts';

/** What a JSON pointer leads to in a value. */
export type Target =
  | { readonly kind: 'found'; readonly value: unknown }
  /** It ends at a place that is not there: `depth` parts of it are. */
  | { readonly kind: 'absent'; readonly depth: number }
  /** It leads through a list, or a value that has nothing below, where nothing can be put. */
  | { readonly kind: 'nowhere' };

/** The parts of a JSON pointer (RFC 6901), unescaped. */
export function partsOf(pointer: string): readonly string[] {
  return pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** The JSON pointer of parts. */
export function pointerOf(parts: readonly string[]): string {
  return parts.map((part) => `/${part.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

/** Follows a pointer. Only through what a value has itself: a part may be called `__proto__`. */
export function resolve(value: unknown, parts: readonly string[]): Target {
  let at = value;
  for (const [depth, part] of parts.entries()) {
    if (Array.isArray(at)) {
      const index = indexOf(part, at.length);
      if (index === undefined) return { kind: 'nowhere' };
      at = at[index];
    } else if (isJsonObject(at)) {
      if (!Object.hasOwn(at, part)) return { kind: 'absent', depth };
      at = at[part];
    } else return { kind: 'nowhere' };
  }
  return { kind: 'found', value: at };
}

/** An index as RFC 6901 writes it, of what is there: a default never makes a list longer. */
function indexOf(part: string, length: number): number | undefined {
  if (!/^(0|[1-9]\d{0,5})$/.test(part)) return undefined;
  const index = Number(part);
  return index < length ? index : undefined;
}

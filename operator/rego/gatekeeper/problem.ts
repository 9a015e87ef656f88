// SPDX-License-Identifier: Apache-2.0

/** What is wrong with a document: in which file, at which field, and what would pass. */
export interface Problem {
  readonly file: string;
  readonly field: string;
  readonly message: string;
}

/** A value, or everything that is wrong with what it was to be read from. */
export type Read<T> =
  | { readonly kind: 'ok'; readonly value: T }
  | { readonly kind: 'refused'; readonly problems: readonly Problem[] };

/** What was read. */
export function ok<T>(value: T): Read<T> {
  return { kind: 'ok', value };
}

/** Why nothing could be read. */
export function refused(...problems: readonly Problem[]): Read<never> {
  return { kind: 'refused', problems };
}

/** One line for people: `template.yaml: spec.targets: must be ...`. */
export function problemText({ file, field, message }: Problem): string {
  return `${file}: ${field}: ${message}`;
}

/** All values, or all problems of those that could not be read. */
export function allOf<T>(reads: readonly Read<T>[]): Read<readonly T[]> {
  const problems = reads.flatMap((one) => (one.kind === 'refused' ? one.problems : []));
  if (problems.length > 0) return { kind: 'refused', problems };
  return ok(reads.flatMap((one) => (one.kind === 'ok' ? [one.value] : [])));
}

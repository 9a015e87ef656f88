// SPDX-License-Identifier: Apache-2.0
import { type Assessment, readVex } from '../vex.ts';

/** The image that documents are attached to, and another one. */
export const IMAGE = `sha256:${'a'.repeat(64)}`;
export const OTHER = `sha256:${'b'.repeat(64)}`;
/** A package of it. */
export const A = 'pkg:npm/a@1';

/** What a document says of `IMAGE`. */
export function read(document: object): readonly Assessment[] {
  const judged = readVex(document as Parameters<typeof readVex>[0], IMAGE);
  if (judged.kind !== 'verified') throw new Error(judged.message);
  return judged.value;
}

/** A statement of OpenVEX: `A` does not have CVE-1. */
export function statement(change: object): object {
  return {
    vulnerability: { name: 'CVE-1', aliases: ['GHSA-1'] },
    products: [{ '@id': 'x', subcomponents: [{ '@id': A }] }],
    status: 'not_affected',
    justification: 'component_not_present',
    ...change,
  };
}

/** A statement of CVE-1 in `A`. */
export function says(status: string, change: object = {}): object {
  return statement({ vulnerability: { name: 'CVE-1' }, products: [{ '@id': A }], status, ...change });
}

/** A document of OpenVEX. */
export function document(timestamp: string | undefined, ...statements: readonly object[]): object {
  return { timestamp, statements };
}

/** A day of January. */
export function at(day: number): string {
  return `2026-01-0${day}T00:00:00Z`;
}

/** The purl of an image by its digest. */
export function oci(digest: string): string {
  return `pkg:oci/app@${digest.replace(':', '%3A')}?repository_url=r.example/app`;
}

// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { formatReference, parseReference, type Reference } from '../oci/reference.ts';

/** Longest part of a verdict's name that is for people. */
const READABLE = 40;
/** Hex digits of the hash in it: two images of one name are not to be met, not even by somebody who looks for them. */
const HASHED = 40;

/** The name of the ImageVerdict on an image, in whatever namespace: `busybox-<hash>`. The same for all ways to write the image. */
export function verdictName(image: string): string {
  const read = parseReference(image);
  return read.kind === 'ok' ? verdictNameOf(read.reference) : named('', image);
}

/** The same of an image that was read already. */
export function verdictNameOf(reference: Reference): string {
  return named(readablePart(reference), formatReference(reference));
}

function named(readable: string, whole: string): string {
  const hash = createHash('sha256').update(whole).digest('hex').slice(0, HASHED);
  return `${readable === '' ? 'image' : readable}-${hash}`;
}

function readablePart({ repository }: Reference): string {
  const last = repository.split('/').at(-1) ?? '';
  return last
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, READABLE)
    .replaceAll(/^-+|-+$/g, '');
}

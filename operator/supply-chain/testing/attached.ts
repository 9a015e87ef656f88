// SPDX-License-Identifier: Apache-2.0
import { readClassicAttestation, readClassicSignature } from '../classic.ts';
import type { Gathered } from '../evidence.ts';
import { readBundle, type SignedItem } from '../signed-item.ts';

/** All signatures that are attached; throws where one cannot be read. */
export function itemsOf({ evidence, subject }: Gathered): readonly SignedItem[] {
  return evidence.flatMap(({ form, bytes, annotations }) => {
    const read =
      form === 'bundle'
        ? readBundle(bytes, subject)
        : (form === 'signature' ? readClassicSignature : readClassicAttestation)(bytes, annotations);
    if (read.kind !== 'verified') throw new Error(`${read.reason}: ${read.message}`);
    return read.value;
  });
}

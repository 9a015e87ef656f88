// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';

const FOLDER = new URL('../../node_modules/@cyclonedx/cyclonedx-library/res/schema/', import.meta.url);

/**
 * A schema of the CycloneDX library, by the name of its file. In what is shipped, this module is another one that has them in it, packed
 * (hack/build/xml.ts).
 */
export function readSchema(name: string): Uint8Array {
  return readFileSync(new URL(name, FOLDER));
}

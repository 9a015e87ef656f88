// SPDX-License-Identifier: Apache-2.0
import { parseDocument } from 'yaml';
import type { PolicyFloor } from '#crds/v1alpha1/policy-floor';
import { FLOOR_FILE, readFloor } from '../core/policy-floor/source.ts';

/** A floor beside the rest of a source, or what is wrong with it. */
export type FloorFound =
  | { readonly kind: 'ok'; readonly floor: PolicyFloor | undefined }
  | { readonly kind: 'refused'; readonly message: string };

/** The longest text of a floor: it becomes part of an object of the API server, exemptions beside it. */
const MAX_BYTES = 128 * 1024;

/** The floor of a source, if it has one. Anybody may have written it. */
export function floorIn(files: ReadonlyMap<string, Uint8Array>): FloorFound {
  const bytes = files.get(FLOOR_FILE);
  if (bytes === undefined) return { kind: 'ok', floor: undefined };
  if (bytes.length > MAX_BYTES)
    return refused(`found ${bytes.length} bytes; at most ${MAX_BYTES} are allowed`);
  const parsed = parse(Buffer.from(bytes).toString('utf8'));
  if (parsed.kind === 'refused') return parsed;
  const read = readFloor(parsed.value);
  return read.kind === 'ok' ? read : refused(read.message);
}

function parse(text: string): { readonly kind: 'ok'; readonly value: unknown } | ReturnType<typeof refused> {
  try {
    const document = parseDocument(text, { logLevel: 'silent' });
    const [error] = document.errors;
    if (error !== undefined) return refused(error.message.split('\n')[0] ?? 'found text that is no YAML');
    // What stands for something else many times over becomes larger than what was read.
    return { kind: 'ok', value: document.toJS({ maxAliasCount: 0 }) };
  } catch (error) {
    return refused(error instanceof Error ? error.message : String(error));
  }
}

function refused(message: string) {
  return { kind: 'refused', message: `${FLOOR_FILE}: ${message}` } as const;
}

// SPDX-License-Identifier: Apache-2.0
import type { Schema } from '#crds/openapi/structural';
import { fieldOf, partialProblems } from './partial-object.ts';

/** One step of a JSON patch, as RFC 6902 has it. */
interface Operation {
  readonly op?: unknown;
  readonly path?: unknown;
  readonly from?: unknown;
  readonly value?: unknown;
}

const OPERATIONS = ['add', 'remove', 'replace', 'move', 'copy', 'test'];
const WITH_VALUE = ['add', 'replace', 'test'];

/** What a JSON patch does to fields that `schema` does not have, or puts there that it does not take. */
export function jsonPatchProblems(patch: unknown, schema: Schema): readonly string[] {
  if (!Array.isArray(patch)) return [`a JSON patch is a list of operations; found ${JSON.stringify(patch)}`];
  return (patch as readonly Operation[]).flatMap((one) => operationProblems(one, schema));
}

function operationProblems({ op, path, from, value }: Operation, schema: Schema): readonly string[] {
  if (!OPERATIONS.includes(String(op))) return [`found op ${String(op)}; allowed: ${OPERATIONS.join(', ')}`];
  const pointers = [path, ...(from === undefined ? [] : [from])].map(String);
  const dead = pointers.filter((pointer) => targetOf(pointer, schema) === undefined);
  if (dead.length > 0) return dead.map((pointer) => `the path ${pointer} leads to no field`);
  const target = targetOf(String(path), schema);
  if (!WITH_VALUE.includes(String(op)) || target === undefined || target === 'any') return [];
  return partialProblems(value, target, String(path));
}

/** What a JSON pointer leads to. */
function targetOf(pointer: string, schema: Schema): Schema | 'any' | undefined {
  if (pointer !== '' && !pointer.startsWith('/')) return undefined;
  return pointer
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce<Schema | 'any' | undefined>((node, step) => stepOf(node, step), schema);
}

function stepOf(node: Schema | 'any' | undefined, step: string): Schema | 'any' | undefined {
  if (node === undefined || node === 'any') return node;
  if (node['type'] === 'array') return /^(\d+|-)$/.test(step) ? (node['items'] as Schema) : undefined;
  return node['type'] === 'object' ? fieldOf(node, step) : undefined;
}

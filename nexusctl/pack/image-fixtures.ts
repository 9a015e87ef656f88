// SPDX-License-Identifier: Apache-2.0
import { resolve } from 'node:path';
import type { ImageUse } from '#operator/core/images/images';
import { TOLD_PARTS } from '#operator/core/images/proven-facts';
import { formatReference, parseReference } from '#operator/core/oci/reference';
import {
  type ImageInput,
  type ImageInputPolicy,
  type ImageTeller,
  NOT_KNOWN,
} from '#operator/core/policy/image-input';
import { isObject, type JsonObject, listAt, textAt } from '#operator/rego/gatekeeper/json';
import { CommandError, EXIT } from '../cli/command.ts';
import { readDocuments } from './documents.ts';

const KEYS = ['image', 'name', 'digest', 'state', 'reason', 'policies', 'field'];
const POLICY_KEYS = ['kind', 'name', 'outcome', 'reason', 'verifiedAt', 'validUntil', 'checks'].concat([
  'signers',
  'signersLeftOut',
  'provenance',
  'sbom',
  'vulnerabilities',
]);
const OUTCOMES = ['Verified', 'Refused', 'Unknown', 'NotAsked'];
const POLICY_KINDS = ['ClusterImagePolicy', 'ImagePolicy'];

/** What tells of images what somebody wrote down: `images` of a case, of a file, or of a decision. Of any other, that no policy is about it. */
export function fixedTeller(images: unknown, where: string): ImageTeller {
  if (!Array.isArray(images)) throw new CommandError(EXIT.usage, `${where}: images must be a list`);
  const all: readonly unknown[] = images;
  const known = all.map((one, index) => fixture(one, `${where}: images[${index}]`));
  return (uses) => uses.map((use) => told(use, known));
}

/** Reads a file with `images`, as cases have it. */
export async function imagesIn(cwd: string, path: string): Promise<ImageTeller> {
  const [document, ...others] = await readDocuments(resolve(cwd, path));
  if (document === undefined || others.length > 0)
    throw new CommandError(EXIT.usage, `${path} must hold one document with images, as cases have it`);
  return fixedTeller(document.value['images'], path);
}

function told(use: ImageUse, known: readonly Omit<ImageInput, 'field'>[]): ImageInput {
  const name = nameOf(use.image);
  const found = known.find((one) => one.image === use.image) ?? known.find((one) => one.name === name);
  if (found !== undefined) return { ...found, ...use };
  const reason = name === undefined ? NOT_KNOWN.InvalidReference : NOT_KNOWN.NotCovered;
  return { ...use, ...(name !== undefined && { name }), state: 'NotKnown', reason, policies: [] };
}

function nameOf(image: string): string | undefined {
  const read = parseReference(image);
  return read.kind === 'ok' ? formatReference(read.reference) : undefined;
}

function fixture(value: unknown, at: string): Omit<ImageInput, 'field'> {
  const one = objectOf(value, KEYS, at);
  const image = textAt(one, 'image');
  if (image === '') throw new CommandError(EXIT.usage, `${at}.image: must be an image as objects name it`);
  const policies = listAt(one, 'policies').map((policy, index) =>
    policyOf(policy, `${at}.policies[${index}]`),
  );
  const { field: _, ...rest } = one;
  const isKnown = policies.some(({ outcome }) => outcome !== 'Unknown');
  const name = nameOf(image);
  return {
    ...(name !== undefined && { name }),
    state: isKnown ? 'Known' : 'NotKnown',
    ...(!isKnown && { reason: policies.length === 0 ? NOT_KNOWN.NotCovered : NOT_KNOWN.CouldNotBeTold }),
    ...(rest as Partial<ImageInput>),
    image,
    policies,
  };
}

/** Most of it follows from what is stated: who states it was believed. */
function policyOf(value: unknown, at: string): ImageInputPolicy {
  const one = objectOf(value, POLICY_KEYS, at);
  const { kind = 'ClusterImagePolicy', outcome = 'Verified' } = one;
  if (textAt(one, 'name') === '') throw new CommandError(EXIT.usage, `${at}.name: must name a policy`);
  requireOne(kind, POLICY_KINDS, `${at}.kind`);
  requireOne(outcome, OUTCOMES.slice(0, 3), `${at}.outcome`);
  const given = objectOf(one['checks'] ?? {}, TOLD_PARTS, `${at}.checks`);
  for (const [part, found] of Object.entries(given)) requireOne(found, OUTCOMES, `${at}.checks.${part}`);
  const checks = TOLD_PARTS.map((part) => {
    const stated = one[part === 'signatures' ? 'signers' : part];
    const ifStated = outcome === 'Unknown' ? 'Unknown' : 'NotAsked';
    return [part, given[part] ?? (stated === undefined ? ifStated : 'Verified')] as const;
  });
  const rest = { ...one, kind, outcome, checks: Object.fromEntries(checks) };
  return rest as unknown as ImageInputPolicy;
}

function objectOf(value: unknown, keys: readonly string[], at: string): JsonObject {
  if (!isObject(value)) throw new CommandError(EXIT.usage, `${at}: must be an object`);
  const stranger = Object.keys(value).find((key) => !keys.includes(key));
  if (stranger === undefined) return value;
  throw new CommandError(EXIT.usage, `${at}.${stranger}: there are ${keys.join(', ')}`);
}

function requireOne(value: unknown, values: readonly string[], at: string): void {
  if (!values.some((one) => one === value))
    throw new CommandError(EXIT.usage, `${at}: must be ${values.join(' or ')}`);
}

// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import type { KindDescriptor } from '../openapi/kind.ts';
import { AGE } from './columns.ts';
import { dnsLabel, dnsSubdomain, int, sha256, text } from './meta.ts';
import { GROUP, VERSION } from './names.ts';
import { policyBinding } from './policy-binding.ts';
import { policyFacts } from './policy-facts.ts';
import { policyFloor } from './policy-floor.ts';
import { policyInventory } from './policy-inventory.ts';
import { policyEnforcement, policyEvaluation, policyInput } from './policy-pack.ts';
import { jsonObject } from './policy-source.ts';

/** The most ConfigMaps that one module, or its data, is kept in. */
export const MAX_CHUNKS = 16;
/** The most builtins that a module asks its host for. */
const MAX_BUILTINS = 256;

const blob = (description: string) =>
  z
    .object({
      digest: sha256('Digest of it, not compressed.'),
      size: int('Bytes of it, not compressed.', 1, 64 * 1024 * 1024),
      chunks: z
        .array(dnsSubdomain('Name of a ConfigMap in the namespace of the platform.'))
        .min(1)
        .max(MAX_CHUNKS)
        .describe('ConfigMaps that hold it, compressed by gzip as a whole, then cut.')
        .meta({ 'x-kubernetes-list-type': 'atomic' }),
    })
    .describe(description);

/** What an entry point of a module answers. */
export const ENTRYPOINT_ROLES = [
  'decision',
  'deny',
  'warn',
  'violation',
  'allow',
  'mutate',
  'regions',
  'dlp',
  'disclosures',
] as const;

const entrypoint = z.object({
  path: text('Path of the entry point: nexusos/main/decision.', 512).min(1),
  role: z.enum(ENTRYPOINT_ROLES).describe('What it answers. decision: all there is, as an object.'),
});

const spec = z
  .object({
    packRef: z
      .object({ name: dnsLabel('Name of the PolicyPack.'), uid: text('UID of it.', 64) })
      .describe('Whose revision it is.'),
    version: text('Version of the pack, as it says.', 64),
    digest: sha256(
      'Digest of all that it is made from, as JSON with sorted keys: the name ends with a part of it.',
    ),
    sourceDigest: sha256('Digest of the source alone.'),
    module: blob('The WebAssembly module.'),
    data: blob('JSON text of what rules find under `data`.').optional(),
    entrypoints: z
      .array(entrypoint)
      .min(1)
      .max(64)
      .describe('Entry points of the module.')
      .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['path'] }),
    builtins: z
      .array(text('Name of a builtin.', 128))
      .max(MAX_BUILTINS)
      .describe('Builtins that the module asks its host for.')
      .meta({ 'x-kubernetes-list-type': 'set' })
      .optional(),
    input: policyInput,
    hasMutate: z.boolean().describe('Whether it may change what it judges.'),
    binding: policyBinding,
    floor: policyFloor.optional(),
    parameters: jsonObject('What rules find as `input.parameters`.').optional(),
    inventory: policyInventory.optional(),
    facts: policyFacts.optional(),
    enforcement: policyEnforcement,
    evaluation: policyEvaluation,
    provenance: z
      .enum(['Inline', 'ConfigMap', 'Bundle', 'Prebuilt'])
      .describe(
        'Where it came from. Bundle: an OPA bundle, by https or from a registry. Prebuilt: one whose module was not compiled here.',
      ),
    compiler: text('What compiled it.', 64).optional(),
  })
  .describe('What the pack was.')
  .meta({
    'x-kubernetes-validations': [
      { rule: 'self == oldSelf', message: 'a PolicyPackRevision cannot be changed: change the PolicyPack' },
    ],
  });

/** The PolicyPackRevision kind: what a PolicyPack was at one time, compiled. Internal: made by NexusOS only. */
export const POLICY_PACK_REVISION = {
  group: GROUP,
  version: VERSION,
  kind: 'PolicyPackRevision',
  plural: 'policypackrevisions',
  singular: 'policypackrevision',
  shortNames: ['packrev'],
  categories: ['nexusos'],
  scope: 'Namespaced',
  description:
    'A PolicyPackRevision is what a PolicyPack was at one time, compiled and tried, and never changes. NexusOS makes it; people only read it.',
  spec,
  rules: [],
  columns: [
    { name: 'Pack', type: 'string', jsonPath: '.spec.packRef.name', description: 'Whose revision it is.' },
    { name: 'Version', type: 'string', jsonPath: '.spec.version', description: 'Version of the pack.' },
    {
      name: 'Enforcement',
      type: 'string',
      jsonPath: '.spec.enforcement',
      description: 'What a finding comes to.',
    },
    { name: 'Source', type: 'string', jsonPath: '.spec.provenance', description: 'Where it came from.' },
    {
      name: 'Module',
      type: 'string',
      jsonPath: '.spec.module.digest',
      description: 'Digest of the module.',
      priority: 1,
    },
    { name: 'Size', type: 'integer', jsonPath: '.spec.module.size', description: 'Bytes of the module.' },
    AGE,
  ],
} as const satisfies KindDescriptor;

/** Spec of a PolicyPackRevision. */
export type PolicyPackRevisionSpec = z.output<typeof spec>;
/** A module, or its data, and where it is kept. */
export type PolicyBlob = PolicyPackRevisionSpec['module'];
/** What an entry point answers. */
export type EntrypointRole = (typeof ENTRYPOINT_ROLES)[number];

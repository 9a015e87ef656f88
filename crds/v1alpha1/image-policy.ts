// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import type { CelRule, KindDescriptor } from '../openapi/kind.ts';
import { AGE, REASON, readyColumn } from './columns.ts';
import { imageAuthorities, MAX_AUTHORITIES } from './image-authority.ts';
import { repositoryGlob } from './image-glob.ts';
import { labelSelector } from './label-selector.ts';
import { conditions, dnsLabel, int, observedGeneration, sha256, text, uri } from './meta.ts';
import { GROUP, VERSION } from './names.ts';

const names = (description: string) =>
  z
    .array(dnsLabel('An authority of this policy.'))
    .max(MAX_AUTHORITIES)
    .describe(description)
    .meta({ 'x-kubernetes-list-type': 'set' });

const stated = {
  from: names('Authorities that may state it.').min(1),
  threshold: int('How many of them have to, each through a signer of its own.', 1, MAX_AUTHORITIES).default(
    1,
  ),
};

const licences = (description: string) =>
  z
    .array(text('An SPDX identifier.', 128).min(1))
    .max(256)
    .describe(description)
    .meta({ 'x-kubernetes-list-type': 'set' })
    .optional();

const provenance = z
  .object({
    ...stated,
    builders: z
      .array(
        z.object({
          id: text('The id of a builder, as provenance names it.', 512).min(1),
          level: int('The SLSA build level that it builds at.', 1, 4),
        }),
      )
      .min(1)
      .max(32)
      .describe('Who may have built it.')
      .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['id'] }),
    sources: z
      .array(uri('A repository, as https://host/path.'))
      .max(64)
      .describe('Repositories that it may have been built from. Empty: any.')
      .meta({ 'x-kubernetes-list-type': 'set' })
      .optional(),
    minLevel: int('The lowest SLSA build level.', 1, 4).default(1),
  })
  .describe('Who built it, and from what.');

const most = (what: string) => int(`The most of ${what}. Empty: any number.`, 0, 100_000).optional();

const vulnerabilities = z
  .object({
    ...stated,
    maxAgeSeconds: int('How old a report may be.', 3600, 31_536_000).default(604_800),
    budget: z
      .object({
        critical: most('those that are critical'),
        high: most('those that are high'),
        medium: most('those that are medium'),
        low: most('those that are low'),
        unscored: most('those that nobody has scored'),
      })
      .describe('How many it may have, after what does not affect it and what is waived.')
      .default({}),
    maxScore: z
      .string()
      .max(4)
      .regex(/^(10|10\.0|[0-9](\.[0-9])?)$/)
      .describe('The highest base score of CVSS that one may have: "7.5".')
      .optional(),
    vexFrom: names('Authorities whose word counts that an image is not affected.').optional(),
  })
  .describe('Which vulnerabilities it may have.');

const require = z
  .object({
    signatures: z.object(stated).describe('Who has to have signed it.').optional(),
    provenance: provenance.optional(),
    sbom: z
      .object({
        ...stated,
        allowedLicences: licences('Licences that components may have. Empty: any.'),
        deniedLicences: licences('Licences that none may have.'),
      })
      .describe('That there is a bill of materials, and with which licences.')
      .optional(),
    vulnerabilities: vulnerabilities.optional(),
  })
  .describe('What is asked of an image. All of it must hold.');

const PARTS = ['signatures', 'provenance', 'sbom', 'vulnerabilities'] as const;

/** Names in lists are those of authorities, and thresholds are no higher than lists are long. */
const RULES: readonly CelRule[] = [
  {
    rule: PARTS.map((one) => `has(self.require.${one})`).join(' || '),
    message: `require: at least one of ${PARTS.join(', ')} is needed`,
    fieldPath: '.require',
  },
  ...PARTS.map((one) => ({
    rule: `!has(self.require.${one}) || (self.require.${one}.threshold <= size(self.require.${one}.from) && self.require.${one}.from.all(n, self.authorities.exists(a, a.name == n)))`,
    message: `require.${one}: from names authorities of this policy, at least as many as threshold`,
    fieldPath: `.require.${one}`,
  })),
  {
    rule: '!has(self.require.vulnerabilities) || !has(self.require.vulnerabilities.vexFrom) || self.require.vulnerabilities.vexFrom.all(n, self.authorities.exists(a, a.name == n))',
    message: 'require.vulnerabilities.vexFrom names authorities of this policy',
    fieldPath: '.require.vulnerabilities.vexFrom',
  },
];

const common = {
  images: z
    .array(repositoryGlob())
    .min(1)
    .max(64)
    .describe('Images that it is about, by the whole name of their repository, without a tag.')
    .meta({ 'x-kubernetes-list-type': 'set' }),
  enforcement: z
    .enum(['Enforce', 'Warn'])
    .default('Enforce')
    .describe('Enforce: what is refused does not run. Warn: it does, and whoever makes it is told.'),
  unknown: z
    .enum(['Deny', 'Allow'])
    .default('Deny')
    .describe(
      'What becomes of an image of which it cannot be told whether it is as asked, since its registry does not answer. What is not known for another reason (too much is attached, or the policy cannot be read) never passes. Of what nobody has looked at yet pods always wait.',
    ),
  maxAgeSeconds: int(
    'How long a verdict counts from when it was found: the longest that images that are known start while registries are down.',
    300,
    2_592_000,
  ).default(86_400),
  platforms: z
    .enum(['Index', 'Each'])
    .default('Index')
    .describe('Of an index: whether what is asked of it is asked of each image in it as well.'),
  authorities: imageAuthorities,
  require,
  revoked: z
    .array(text('SHA-256 of the DER form of a key or certificate, in hex.', 64).regex(/^[0-9a-f]{64}$/))
    .max(256)
    .describe('Keys and certificates whose signatures count no more, whenever they were made.')
    .meta({ 'x-kubernetes-list-type': 'set' })
    .optional(),
};

const clusterSpec = z
  .object({
    namespaceSelector: labelSelector('Namespaces of tenants that it is for. Empty: all.').optional(),
    ...common,
  })
  .describe('What is asked of images, in which namespaces.')
  .meta({ 'x-kubernetes-validations': RULES });

const spec = z
  .object(common)
  .describe('What is asked of images in this namespace, beside what the platform asks.')
  .meta({ 'x-kubernetes-validations': RULES });

const count = (what: string) => int(what, 0, 1_000_000).optional();

const status = z
  .object({
    observedGeneration: observedGeneration().optional(),
    digest: sha256('Digest of the policy with all trust that it names.').optional(),
    verified: count('Images in use that are as asked.'),
    refused: count('Images in use that are not.'),
    unknown: count('Images in use of which it cannot be told.'),
    conditions: conditions('Ready.').optional(),
  })
  .describe('What became of it.');

/** Reasons of conditions of policies on images, and of their Events, each with its meaning. */
export const IMAGE_POLICY_REASONS = {
  /** Images are verified by it. */
  InForce: 'InForce',
  /** A key, a pattern or a root that it names cannot be read. */
  InvalidSpec: 'InvalidSpec',
  /** A Secret or TrustRoot that it names does not exist. */
  NotFound: 'NotFound',
  /** More policies are about an image than it is looked at by, and this one is left out: the image does not pass it. */
  TooManyPolicies: 'TooManyPolicies',
  /** It names a Secret that the operator may not read: give the key in `pem`, or name the Secret in `platform.imageKeySecrets` of the chart. */
  Forbidden: 'Forbidden',
} as const;

const COLUMNS = [
  { name: 'Enforcement', type: 'string', jsonPath: '.spec.enforcement', description: 'What it does.' },
  { name: 'Verified', type: 'integer', jsonPath: '.status.verified', description: 'Images as asked.' },
  { name: 'Refused', type: 'integer', jsonPath: '.status.refused', description: 'Images that are not.' },
  { name: 'Unknown', type: 'integer', jsonPath: '.status.unknown', description: 'Images not known.' },
  readyColumn('Whether images are verified by it.'),
  { ...REASON, priority: 1 },
  AGE,
] as const;

/** The ClusterImagePolicy kind: what the platform asks of images. */
export const CLUSTER_IMAGE_POLICY = {
  group: GROUP,
  version: VERSION,
  kind: 'ClusterImagePolicy',
  plural: 'clusterimagepolicies',
  singular: 'clusterimagepolicy',
  shortNames: ['cimgp'],
  categories: ['nexusos'],
  scope: 'Cluster',
  description:
    'A ClusterImagePolicy says what the platform asks of images in namespaces of tenants: whose signatures, which provenance, which bill of materials, how many vulnerabilities. All that are about an image must be content.',
  spec: clusterSpec,
  status,
  rules: [],
  columns: COLUMNS,
} as const satisfies KindDescriptor;

/** The ImagePolicy kind: what a tenant asks of images in a namespace, beside what the platform does. */
export const IMAGE_POLICY = {
  group: GROUP,
  version: VERSION,
  kind: 'ImagePolicy',
  plural: 'imagepolicies',
  singular: 'imagepolicy',
  shortNames: ['imgp'],
  categories: ['nexusos'],
  scope: 'Namespaced',
  description:
    'An ImagePolicy says what a tenant asks of images in its namespace, beside what the platform asks: it adds, and takes nothing away.',
  spec,
  status,
  rules: [],
  columns: COLUMNS,
} as const satisfies KindDescriptor;

/** Spec of a ClusterImagePolicy; of an ImagePolicy it is the same without a selector. */
export type ImagePolicySpec = z.output<typeof clusterSpec>;
/** Status of a policy on images. */
export type ImagePolicyStatus = z.output<typeof status>;

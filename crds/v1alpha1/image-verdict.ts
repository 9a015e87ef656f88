// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import type { KindDescriptor } from '../openapi/kind.ts';
import { AGE } from './columns.ts';
import { conditions, dnsSubdomain, instant, int, text } from './meta.ts';
import { GROUP, VERSION } from './names.ts';

/** The longest proof. */
export const MAX_PROOF = 98_304;
/** Policies that one image is looked at by. */
export const MAX_VERDICT_POLICIES = 64;

const outcome = z
  .enum(['Verified', 'Refused', 'Unknown'])
  .describe('As asked, not as asked, or it could not be told.');
const reason = text('Why not, one word.', 64).optional();

const check = z.object({
  name: text('Which part of the policy.', 64),
  outcome,
  reason,
  message: text('What was found, for people.', 1024),
});

const policy = z.object({
  kind: z.enum(['ClusterImagePolicy', 'ImagePolicy']).describe('Which kind of policy.'),
  name: dnsSubdomain('Its name.'),
  outcome,
  reason,
  message: text('What was found, for people.', 1024),
  checks: z
    .array(check)
    .max(40)
    .describe('The same for each part of the policy.')
    .meta({ 'x-kubernetes-list-type': 'atomic' })
    .optional(),
  validUntil: instant('When time alone may have changed it.').optional(),
});

const signer = z.object({
  authority: text('In whose name.', 63),
  fingerprint: text('Of the key, SHA-256 in hex.', 64),
  issuer: text('By whom the signer was identified.', 2048).optional(),
  subject: text('Who it is.', 2048).optional(),
  signedAt: instant('When, as was proved.').optional(),
  states: z
    .array(text('Kind of statement.', 32))
    .max(8)
    .meta({ 'x-kubernetes-list-type': 'atomic' })
    .describe('What it was believed in; signature: it has signed the image.')
    .optional(),
});

const number = (description: string) => int(description, 0, 1_000_000).optional();

const facts = z
  .object({
    signers: z
      .array(signer)
      .max(32)
      .meta({ 'x-kubernetes-list-type': 'atomic' })
      .describe('Who signed.')
      .optional(),
    builder: text('Who built it.', 512).optional(),
    source: text('From what.', 2048).optional(),
    sbom: text('The form of its bill of materials.', 64).optional(),
    components: number('Components in that.'),
    critical: number('Vulnerabilities that are critical.'),
    high: number('High.'),
    medium: number('Medium.'),
    low: number('Low.'),
    unscored: number('Those that nobody has scored.'),
    excluded: number('Those that do not affect it.'),
    waived: number('Those that were waived.'),
    scannedAt: instant('When it was scanned.').optional(),
  })
  .describe('What trusted authorities state of it.');

const spec = z
  .object({
    image: text('The image, with nothing left unsaid: docker.io/library/busybox:1.36.', 1024).min(1),
  })
  .describe('Which image.')
  .meta({
    'x-kubernetes-validations': [{ rule: 'self == oldSelf', message: 'a verdict is of one image for good' }],
  });

const status = z
  .object({
    digest: text('What it is.', 140).optional(),
    policies: z
      .array(policy)
      .max(MAX_VERDICT_POLICIES)
      .describe('What each policy that is about it says.')
      .meta({ 'x-kubernetes-list-type': 'atomic' })
      .optional(),
    facts: facts.optional(),
    verifiedAt: instant('When that was found.').optional(),
    expiresAt: instant('From when on it counts for nothing.').optional(),
    proof: text(
      'The same, signed by the operator, as a DSSE envelope. Admission goes by this alone.',
      MAX_PROOF,
    ).optional(),
    conditions: conditions('Verified.').optional(),
  })
  .describe('What was found.');

/** The ImageVerdict kind: what policies say of an image that is used in a namespace. Internal; people read it. */
export const IMAGE_VERDICT = {
  group: GROUP,
  version: VERSION,
  kind: 'ImageVerdict',
  plural: 'imageverdicts',
  singular: 'imageverdict',
  shortNames: ['imgv'],
  categories: ['nexusos'],
  scope: 'Namespaced',
  description:
    'An ImageVerdict tells what policies say of an image that is used in a namespace, and why. NexusOS makes it; people only read it.',
  spec,
  status,
  rules: [],
  columns: [
    { name: 'Image', type: 'string', jsonPath: '.spec.image', description: 'Which image.' },
    {
      name: 'Outcome',
      type: 'string',
      jsonPath: '.status.policies[*].outcome',
      description: 'What each policy says.',
    },
    {
      name: 'Reason',
      type: 'string',
      jsonPath: '.status.policies[*].reason',
      description: 'Why not.',
    },
    { name: 'Verified', type: 'date', jsonPath: '.status.verifiedAt', description: 'When that was found.' },
    { name: 'Digest', type: 'string', jsonPath: '.status.digest', description: 'What it is.', priority: 1 },
    AGE,
  ],
} as const satisfies KindDescriptor;

/** Spec of an ImageVerdict. */
export type ImageVerdictSpec = z.output<typeof spec>;
/** Status of an ImageVerdict. */
export type ImageVerdictStatus = z.output<typeof status>;

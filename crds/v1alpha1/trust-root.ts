// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import type { KindDescriptor } from '../openapi/kind.ts';
import { AGE, REASON, readyColumn } from './columns.ts';
import { conditions, dnsLabel, instant, int, keyRef, observedGeneration, sha256, text } from './meta.ts';
import { GROUP, VERSION } from './names.ts';
import { trustRootParts } from './trust-root-parts.ts';

/** The longest `trusted_root.json`: that of the public instance has a tenth of it. */
export const MAX_TRUST_ROOT = 262_144;

const spec = z
  .object({
    trustedRoot: text(
      'A `trusted_root.json` of Sigstore: certificate authorities, logs, timestamp authorities.',
      MAX_TRUST_ROOT,
    )
      .min(1)
      .optional(),
    configMapRef: keyRef(
      'ConfigMap',
      'The same, in a ConfigMap in the namespace of the platform.',
    ).optional(),
    parts: trustRootParts.optional(),
  })
  .describe('Whom signatures without keys are trusted by.')
  .meta({
    'x-kubernetes-validations': [
      {
        rule: '[has(self.trustedRoot), has(self.configMapRef), has(self.parts)].filter(given, given).size() == 1',
        message: 'exactly one of trustedRoot, configMapRef and parts is needed',
      },
    ],
  });

const part = z.object({
  kind: z
    .enum(['CertificateAuthority', 'TransparencyLog', 'CertificateLog', 'TimestampAuthority'])
    .describe('What it is.'),
  name: text('Its address, or the subject of its certificate.', 512),
  validFrom: instant('Since when it is trusted.').optional(),
  validUntil: instant('Until when; empty: without end.').optional(),
});

const status = z
  .object({
    observedGeneration: observedGeneration().optional(),
    digest: sha256('Digest of the text that was read.').optional(),
    parts: z
      .array(part)
      .max(64)
      .describe('What is in it.')
      .meta({ 'x-kubernetes-list-type': 'atomic' })
      .optional(),
    policies: int('Policies that name it.', 0, 1_000_000).optional(),
    conditions: conditions('Ready.').optional(),
  })
  .describe('What was read.');

/** Reasons of TrustRoot conditions and Events, each with its meaning. */
export const TRUST_ROOT_REASONS = {
  /** It was read. */
  Read: 'Read',
  /** A ConfigMap that it names, or the key in it, does not exist. */
  NotFound: 'NotFound',
  /** It is no trusted_root.json, or a part of it is no certificate or key that is taken, or it says less than it seems to. */
  InvalidTrustRoot: 'InvalidTrustRoot',
} as const;

/** The TrustRoot kind: certificate authorities, logs and timestamp authorities that policies on images name. */
export const TRUST_ROOT = {
  group: GROUP,
  version: VERSION,
  kind: 'TrustRoot',
  plural: 'trustroots',
  singular: 'trustroot',
  shortNames: ['troot'],
  categories: ['nexusos'],
  scope: 'Cluster',
  description:
    'A TrustRoot says which certificate authorities, logs and timestamp authorities are trusted. Policies on images name it.',
  spec,
  status,
  rules: [],
  columns: [readyColumn('Whether it was read.'), REASON, AGE],
} as const satisfies KindDescriptor;

/** The name of a TrustRoot, as policies give it. */
export const trustRootRef = z
  .object({ name: dnsLabel('Name of a TrustRoot.') })
  .describe('Authorities and logs that are trusted.');

/** Spec of a TrustRoot. */
export type TrustRootSpec = z.output<typeof spec>;
/** Status of a TrustRoot. */
export type TrustRootStatus = z.output<typeof status>;

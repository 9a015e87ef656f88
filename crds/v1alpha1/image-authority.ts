// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import { dnsLabel, keyRef, text } from './meta.ts';
import { trustRootRef } from './trust-root.ts';

/** Authorities of one policy. */
export const MAX_AUTHORITIES = 16;

const identity = z
  .object({
    issuer: text('By whom the signer was identified: just this text.', 2048).min(1).optional(),
    issuerPattern: text('The same, as a pattern of RE2 that has to match all of it.', 512).min(1).optional(),
    subject: text('Who the signer is: just this text.', 2048).min(1).optional(),
    subjectPattern: text('The same, as a pattern of RE2 that has to match all of it.', 512).min(1).optional(),
  })
  .meta({
    'x-kubernetes-validations': [
      {
        rule: 'has(self.issuer) != has(self.issuerPattern) && has(self.subject) != has(self.subjectPattern)',
        message: 'one of issuer and issuerPattern, and one of subject and subjectPattern, are needed',
      },
    ],
  });

const key = z
  .object({
    pem: text('A public key in PEM: ECDSA, RSA of 2048 bits or more, or Ed25519.', 16_384).min(1).optional(),
    secretRef: keyRef(
      'Secret',
      'The same, in a Secret: of the namespace of the platform for a ClusterImagePolicy, where `platform.imageKeySecrets` of the chart names it or `platform.pullSecretNamespace` is empty; else of that of the policy, where the operator may read Secrets only if the tenant has pull secrets of the platform; use pem there.',
    ).optional(),
  })
  .describe('Who holds the other half of this key.')
  .meta({
    'x-kubernetes-validations': [
      { rule: 'has(self.pem) != has(self.secretRef)', message: 'exactly one of pem and secretRef is needed' },
      // Of the object and not of the text, since a refusal repeats a text.
      {
        rule: "!has(self.pem) || !self.pem.contains('PRIVATE KEY-----')",
        message:
          'found a private key; wanted is the public one, as in cosign.pub. Who has seen this one may sign: take another pair if that is more than you',
        fieldPath: '.pem',
      },
      {
        rule: "!has(self.pem) || self.pem.contains('-----BEGIN PUBLIC KEY-----') || self.pem.contains('-----BEGIN RSA PUBLIC KEY-----')",
        message:
          'found no public key; wanted is a block that begins with -----BEGIN PUBLIC KEY-----, as in cosign.pub',
        fieldPath: '.pem',
      },
    ],
  });

const keyless = z
  .object({
    identities: z
      .array(identity)
      .min(1)
      .max(16)
      .describe('Who it may be: one of these.')
      .meta({ 'x-kubernetes-list-type': 'atomic' }),
    certificateLog: z
      .enum(['Required', 'Ignored'])
      .default('Required')
      .describe('Whether the certificate has to be in a certificate log of the root.'),
  })
  .describe('Who has a certificate that names one of these identities.');

const authority = z
  .object({
    name: dnsLabel('What it is called in this policy.'),
    key: key.optional(),
    keyless: keyless.optional(),
    trustRootRef: trustRootRef.optional(),
    log: z
      .enum(['Required', 'Ignored'])
      .describe(
        'Whether a signature has to be in a transparency log of the root. Empty: Required for keyless, Ignored for keys.',
      )
      .optional(),
    time: z
      .enum(['Timestamp', 'Log', 'Observer'])
      .describe(
        'What says when it was signed: a timestamp authority of the root; that or a log of it; or whoever looks, so that a certificate has to be valid still. Empty: Log for keyless, Observer for keys.',
      )
      .optional(),
  })
  .meta({
    'x-kubernetes-validations': [
      { rule: 'has(self.key) != has(self.keyless)', message: 'exactly one of key and keyless is needed' },
      {
        rule: "has(self.trustRootRef) || (has(self.key) && (!has(self.log) || self.log == 'Ignored') && (!has(self.time) || self.time == 'Observer'))",
        message: 'trustRootRef is needed for keyless, for a log and for a timestamp',
        fieldPath: '.trustRootRef',
      },
    ],
  });

/** Whose word counts. */
export const imageAuthorities = z
  .array(authority)
  .min(1)
  .max(MAX_AUTHORITIES)
  .describe('Whose word counts. Each speaks for what `require` names it for, and for nothing else.')
  .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] });

/** One of the authorities of a policy. */
export type ImageAuthority = z.output<typeof authority>;
/** Whom a keyless signer has to be. */
export type ImageIdentity = z.output<typeof identity>;

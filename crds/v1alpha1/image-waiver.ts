// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import type { KindDescriptor } from '../openapi/kind.ts';
import { AGE, REASON, readyColumn } from './columns.ts';
import { decisionOn } from './decision.ts';
import { repositoryGlob } from './image-glob.ts';
import { conditions, dnsLabel, dnsSubdomain, instant, observedGeneration, text } from './meta.ts';
import { GROUP, VERSION } from './names.ts';
import { MAX_EXEMPTION_DAYS } from './policy-exemption.ts';

const list = (item: z.ZodString, description: string) =>
  z.array(item).min(1).max(64).describe(description).meta({ 'x-kubernetes-list-type': 'set' });

const subjects = z
  .object({
    images: list(repositoryGlob(), 'Images.').optional(),
    namespaces: list(dnsLabel('A namespace.'), 'Namespaces that use it.').optional(),
    tenants: list(dnsLabel('Name of a Tenant.'), 'Tenants that use it, in all their namespaces.').optional(),
  })
  .describe('Where the risk is taken: every field given here has to fit.')
  .meta({
    'x-kubernetes-validations': [
      {
        rule: 'has(self.images) || has(self.namespaces) || has(self.tenants)',
        message: 'images, namespaces or tenants are needed: no risk is taken everywhere',
      },
    ],
  });

const FIXED = ['policies', 'vulnerability', 'subjects', 'reason', 'ticket', 'expiresAt'] as const;
const FIXED_IF_ANY = ['purl', 'maxScore', 'notBefore'] as const;

const spec = z
  .object({
    policies: list(dnsSubdomain('Name of a ClusterImagePolicy.'), 'Policies that it is a waiver of.'),
    vulnerability: text('Id of the vulnerability, or one of its aliases: CVE-2026-1234.', 128).min(1),
    purl: text(
      'The package that it is waived in, as a purl: just as reports write it, with its version. Empty: in any.',
      512,
    )
      .min(1)
      .optional(),
    maxScore: z
      .string()
      .max(4)
      .regex(/^(10|10\.0|[0-9](\.[0-9])?)$/)
      .describe('The highest base score of CVSS that is accepted: what is scored higher later is not waived.')
      .optional(),
    subjects,
    reason: text('Why the risk can be taken.', 1024).min(1),
    ticket: text('Where it was talked about: the number or address of a ticket.', 512).min(1),
    notBefore: instant('From when on it counts. Empty: at once.').optional(),
    expiresAt: instant(
      `Until when it counts: at most ${MAX_EXEMPTION_DAYS} days after it was made. From then on images that needed it are refused.`,
    ),
    approval: decisionOn('imagewaivers').optional(),
  })
  .describe('Which risk is taken, where, why, and until when.')
  .meta({
    'x-kubernetes-validations': [
      {
        rule: '!has(oldSelf.approval) || (has(self.approval) && self.approval == oldSelf.approval)',
        message: 'a decision cannot be changed; to take an approval back, delete the waiver',
        fieldPath: '.approval',
      },
      {
        rule: '!has(self.notBefore) || self.notBefore < self.expiresAt',
        message: 'it would never count: notBefore has to be before expiresAt',
        fieldPath: '.notBefore',
      },
      {
        rule: [
          ...FIXED.map((one) => `self.${one} == oldSelf.${one}`),
          ...FIXED_IF_ANY.map(
            (one) =>
              `has(self.${one}) == has(oldSelf.${one}) && (!has(self.${one}) || self.${one} == oldSelf.${one})`,
          ),
        ].join(' && '),
        message: 'a waiver cannot be changed, since somebody approves what it says: make another one',
      },
    ],
  });

const status = z
  .object({
    observedGeneration: observedGeneration().optional(),
    conditions: conditions('Ready.').optional(),
  })
  .describe('Whether it counts, and why not.');

/** Reasons of ImageWaiver conditions and Events, each with its meaning. */
export const IMAGE_WAIVER_REASONS = {
  /** It counts. */
  Counts: 'Counts',
  /** None of the ClusterImagePolicies that it names exists: it waives nothing until one does. */
  NotFound: 'NotFound',
  /** It is in another namespace than that of the platform, where no waiver counts. */
  WrongNamespace: 'WrongNamespace',
  /** Nobody has decided on it yet. */
  Undecided: 'Undecided',
  /** Somebody has decided that it does not count. */
  Rejected: 'Rejected',
  /** It counts later. */
  NotYet: 'NotYet',
  /** It has run out, whether it has ever counted or not. */
  Expired: 'Expired',
} as const;

/** The ImageWaiver kind: which vulnerability is accepted in which images, why, and until when. */
export const IMAGE_WAIVER = {
  group: GROUP,
  version: VERSION,
  kind: 'ImageWaiver',
  plural: 'imagewaivers',
  singular: 'imagewaiver',
  shortNames: ['imgw'],
  categories: ['nexusos'],
  scope: 'Namespaced',
  description:
    'An ImageWaiver says that the risk of a vulnerability is taken, in which images, why, and until when. It counts in the namespace of the platform only, and once somebody else than who asked for it has approved it.',
  spec,
  status,
  rules: [],
  columns: [
    readyColumn('Whether it counts.'),
    REASON,
    {
      name: 'Vulnerability',
      type: 'string',
      jsonPath: '.spec.vulnerability',
      description: 'Which risk is taken.',
    },
    {
      name: 'Decision',
      type: 'string',
      jsonPath: '.spec.approval.decision',
      description: 'Whether it counts.',
    },
    { name: 'By', type: 'string', jsonPath: '.spec.approval.by', description: 'Who decided.' },
    { name: 'Expires', type: 'string', jsonPath: '.spec.expiresAt', description: 'Until when it counts.' },
    {
      name: 'Ticket',
      type: 'string',
      jsonPath: '.spec.ticket',
      description: 'Where it was talked about.',
      priority: 1,
    },
    AGE,
  ],
} as const satisfies KindDescriptor;

/** Spec of an ImageWaiver. Who asked for it is in its annotation `nexusos.dev/created-by`. */
export type ImageWaiverSpec = z.output<typeof spec>;
/** Status of an ImageWaiver. */
export type ImageWaiverStatus = z.output<typeof status>;

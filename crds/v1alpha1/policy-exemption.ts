// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import type { KindDescriptor } from '../openapi/kind.ts';
import { AGE } from './columns.ts';
import { decisionOn } from './decision.ts';
import { labelSelector } from './label-selector.ts';
import { dnsLabel, instant, text } from './meta.ts';
import { GROUP, VERSION } from './names.ts';

/** For how long an exemption can be given at most, from when it was made. */
export const MAX_EXEMPTION_DAYS = 90;

const names = (item: z.ZodString, description: string) =>
  z.array(item).min(1).max(64).describe(description).meta({ 'x-kubernetes-list-type': 'set' }).optional();

const subjects = z
  .object({
    namespaces: names(dnsLabel('A namespace.'), 'Namespaces.'),
    tenants: names(dnsLabel('Name of a Tenant.'), 'Tenants, in all their namespaces.'),
    kinds: names(text('A kind.', 128).min(1), 'Kinds, in any group: Pod.'),
    names: names(
      text('Name of an object.', 253).min(1),
      'Names of objects. Of what is created under a generated name: the part before.',
    ),
    selector: labelSelector('Labels of the object.').optional(),
  })
  .describe('Whom it is for: objects that every field given here fits.')
  .meta({
    'x-kubernetes-validations': [
      {
        rule: 'has(self.namespaces) || has(self.tenants)',
        message: 'namespaces or tenants are needed: nobody is exempt everywhere',
      },
    ],
  });

const spec = z
  .object({
    packRef: z
      .object({ namespace: dnsLabel('Its namespace.'), name: dnsLabel('Its name.') })
      .describe('PolicyPack that it is an exemption from.'),
    rules: names(
      text('Package or name of a rule, as a refusal tells it.', 256).min(1),
      'Rules that it is an exemption from. Empty: all of the pack.',
    ),
    subjects,
    reason: text('Why.', 1024).min(1),
    ticket: text('Where it was talked about: the number or address of a ticket.', 512).min(1),
    expiresAt: instant(
      `Until when it counts: at most ${MAX_EXEMPTION_DAYS} days after it was made. From then on it does not, in admission and in scans alike.`,
    ),
    approval: decisionOn('policyexemptions').optional(),
  })
  .describe('Who is exempt from what, why, and until when.')
  .meta({
    'x-kubernetes-validations': [
      {
        rule: '!has(oldSelf.approval) || (has(self.approval) && self.approval == oldSelf.approval)',
        message: 'a decision cannot be changed; to take an approval back, delete the exemption',
        fieldPath: '.approval',
      },
      {
        rule: 'self.packRef == oldSelf.packRef && self.subjects == oldSelf.subjects && self.expiresAt == oldSelf.expiresAt && self.reason == oldSelf.reason && self.ticket == oldSelf.ticket && has(self.rules) == has(oldSelf.rules) && (!has(self.rules) || self.rules == oldSelf.rules)',
        message: 'an exemption cannot be changed, since somebody approves what it says: make another one',
      },
    ],
  });

/** The PolicyExemption kind: who is exempt from which rules of a platform pack, why, and until when. */
export const POLICY_EXEMPTION = {
  group: GROUP,
  version: VERSION,
  kind: 'PolicyExemption',
  plural: 'policyexemptions',
  singular: 'policyexemption',
  shortNames: ['pexm'],
  categories: ['nexusos'],
  scope: 'Namespaced',
  description:
    'A PolicyExemption says who is exempt from rules of a PolicyPack of the platform, why, and until when. It counts in the namespace of the platform only, and once somebody else than who asked for it has approved it.',
  spec,
  rules: [],
  columns: [
    { name: 'Pack', type: 'string', jsonPath: '.spec.packRef.name', description: 'From which pack.' },
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

/** Spec of a PolicyExemption. Who asked for it is in its annotation `nexusos.dev/created-by`. */
export type PolicyExemptionSpec = z.output<typeof spec>;

// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import type { KindDescriptor } from '../openapi/kind.ts';
import { AGE } from './columns.ts';
import { dnsLabel, instant, int, sha256, text } from './meta.ts';
import { GROUP, VERSION } from './names.ts';
import { replicaComparison } from './policy-rollout.ts';

/** The most revisions that a replica tells of. */
export const MAX_LOADED_REVISIONS = 1024;

const revisionName = text('A PolicyPackRevision, as namespace/name.', 127);

const revisionList = (description: string) =>
  z
    .array(revisionName)
    .max(MAX_LOADED_REVISIONS)
    .describe(description)
    .meta({ 'x-kubernetes-list-type': 'atomic' })
    .optional();

const spec = z
  .object({
    podUID: text('UID of its pod, where it has one.', 64).optional(),
    version: text('Version of NexusOS that it is.', 64).optional(),
  })
  .describe('Which process it is. Whether it is alive is told by the Lease of the same name.');

const refusal = z.object({
  revision: revisionName,
  reason: text('Why, one word.', 128),
  message: text('Why, for people.', 512).optional(),
});

const violation = z.object({
  revision: revisionName,
  reason: text('What happened: Timeout, OutOfMemory and so on.', 64),
  count: int('How often, since the process began.', 0, Number.MAX_SAFE_INTEGER),
});

const wantedImage = z.object({
  namespace: dnsLabel('Where it is to be used.'),
  image: text('The image, with nothing left unsaid.', 1024).min(1),
  refusedAt: instant(
    'When it was refused last, by what is known of it; told every 15 seconds at most.',
  ).optional(),
});

const status = z
  .object({
    renewedAt: instant('When any of this last changed.').optional(),
    snapshotDigest: sha256('Digest of all that it decides by.').optional(),
    prepared: revisionList('Revisions that it has loaded.'),
    enforcing: revisionList('Those that it decides by.'),
    refused: z
      .array(refusal)
      .max(64)
      .describe('Revisions that it cannot load.')
      .meta({ 'x-kubernetes-list-type': 'atomic' })
      .optional(),
    quarantined: z
      .array(refusal)
      .max(64)
      .describe('Revisions that it evaluates no more.')
      .meta({ 'x-kubernetes-list-type': 'atomic' })
      .optional(),
    violations: z
      .array(violation)
      .max(64)
      .describe('Evaluations that were ended, or failed.')
      .meta({ 'x-kubernetes-list-type': 'atomic' })
      .optional(),
    comparisons: z
      .array(replicaComparison)
      .max(64)
      .describe('Candidates beside what is active, on the same requests, since the process began.')
      .meta({ 'x-kubernetes-list-type': 'atomic' })
      .optional(),
    images: z
      .array(wantedImage)
      .max(256)
      .describe('Images that were asked for, and of which nothing is known yet, or that were refused.')
      .meta({ 'x-kubernetes-list-type': 'atomic' })
      .optional(),
  })
  .describe('What it has loaded, and what it has seen.');

/** The PolicyReplica kind: a process that answers the API server, and what it decides by. Internal. */
export const POLICY_REPLICA = {
  group: GROUP,
  version: VERSION,
  kind: 'PolicyReplica',
  plural: 'policyreplicas',
  singular: 'policyreplica',
  shortNames: ['prep'],
  categories: ['nexusos'],
  scope: 'Namespaced',
  description:
    'A PolicyReplica is a process that judges requests to the API server, and tells what it decides by. NexusOS makes it; people only read it.',
  spec,
  status,
  rules: [],
  columns: [
    {
      name: 'Snapshot',
      type: 'string',
      jsonPath: '.status.snapshotDigest',
      description: 'What it decides by.',
      priority: 1,
    },
    { name: 'Changed', type: 'date', jsonPath: '.status.renewedAt', description: 'When that last changed.' },
    { name: 'Version', type: 'string', jsonPath: '.spec.version', description: 'Version of NexusOS.' },
    AGE,
  ],
} as const satisfies KindDescriptor;

/** Spec of a PolicyReplica. */
export type PolicyReplicaSpec = z.output<typeof spec>;
/** Status of a PolicyReplica. */
export type PolicyReplicaStatus = z.output<typeof status>;

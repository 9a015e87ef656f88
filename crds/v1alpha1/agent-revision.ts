// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import type { KindDescriptor } from '../openapi/kind.ts';
import { AGENT } from './agent.ts';
import { serviceTemplate } from './agent-service.ts';
import { AGE } from './columns.ts';
import { gangTemplate } from './gang.ts';
import { dnsLabel, int, sha256 } from './meta.ts';
import { GROUP, VERSION } from './names.ts';

const limits = AGENT.spec.shape.limits
  .unwrap()
  .pick({ terminationGracePeriodSeconds: true })
  .describe('The limits that are part of a pod.');

const template = AGENT.spec
  .pick({
    shape: true,
    tier: true,
    container: true,
    parameters: true,
    gpu: true,
    remote: true,
    entitlements: true,
    dataClassification: true,
  })
  .extend({
    limits: limits.optional(),
    service: serviceTemplate.optional(),
    gang: gangTemplate.optional(),
  })
  .describe('Fields of the spec of the Agent that say what its pods are, by the same names.');

const spec = z
  .object({
    agent: dnsLabel('Name of the Agent.'),
    revision: int('Number of the revision, among those of the Agent.', 1, Number.MAX_SAFE_INTEGER),
    digest: sha256('Digest of the template, as JSON with sorted keys.'),
    template,
  })
  .describe('What the Agent was.')
  .meta({
    'x-kubernetes-validations': [
      { rule: 'self == oldSelf', message: 'an AgentRevision cannot be changed: change the Agent' },
    ],
  });

/** The AgentRevision kind: what an Agent was at one time. Internal: made by NexusOS only. */
export const AGENT_REVISION = {
  group: GROUP,
  version: VERSION,
  kind: 'AgentRevision',
  plural: 'agentrevisions',
  singular: 'agentrevision',
  shortNames: ['agrev'],
  categories: ['nexusos'],
  scope: 'Namespaced',
  description:
    'An AgentRevision is what an Agent was at one time, and never changes: every attempt of a Run is made from the same one. NexusOS makes it; people only read it.',
  spec,
  rules: [],
  columns: [
    { name: 'Agent', type: 'string', jsonPath: '.spec.agent', description: 'Whose revision it is.' },
    { name: 'Revision', type: 'integer', jsonPath: '.spec.revision', description: 'Its number.' },
    {
      name: 'Image',
      type: 'string',
      jsonPath: '.spec.template.container.image',
      description: 'What runs.',
    },
    { name: 'GPU', type: 'string', jsonPath: '.spec.template.gpu.class', description: 'GPU class.' },
    AGE,
  ],
} as const satisfies KindDescriptor;

/** Spec of an AgentRevision. */
export type AgentRevisionSpec = z.output<typeof spec>;
/** The part of an Agent that a revision keeps. */
export type AgentTemplate = AgentRevisionSpec['template'];

// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import type { AgentRevisionSpec, AgentTemplate } from '#crds/v1alpha1/agent-revision';
import type { AgentSpec } from '#crds/v1alpha1/agent';
import { PLAIN_SERVICE, type ServiceSpec } from '#crds/v1alpha1/agent-service';
import { canonicalJson } from '../compare.ts';
import { defined, type KubeObject } from '../object.ts';
import { withSuffix } from '../run/run.ts';
import type { Agent } from './agent.ts';

/** An AgentRevision, as the API server holds it. */
export type AgentRevision = KubeObject & { readonly spec: AgentRevisionSpec };

/** How long many pods of a Run may take to start whose Agent does not have them any more, and so does not say. */
const START_TIMEOUT_SECONDS = 300;
/** Length of what follows the Agent in the name of a revision: two of one Agent are told apart by their digest as a whole. */
const SUFFIX_LENGTH = 12;

/** What a revision keeps of an Agent: all that its pods are made from, and what they cost. */
export function templateOf(spec: AgentSpec): AgentTemplate {
  const { shape, tier, container, parameters, gpu, remote, limits, gang } = spec;
  const { entitlements, dataClassification } = spec;
  const { terminationGracePeriodSeconds } = limits;
  const kept = terminationGracePeriodSeconds === undefined ? undefined : { terminationGracePeriodSeconds };
  const service = shape === 'service' ? answersOf(serviceOf(spec)) : undefined;
  const many = gang && { pods: gang.pods };
  const optional = { container, parameters, gpu, limits: kept, service, remote, gang: many };
  return { shape, tier, ...defined({ ...optional, entitlements, dataClassification }) };
}

/** How an Agent of shape service stands, said or not. */
export function serviceOf({ service }: AgentSpec): ServiceSpec {
  return service ?? PLAIN_SERVICE;
}

/** What its pods are made from: that there are more or less of them makes no other ones. */
function answersOf({
  port,
  readinessPath,
  livenessPath,
}: ServiceSpec): NonNullable<AgentTemplate['service']> {
  return { port, ...defined({ readinessPath, livenessPath }) };
}

/** The Agent as it would be with `template`. What is no part of that, such as how long its Runs may take, stays. */
export function withTemplate(agent: Agent, template: AgentTemplate): Agent {
  const {
    parameters: _,
    gpu: __,
    limits,
    service: ___,
    container: ____,
    remote: _____,
    gang: present,
    entitlements: _______,
    dataClassification: ________,
    calls,
    ...others
  } = agent.spec;
  const { terminationGracePeriodSeconds: ______, ...bounds } = limits;
  const { replicas, autoscaling, rollout } = serviceOf(agent.spec);
  const { service: answers, gang: many, ...rest } = template;
  const service = answers && { ...answers, replicas, rollout, ...defined({ autoscaling }) };
  const kept = { ...others, ...rest, limits: { ...bounds, ...template.limits } };
  const gang = many && { startTimeoutSeconds: START_TIMEOUT_SECONDS, ...present, ...many };
  // As the kind has it: the one pod of a job alone calls others.
  const isCaller = template.shape === 'job' && many === undefined;
  return { ...agent, spec: { ...kept, ...defined({ service, gang, calls: isCaller ? calls : undefined }) } };
}

/** The digest of a template, as registries write digests. Of what is stored: an operator that knows more fields finds the same. */
export function templateDigest(template: AgentTemplate): string {
  return `sha256:${sha256(canonicalJson(template))}`;
}

/**
 * The name of the revision of an Agent with the template of that digest: the same whenever it is asked for, in any cluster.
 * Example: `summarizer-5f2a9c01d3e7`.
 */
export function revisionName(agentName: string, digest: string): string {
  // With the name whole: it may have to be cut, and another Agent may begin alike.
  return withSuffix(agentName, `-${sha256(`${agentName}/${digest}`).slice(0, SUFFIX_LENGTH)}`);
}

/** Name and digest of the revision with what `agent` is now. */
export function wantedRevision({ metadata, spec }: Agent): {
  readonly name: string;
  readonly digest: string;
} {
  const digest = templateDigest(templateOf(spec));
  return { name: revisionName(metadata.name, digest), digest };
}

/** What tells a revision of an Agent from its others: the end of its name, which is made of its template. */
export function revisionSuffix(name: string): string {
  return name.slice(-SUFFIX_LENGTH);
}

/** Whether `revision` is of that very Agent, and of no namesake that was deleted. */
export function isRevisionOf({ metadata }: KubeObject, agent: Agent): boolean {
  const { uid } = agent.metadata;
  return metadata.ownerReferences?.some((one) => one.controller === true && one.uid === uid) === true;
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

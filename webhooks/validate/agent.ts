// SPDX-License-Identifier: Apache-2.0
import { AGENT_REASONS } from '#crds/v1alpha1/agent';
import type { ErrorCode } from '#crds/v1alpha1/error-codes';
import type { Agent } from '#operator/core/agent/agent';
import { type AgentSurroundings, checkAgent } from '#operator/core/agent/checks';
import { problemOf } from '#operator/core/agent/cron';
import type { AdmissionRequest } from '../review.ts';
import type { Facts } from './facts.ts';
import type { Verdict } from './verdict.ts';

/**
 * What the tenant can never let pass, as it is now; what is only missing so far is a warning, since manifests come in any order. The Agent says
 * the same of itself in its conditions.
 */
const REFUSED: Readonly<Record<string, ErrorCode>> = {
  [AGENT_REASONS.RegistryNotAllowed]: 'policy_blocked',
  [AGENT_REASONS.NotEntitled]: 'policy_blocked',
  [AGENT_REASONS.ClassificationTooHigh]: 'policy_blocked',
  [AGENT_REASONS.GPUClassNotAllowed]: 'quota_exceeded',
  [AGENT_REASONS.NeverFits]: 'quota_exceeded',
};

/** What is wrong with an Agent beside its tenant. */
export function judgeAgent(request: AdmissionRequest, facts: Facts): Verdict {
  const agent = request.object as Agent;
  const idle = neverStarting(agent, facts);
  const found = checkAgent(agent, surroundingsOf(agent, request.namespace, facts));
  if (found === undefined) return { warnings: idle };
  const { reason, message } = found;
  const code = REFUSED[reason];
  if (code === undefined) return { warnings: [message, ...idle] };
  return { refusals: [{ code, message, field: message.split(':')[0] ?? 'spec' }] };
}

/** A schedule by which nothing ever starts. Not refused: another version of Node may know another time zone. */
function neverStarting({ spec: { schedule } }: Agent, facts: Facts): readonly string[] {
  const problem = schedule === undefined ? undefined : problemOf(schedule, facts.now());
  return problem === undefined ? [] : [`${problem}. Until then nothing is started by it.`];
}

/** What an Agent is judged by. */
export function surroundingsOf({ spec }: Agent, namespace: string, facts: Facts): AgentSurroundings {
  return {
    tenant: facts.tenantOf(namespace),
    gpuClass: spec.gpu === undefined ? undefined : facts.gpuClass(spec.gpu.class),
  };
}

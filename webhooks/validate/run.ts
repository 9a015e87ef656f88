// SPDX-License-Identifier: Apache-2.0
import { AGENT_REASONS } from '#crds/v1alpha1/agent';
import { checkAgent } from '#operator/core/agent/checks';
import type { Agent } from '#operator/core/agent/agent';
import { checkTools } from '#operator/core/run/bounds';
import { checkParameters } from '#operator/core/run/parameters';
import { serviceInstead } from '#operator/core/run/service-instead';
import type { Run } from '#operator/core/run/run';
import type { AdmissionRequest, Refusal } from '../review.ts';
import { surroundingsOf } from './agent.ts';
import type { Facts } from './facts.ts';
import type { Verdict } from './verdict.ts';

/**
 * What is wrong with a Run, as far as its Agent tells: what would fail, or wait for ever, is not let in. What may still come is a warning. Of
 * what is spent at the moment nothing is said: for that it waits in the queue.
 */
export function judgeRun(request: AdmissionRequest, facts: Facts): Verdict {
  if (request.operation !== 'CREATE') return {};
  const run = request.object as Run;
  const { name } = run.spec.agentRef;
  const agent = facts.agent(request.namespace, name);
  if (agent === undefined) {
    const where = `namespace ${request.namespace}`;
    return {
      warnings: [`spec.agentRef.name: ${where} has no Agent ${name}; the Run waits until there is one`],
    };
  }
  const instead = serviceInstead(agent);
  if (instead !== undefined) return refusedAs(instead.message, 'spec.agentRef.name');
  const misfit = checkParameters(run, agent);
  if (misfit !== undefined) return refusedAs(misfit, misfit.split(':')[0] ?? 'spec.parameters');
  const tools = checkTools(run, agent);
  if (tools !== undefined) {
    return { refusals: [{ code: 'policy_blocked', message: tools, field: 'spec.tools' }] };
  }
  return ofAgent(agent, request.namespace, facts);
}

function ofAgent(agent: Agent, namespace: string, facts: Facts): Verdict {
  const found = checkAgent(agent, surroundingsOf(agent, namespace, facts));
  if (found === undefined) return {};
  const message = `spec.agentRef.name: no Run of Agent ${agent.metadata.name} can start: ${found.message}`;
  if (found.reason !== AGENT_REASONS.NeverFits) return { warnings: [message] };
  return { refusals: [{ code: 'quota_exceeded', message, field: 'spec.agentRef.name' }] };
}

function refusedAs(message: string, field: string): Verdict {
  const refusal: Refusal = { code: 'invalid_request', message, field };
  return { refusals: [refusal] };
}

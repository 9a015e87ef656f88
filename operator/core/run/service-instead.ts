// SPDX-License-Identifier: Apache-2.0
import { RUN_REASONS } from '#crds/v1alpha1/run';
import type { Agent } from '../agent/agent.ts';
import { addressOf } from '../agent/service/objects.ts';
import type { Failure } from './outcome.ts';

/** What is said of a Run whose Agent takes requests instead; undefined where it makes Runs, or is not there. */
export function serviceInstead(
  agent: Agent | undefined,
): { readonly reason: string; readonly message: string } | undefined {
  if (agent?.spec.shape !== 'service') return undefined;
  const message = `spec.agentRef.name: Agent ${agent.metadata.name} is of shape service; allowed are Agents of the shapes job and remote. This one takes requests at ${addressOf(agent)}`;
  return { reason: RUN_REASONS.AgentIsService, message };
}

/** How such a Run fails. It would wait for ever: what it asks for is not made there. */
export function isNoJob(message: string): Failure {
  return {
    reason: RUN_REASONS.AgentIsService,
    error: { code: 'invalid_request', message, retryable: false },
  };
}

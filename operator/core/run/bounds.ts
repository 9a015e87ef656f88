// SPDX-License-Identifier: Apache-2.0
import { RUN_REASONS } from '#crds/v1alpha1/run';
import type { Agent } from '../agent/agent.ts';
import type { Failure } from './outcome.ts';
import type { Run } from './run.ts';

/** What is wrong with the tools that a Run names; undefined where its Agent is entitled to each. What says no list bounds nothing by itself. */
export function checkTools({ spec }: Run, agent: Agent): string | undefined {
  const allowed = agent.spec.entitlements?.tools;
  const beyond = (spec.tools ?? []).filter((one) => allowed?.includes(one) === false);
  if (beyond.length === 0) return undefined;
  return `spec.tools: found ${beyond.join(', ')}, which Agent ${agent.metadata.name} is not entitled to; allowed are ${allowed?.join(', ') || 'none'}`;
}

/** How a Run fails that names such tools. Waiting would not help: they cannot be changed. */
export function toolsRefused(message: string): Failure {
  const error = { code: 'policy_blocked', message, retryable: false } as const;
  return { reason: RUN_REASONS.ToolsNotAllowed, error };
}

/** The Agent as it is for one Run: with no more tools than that names. */
export function boundedBy({ spec }: Run, agent: Agent['spec']): Agent['spec'] {
  if (spec.tools === undefined) return agent;
  const { tools: allowed } = agent.entitlements ?? {};
  const tools = spec.tools.filter((one) => allowed?.includes(one) !== false);
  return { ...agent, entitlements: { ...agent.entitlements, tools } };
}

/** The variable that tells a container how many steps it may take; none where nobody bounds them. */
export function stepVariables(
  { spec }: Run,
  { limits }: Agent['spec'],
): readonly { readonly name: string; readonly value: string }[] {
  const most = Math.min(spec.maxSteps ?? Infinity, limits.maxSteps ?? Infinity);
  return most === Infinity ? [] : [{ name: 'NEXUSOS_MAX_STEPS', value: String(most) }];
}

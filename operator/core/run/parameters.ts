// SPDX-License-Identifier: Apache-2.0
import type { AgentParameters } from '#crds/v1alpha1/agent-parameters';
import { RUN_REASONS } from '#crds/v1alpha1/run';
import type { Agent } from '../agent/agent.ts';
import { truncate } from '../conditions.ts';
import type { Failure } from './outcome.ts';
import type { Run } from './run.ts';

/** Values by name, with the defaults of the Agent. */
export function effectiveParameters(run: Run, agent: Agent): ReadonlyMap<string, string> {
  const declared = agent.spec.parameters ?? [];
  const defaults = declared.flatMap((one) =>
    one.default === undefined ? [] : [[one.name, one.default] as const],
  );
  const values = new Map([...defaults, ...Object.entries(run.spec.parameters ?? {})]);
  return new Map([...values].toSorted(byName));
}

/** What is wrong with the parameters of a Run; undefined when they are as its Agent declares them. */
export function checkParameters(run: Run, agent: Agent): string | undefined {
  const { parameters: declared } = agent.spec;
  if (declared === undefined) return undefined;
  const given = new Map(Object.entries(run.spec.parameters ?? {}));
  const names = declared.map(({ name }) => name);
  const unknown = [...given.keys()].filter((name) => !names.includes(name)).toSorted();
  if (unknown.length > 0) {
    const allowed = names.join(', ') || 'none';
    return `spec.parameters: Agent ${agent.metadata.name} has no ${unknown.join(', ')}; allowed are ${allowed}`;
  }
  const problems = declared.map((one) => problemOf(one, given.get(one.name)));
  return problems.find((one) => one !== undefined);
}

/** How a Run fails whose parameters do not fit. Waiting would not help: they cannot be changed. */
export function misfit(message: string): Failure {
  const error = { code: 'invalid_request', message, retryable: false } as const;
  return { reason: RUN_REASONS.InvalidParameters, error };
}

function problemOf(declared: AgentParameters[number], value: string | undefined): string | undefined {
  const field = `spec.parameters.${declared.name}`;
  if (value === undefined) {
    const isMissing = declared.required && declared.default === undefined;
    return isMissing ? `${field}: the Agent requires it, and it is not given` : undefined;
  }
  if (declared.enum === undefined || declared.enum.includes(value)) return undefined;
  return `${field}: found ${JSON.stringify(truncate(value, 64))}; allowed are ${declared.enum.join(', ')}`;
}

function byName([a]: readonly [string, string], [b]: readonly [string, string]): number {
  return a < b ? -1 : 1;
}

// SPDX-License-Identifier: Apache-2.0
import type { Reservation, ReservedCall } from '#crds/v1alpha1/quota-ledger';
import { RUN_CALL_REASONS } from '#crds/v1alpha1/run-calls';
import type { Agent } from '../agent/agent.ts';
import type { Waiting } from '../quota/admit.ts';
import type { RunContext } from '../quota/candidates.ts';
import { judgeParent, type ParentVerdict } from '../run/parent.ts';
import { attemptsOf, type Run } from '../run/run.ts';
import { agentOf, callsOf, type Forest, placeOf } from './forest.ts';
import { behindDevices, notNamed, PARENT_UNSEEN, tooDeep } from './obstacles.ts';

/** What calls are judged by. */
export interface CallContext {
  readonly forest: Forest;
  readonly runs: ReadonlyMap<string, Run>;
  readonly context: RunContext;
}

/** A Run that may be called, below who calls it. */
export interface Called {
  readonly call: ReservedCall;
  /** Levels that there may be below it. */
  readonly levels: number;
  /** The least of those above it: it goes before nobody that these do not go before. */
  readonly priority: number;
}

/** The place of `run`, which `agent` is of, below the Run that it names; or what is in the way. */
export function callRun(run: Run, agent: Agent | undefined, judge: CallContext): Waiting | Called {
  const parent = judge.runs.get(run.spec.parentRef?.uid ?? '');
  const obstacle = obstacleIn(judgeParent(run, parent));
  if (obstacle !== undefined) return obstacle;
  const above = parent && reservationOf(parent, judge);
  if (above === undefined) return PARENT_UNSEEN;
  const refused = refusal(run, { above, agent, judge });
  if (refused !== undefined) return refused;
  const { depth, levels, root, rootName } = placeOf(above);
  const call = { parent: above.uid, attempt: above.attempt, root, rootName, depth: depth + 1 };
  const priorities = judge.forest.lineOf(above).map(({ uid }) => judge.runs.get(uid)?.spec.priority ?? 0);
  return { call, levels: Math.min(levels - 1, callsOf(agent).maxDepth), priority: Math.min(...priorities) };
}

function obstacleIn(verdict: ParentVerdict | undefined): Waiting | undefined {
  if (verdict?.kind === 'over') return { reason: RUN_CALL_REASONS.ParentEnded, message: verdict.message };
  if (verdict?.kind !== 'refused') return undefined;
  const { reason, error } = verdict.failure;
  return { reason, message: error.message };
}

/** The reservation of the very attempt that is under way. */
function reservationOf(parent: Run, { forest }: CallContext): Reservation | undefined {
  const found = forest.find(parent.metadata.uid ?? '');
  return found?.attempt === attemptsOf(parent) ? found : undefined;
}

interface Calling {
  readonly above: Reservation;
  readonly agent: Agent | undefined;
  readonly judge: CallContext;
}

function refusal(run: Run, { above, agent, judge }: Calling): Waiting | undefined {
  const { name } = run.spec.agentRef;
  const allowed = callsOf(agentOf(above, judge.context)).agents;
  if (!allowed.includes(name)) return notNamed(above.agent, name, allowed);
  const { levels, depth } = placeOf(above);
  if (levels <= 0) return tooDeep(depth + 1, above.name);
  if (agent?.spec.gpu === undefined) return undefined;
  const holder = judge.forest.lineOf(above).find(({ gpuClass }) => gpuClass !== undefined);
  return holder && behindDevices(name, holder.name);
}

// SPDX-License-Identifier: Apache-2.0
import type { AgentSpec, AgentStatus } from '#crds/v1alpha1/agent';
import type { ScheduleStatus } from '#crds/v1alpha1/agent-schedule';
import { LABELS } from '#crds/v1alpha1/names';
import type { TenantSpec } from '#crds/v1alpha1/tenant';
import type { Phase, Run } from '../../run/run.ts';
import { ago, makeAgent, makeRun, makeTenant, NOW } from '../../run/testing/make.ts';
import type { Agent } from '../agent.ts';
import type { AgentObserved } from '../plan.ts';
import { settledRevisions } from './revisions.ts';
import { scheduledRunName } from '../scheduled-run.ts';

/** NOW is 12:00:00; the schedule of the cases is due at every full hour. */
export const HOURLY = { cron: '0 * * * *' };
const LINE = { cron: '0 * * * *', timeZone: 'UTC' };
const SINCE = '2026-11-20T00:00:00Z';
export const [NOON, ELEVEN, ONE] = [NOW.toISOString().replace('.000', ''), ago(3600), ago(-3600)];

/** What a case says of a schedule; the rest is as it usually is. */
export interface ScheduleCase {
  readonly schedule?: NonNullable<Partial<AgentSpec>['schedule']> | object;
  readonly state?: Partial<ScheduleStatus>;
  readonly fresh?: true;
  readonly generation?: number;
  readonly createdSecondsAgo?: number;
  readonly verdict?: { readonly reason: string; readonly status: 'True' | 'False' };
  readonly runs?: readonly Run[];
  readonly seen?: 'ours' | 'foreign';
  readonly tenant?: Partial<TenantSpec> | null;
  readonly isDeleted?: true;
  /** Seconds after NOW. */
  readonly at?: number;
  /** When the Run that is made was due; undefined when none is. */
  readonly starts?: string;
  readonly removes?: readonly string[];
  readonly says: string;
  readonly message?: RegExp;
  readonly want?: Partial<Record<keyof ScheduleStatus, unknown>>;
  readonly events?: readonly RegExp[];
  readonly againSeconds?: number;
}

/** The name of the Run that is due then. */
export function nameOf(scheduledTime: string): string {
  return scheduledRunName(makeAgent(), scheduledTime);
}

/** A Run that was due then. */
export function ranAt(phase: Phase, scheduledTime: string): Run {
  const run = makeRun({}, { phase, finishedAt: scheduledTime });
  const name = nameOf(scheduledTime);
  return { ...run, metadata: { ...run.metadata, name, uid: name, creationTimestamp: scheduledTime } };
}

/** The Agent of a case. */
export function agentOf(given: ScheduleCase): Agent {
  const made = makeAgent({
    schedule: { ...HOURLY, ...given.schedule } as NonNullable<AgentSpec['schedule']>,
  });
  const {
    generation = 1,
    createdSecondsAgo = 86_400,
    verdict = { reason: 'Scheduled', status: 'True' },
  } = given;
  const metadata = { ...made.metadata, generation, creationTimestamp: ago(createdSecondsAgo) };
  const deleted = { deletionTimestamp: ago(1), finalizers: ['example.com/audit'] };
  if (given.fresh) return { ...made, metadata, status: {} };
  const condition = {
    ...verdict,
    type: 'Scheduled',
    message: 'as it was',
    observedGeneration: 1,
    lastTransitionTime: SINCE,
  };
  const status = {
    ...made.status,
    runs: { queued: 0, active: 0, countedAt: SINCE },
    schedule: { ...LINE, since: SINCE, active: 0, ...given.state },
    conditions: [...(made.status?.conditions ?? []), condition],
  } satisfies AgentStatus;
  return { ...made, metadata: { ...metadata, ...(given.isDeleted && deleted) }, status };
}

/** What is seen of it. */
export function observedOf(given: ScheduleCase): AgentObserved {
  const { runs = [], tenant, seen } = given;
  const labels = seen === 'ours' ? { [LABELS.scheduledBy]: 'agent-uid' } : {};
  const there = makeRun();
  const starting = { ...there, metadata: { ...there.metadata, name: nameOf(NOON), uid: 'seen-uid', labels } };
  return {
    tenant: tenant === null ? undefined : makeTenant(tenant),
    gpuClass: undefined,
    runs: { queued: 0, active: 0 },
    scheduled: runs,
    starting: seen === undefined ? undefined : starting,
    ...settledRevisions(makeAgent()),
  };
}

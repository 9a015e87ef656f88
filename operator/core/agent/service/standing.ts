// SPDX-License-Identifier: Apache-2.0
import { AGENT_SERVICE_REASONS } from '#crds/v1alpha1/agent-service';
import { type ConditionInput, findCondition, READY, type Standing, truncate } from '../../conditions.ts';
import type { KubeObject } from '../../object.ts';
import { RESOURCE_QUOTA_NAME } from '../../quota/refusals.ts';
import { withoutFigures } from '../../refused-write.ts';
import { contactOf } from '../../tenant/contact.ts';
import type { Tenant } from '../../tenant/tenant.ts';
import type { Agent } from '../agent.ts';
import { type DeploymentView, isRolledOut } from './observed.ts';
import { podTrouble } from './trouble.ts';

/** Condition of Agents of shape service: whether requests are answered, whatever is being changed meanwhile. */
export const AVAILABLE = 'Available';
const { Available, Progressing, Unavailable, QuotaExceeded, PodsRefused, ScaledToZero } =
  AGENT_SERVICE_REASONS;
const MAX_WORDS = 2048;

/** What a service is judged by. */
export interface Judged {
  readonly view: DeploymentView;
  readonly pods: readonly KubeObject[];
  readonly tenant: Tenant | undefined;
  /** Number and name of the active revision. */
  readonly revision: { readonly number: number; readonly name: string };
  readonly address: string;
}

/** How a service stands as a whole. */
export function serviceStanding(judged: Judged): Standing {
  const { view, address } = judged;
  if (isRolledOut(view)) {
    if (view.desired === 0) return { kind: 'ready', ...ZERO };
    return { kind: 'ready', reason: Available, message: `takes requests at ${address}` };
  }
  const trouble = view.observedGeneration < view.generation ? undefined : troubleOf(judged);
  if (trouble !== undefined) return { kind: 'reconciling', ...trouble };
  const { number, name } = judged.revision;
  const message = `revision ${number} (AgentRevision ${name}) is being rolled out`;
  return { kind: 'reconciling', reason: Progressing, message };
}

const ZERO = {
  reason: ScaledToZero,
  message: 'there are no pods, as spec.service.replicas.min is 0; its address stays',
} as const;

/** Whether requests are answered. */
export function availability(view: DeploymentView | undefined): Omit<ConditionInput, 'type'> {
  if (view === undefined) {
    return { status: 'False', reason: Unavailable, message: 'it does not stand yet' };
  }
  if (view.desired === 0)
    return { status: 'False', reason: ScaledToZero, message: 'there are to be no pods' };
  if (isEnough(view)) {
    return { status: 'True', reason: Available, message: 'enough of its pods take requests' };
  }
  const message = 'fewer of its pods take requests than spec.service.rollout lets be missing';
  return { status: 'False', reason: Unavailable, message };
}

interface Trouble {
  readonly reason: string;
  readonly message: string;
}

/** Why it does not come to stand, in the words of who knows: first what keeps pods from being made, then what pods say, then that it takes long. */
function troubleOf({ view, pods, tenant, revision }: Judged): Trouble | undefined {
  const refusal = refusalIn(view);
  if (refusal !== undefined) return refusedPods(refusal, tenant);
  const said = podTrouble(pods, revision.name);
  if (said !== undefined) return { reason: Unavailable, message: truncate(said, MAX_WORDS) };
  const progress = view.conditions.find(({ type }) => type === 'Progressing');
  if (progress?.reason === 'NewReplicaSetAvailable' && !isEnough(view))
    return { reason: Unavailable, message: UNREADY };
  if (progress?.reason !== 'ProgressDeadlineExceeded') return undefined;
  const message = `revision ${revision.number} has not been rolled out in time: ${progress.message}`;
  return { reason: Unavailable, message };
}

const UNREADY =
  'pods that took requests before do not any more, and do not say why; their logs may (spec.service.readinessPath, if it is set, is what they are asked for)';

function isEnough({ conditions, ready }: DeploymentView): boolean {
  return ready > 0 && conditions.some(({ type, status }) => type === 'Available' && status === 'True');
}

/** Why Kubernetes cannot make pods of a Deployment, or the ReplicaSet that makes them. */
export function refusalIn({ conditions }: DeploymentView): string | undefined {
  const failure = conditions.find(
    ({ type, status, reason }) =>
      (type === 'ReplicaFailure' && status === 'True') || reason === 'ReplicaSetCreateError',
  );
  return failure?.message;
}

// As the admission plugin says it: `exceeded quota: nexusos, requested: pods=1, used: pods=3, limited: pods=3`.
const QUOTA =
  /exceeded quota: ([^,\s]{1,253}), requested: (\S{1,1000}), used: (\S{1,1000}), limited: (\S{1,1000})/;

function refusedPods(words: string, tenant: Tenant | undefined): Trouble {
  const found = QUOTA.exec(words);
  if (found === null)
    return { reason: PodsRefused, message: truncate(`its pods are refused: ${words}`, MAX_WORDS) };
  const [, quota = '', requested = '', used = '', limited = ''] = found;
  const isOurs = quota === RESOURCE_QUOTA_NAME;
  const where = isOurs
    ? `the part of the tenant's quota (spec.quotas of the Tenant) that its namespace has`
    : `ResourceQuota ${quota} of its namespace, which somebody else made`;
  const amounts = `a pod takes ${requested}, used are ${used}, allowed are ${limited}`;
  const help = `Its pods are made when others end, or there is more quota: ask ${contactOf(tenant)}.`;
  // No quota that is moved to its namespace helps against that of somebody else.
  const reason = isOurs ? QuotaExceeded : PodsRefused;
  return { reason, message: `${where} has no room for its pods: ${amounts}. ${help}` };
}

/** Figures in what others say change all the time, and are no news; those of revisions are. */
export function inOldWords({ status }: Agent, standing: Standing): Standing {
  const ready = findCondition(status?.conditions ?? [], READY);
  const isOthers = standing.kind !== 'ready' && standing.reason !== Progressing;
  if (!isOthers || ready?.reason !== standing.reason) return standing;
  const isSame = withoutFigures(ready.message) === withoutFigures(standing.message);
  return isSame ? { ...standing, message: ready.message } : standing;
}

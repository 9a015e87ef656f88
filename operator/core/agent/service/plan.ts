// SPDX-License-Identifier: Apache-2.0
import type { AgentStatus } from '#crds/v1alpha1/agent';
import { AGENT_SERVICE_REASONS, type ServiceStatus } from '#crds/v1alpha1/agent-service';
import { ANNOTATIONS } from '#crds/v1alpha1/names';
import { firstDifference, hashOf, stampHash } from '../../compare.ts';
import { findCondition, READY, type Standing, toInstant } from '../../conditions.ts';
import { defined, type KubeObject } from '../../object.ts';
import { type Removal, removalOf } from '../../plan.ts';
import { toldRefusal, TRIED_AGAIN_MS } from '../../refused-write.ts';
import type { Tenant } from '../../tenant/tenant.ts';
import type { Agent } from '../agent.ts';
import type { Refusal } from '../checks.ts';
import type { ActiveRevision } from '../revision.ts';
import { serviceOf } from '../template.ts';
import { addressOf, desiredService, type ServiceKind } from './objects.ts';
import { isRolledOut, ownOf, type Place, placeOf, type ServiceObserved, viewOf } from './observed.ts';
import { askedAgainAt, lookAgainMs, type QuotaRetryInput } from './quota-retry.ts';
import { availability, inOldWords, serviceStanding } from './standing.ts';

/** What a service is decided on. */
export interface ServiceQuestion {
  readonly agent: Agent;
  readonly observed: ServiceObserved;
  readonly tenant: Tenant | undefined;
  /** What keeps the Agent from being used. */
  readonly refusal: Refusal | undefined;
  /** Whether that would be so, too, if its tenant were not suspended. */
  readonly isUnfit: boolean;
  /** The revision that is to stand; undefined while there is none. */
  readonly active: ActiveRevision | undefined;
}

/** What becomes of what stands for an Agent. */
export interface ServiceDecision {
  readonly apply: readonly KubeObject[];
  readonly create: readonly KubeObject[];
  readonly remove: readonly Removal[];
  /** How the Agent stands, where that is for the service to say. */
  readonly standing?: Standing;
  /** What the condition Available says; undefined where there is none. */
  readonly available?: ReturnType<typeof availability>;
  readonly status?: ServiceStatus;
  /** When to look again though nothing tells of a change. */
  readonly afterMs: number;
}

const NOTHING = { apply: [], create: [], remove: [], afterMs: Infinity } as const;

/**
 * Decides on the Deployment, the Service and what else stands for an Agent of shape service; of one that is of another shape, or
 * whose namespace was released, what is left of it goes; in a suspended tenant, nothing runs. What bears the name of the Agent and
 * is not of it is never touched.
 */
export function planService(question: ServiceQuestion, now: Date): ServiceDecision {
  const { agent, observed, tenant } = question;
  // What it owns goes with it, or stays without it, as who deletes it says; but somebody's finalizer may keep it for ever.
  const isLeaving = agent.metadata.deletionTimestamp !== undefined;
  const isOther = agent.spec.shape !== 'service' && !isLeaving;
  if (isOther || observed.isReleased) return { ...NOTHING, remove: ownOf(agent, observed).map(gone) };
  if (tenant === undefined) return { ...NOTHING, ...told(question, now), afterMs: untilReleased(question) };
  const known = { ...question, tenant };
  if (tenant.spec.suspended) return suspend(known, { isWritable: !isLeaving && !isUnfit(question) }, now);
  return isLeaving || isUnfit(question) ? { ...NOTHING, ...told(question, now) } : stand(known, now);
}

/** A namespace may leave its tenant before it says so itself. */
function untilReleased({ agent, observed }: ServiceQuestion): number {
  return ownOf(agent, observed).length > 0 ? TRIED_AGAIN_MS : Infinity;
}

type Question = ServiceQuestion & { readonly tenant: Tenant };

/**
 * Whether nothing may be made of the Agent as it is now. What stands is left as it was, but not while its tenant is suspended:
 * to write that it shall have no pods is to write all of it, and that may be refused.
 */
function isUnfit({ isUnfit, active }: ServiceQuestion): boolean {
  return active === undefined || isUnfit;
}

/** Nothing but the Deployment matters, and nothing else that could be refused is written: pods would run on behind that. */
function suspend(
  question: Question,
  { isWritable }: { readonly isWritable: boolean },
  now: Date,
): ServiceDecision {
  const { agent, observed } = question;
  const place = placeOf(agent, observed.objects.get('Deployment'));
  const apply = isWritable ? withoutPods(question, place) : [];
  const runsOn = place.kind === 'ours' && viewOf(place.object).desired > 0 && apply.length === 0;
  const remove = runsOn ? [gone(place.object)] : leftover(place);
  const standing = apply.length + remove.length > 0 ? toldRefusal(agent) : undefined;
  return { ...NOTHING, ...told(question, now), ...defined({ standing }), apply, remove };
}

/**
 * The Deployment with no pods, where nothing but their number changes and no write was refused before. Anything else might be
 * refused; a removal hardly ever is.
 */
function withoutPods(question: Question, place: Place): readonly KubeObject[] {
  if (place.kind !== 'ours' || toldRefusal(question.agent) !== undefined) return [];
  const { object } = place;
  const { desired } = viewOf(object);
  if (desired === 0) return [];
  const again = object.metadata.annotations?.[ANNOTATIONS.askedAgainAt];
  const wanted = desiredOf(question, again).find(({ kind }) => kind === 'Deployment');
  if (wanted === undefined) return [];
  const same = { ...wanted, spec: { ...(wanted['spec'] as object), replicas: desired } };
  if (firstDifference(object, same) !== undefined) return [];
  return changeOf({ wanted, place });
}

function stand(question: Question, now: Date): ServiceDecision {
  const { agent, observed } = question;
  const deployment = observed.objects.get('Deployment');
  const again = askedAgainAt({ ...retryOf(question), deployment }, now);
  const wanted = desiredOf(question, again);
  const places = wanted.map((one) => ({
    wanted: one,
    place: placeOf(agent, observed.objects.get(one.kind as ServiceKind)),
  }));
  const apply = places.flatMap(changeOf);
  const blocked = places.map(({ place }) => place).filter(({ kind }) => kind !== 'free' && kind !== 'ours');
  const create =
    blocked.length > 0
      ? []
      : places.flatMap(({ wanted: one, place }) => (place.kind === 'free' ? [stamped(one)] : []));
  const remove = [...unwanted(agent, { observed, wanted }), ...blocked.flatMap(leftover)];
  const standing = obstacle(blocked) ?? pending(question, create.length + places.filter(isNews).length);
  const afterMs = waitMs(blocked, deployment);
  return { apply, create, remove, afterMs, ...told(question, now), ...defined({ standing }) };
}

function waitMs(blocked: readonly Place[], deployment: KubeObject | undefined): number {
  const isTaken = blocked.some(({ kind }) => kind === 'taken');
  return Math.min(isTaken ? TRIED_AGAIN_MS : Infinity, lookAgainMs(deployment));
}

function retryOf({ agent, observed, tenant }: Question): Omit<QuotaRetryInput, 'deployment'> {
  return { agent, quota: observed.quota, containerDefaults: tenant.spec.containerDefaults };
}

/** What shall be there. Of a Deployment that something else scales, the number of pods is the one that it has. */
function desiredOf(
  { agent, observed, tenant, active }: Question,
  askedAgain: string | undefined,
): readonly KubeObject[] {
  const live = observed.objects.get('Deployment');
  const has = live === undefined ? 0 : viewOf(live).desired;
  const { autoscaling, replicas } = serviceOf(agent.spec);
  // None are left of a suspension, or by hand: an autoscaler does nothing then.
  const scaled = autoscaling === undefined || has === 0 ? replicas.min : has;
  const wanted = {
    agent,
    tenant,
    revision: active?.name ?? '',
    replicas: tenant.spec.suspended ? 0 : scaled,
    askedAgainAt: askedAgain,
  };
  return desiredService(wanted);
}

interface Placed {
  readonly wanted: KubeObject;
  readonly place: Place;
}

/** Nothing where it is as it shall be; else what it shall be, on the version that was looked at. */
function changeOf({ wanted, place }: Placed): readonly KubeObject[] {
  if (place.kind !== 'ours') return [];
  const { object } = place;
  if (firstDifference(object, stamped(wanted)) === undefined) return [];
  if (isScaledAlone(object, wanted)) return [];
  const { resourceVersion } = object.metadata;
  return [{ ...wanted, metadata: { ...wanted.metadata, ...defined({ resourceVersion }) } }];
}

/** Whether something else shall be there than was written last; what others have changed since is put right without a word. */
function isNews({ wanted, place }: Placed): boolean {
  if (changeOf({ wanted, place }).length === 0 || place.kind !== 'ours') return false;
  const { [ANNOTATIONS.appliedHash]: written, [ANNOTATIONS.askedAgainAt]: asked } =
    place.object.metadata.annotations ?? {};
  const isSilent = wanted.metadata.annotations?.[ANNOTATIONS.askedAgainAt] !== asked;
  return !isSilent && written !== hashOf(wanted);
}

/** Whether a Deployment is as it shall be but for the number of its pods, which is as an autoscaler has set it. */
function isScaledAlone(live: KubeObject, wanted: KubeObject): boolean {
  const digest = wanted.metadata.annotations?.[ANNOTATIONS.scaledHash];
  return (
    digest !== undefined &&
    live.metadata.annotations?.[ANNOTATIONS.scaledHash] === digest &&
    firstDifference(live, wanted) === undefined
  );
}

/** So that what was created need not be applied to be known as ours. */
function stamped(wanted: KubeObject): KubeObject {
  return stampHash(wanted, hashOf(wanted));
}

/** What is there for the Agent and not wanted any more, such as an autoscaler. */
function unwanted(
  agent: Agent,
  { observed, wanted }: { readonly observed: ServiceObserved; readonly wanted: readonly KubeObject[] },
): readonly Removal[] {
  const kinds = new Set(wanted.map(({ kind }) => kind));
  return ownOf(agent, observed)
    .filter(({ kind }) => !kinds.has(kind))
    .map(gone);
}

function leftover(place: Place): readonly Removal[] {
  return place.kind === 'left' ? [gone(place.object)] : [];
}

/** Its pods follow. */
function gone(object: KubeObject): Removal {
  return { ...removalOf(object), propagation: 'Background' };
}

function obstacle(blocked: readonly Place[]): Standing | undefined {
  const taken = named(blocked, 'taken');
  if (taken !== '') {
    const message = `${taken} of the name of the Agent exists already, and NexusOS did not make it for this Agent: it is left alone. Delete or rename it, or give the Agent another name.`;
    return { kind: 'stalled', reason: AGENT_SERVICE_REASONS.NameTaken, message };
  }
  const old = named(blocked, 'left') || named(blocked, 'leaving');
  if (old === '') return undefined;
  const message = `${old} of an Agent of the same name, which was deleted, must go first`;
  return { kind: 'reconciling', reason: AGENT_SERVICE_REASONS.Replacing, message };
}

function named(places: readonly Place[], wanted: Place['kind']): string {
  return places
    .flatMap((place) => (place.kind === wanted && place.kind !== 'free' ? [place.object.kind] : []))
    .join(', ');
}

/** What is said while writes are to be made: should they be refused, that was told before is no news. */
function pending({ agent, active }: Question, writes: number): Standing | undefined {
  if (writes === 0) return undefined;
  const message = `what it is made of is being made or changed, for revision ${active?.number}`;
  return (
    toldRefusal(agent) ??
    toldTaken(agent) ?? { kind: 'reconciling', reason: AGENT_SERVICE_REASONS.Progressing, message }
  );
}

function toldTaken({ metadata, status }: Agent): Standing | undefined {
  const ready = findCondition(status?.conditions ?? [], READY);
  const isTold = ready?.reason === AGENT_SERVICE_REASONS.NameTaken;
  if (!isTold || ready.observedGeneration !== metadata.generation) return undefined;
  return { kind: 'stalled', reason: ready.reason, message: ready.message };
}

/** What is said of a service, as far as it stands. */
function told(
  question: ServiceQuestion,
  now: Date,
): Pick<ServiceDecision, 'standing' | 'available' | 'status'> {
  const { agent, observed, tenant, active, refusal } = question;
  if (agent.spec.shape !== 'service') return {};
  const place = placeOf(agent, observed.objects.get('Deployment'));
  const view = place.kind === 'ours' ? viewOf(place.object) : undefined;
  const available = availability(view);
  if (view === undefined) return { available };
  const address = addressOf(agent);
  const { desired: desiredReplicas, replicas, updated: updatedReplicas, ready: readyReplicas } = view;
  const numbers = { address, desiredReplicas, replicas, updatedReplicas, readyReplicas };
  const status = {
    ...numbers,
    ...rolledOut(agent, { isRolledOut: isRolledOut(view), revision: view.revision }, now),
  };
  if (refusal !== undefined || active === undefined) return { available, status };
  const judged = { view, pods: observed.pods, tenant, revision: active, address };
  return { available, status, standing: inOldWords(agent, serviceStanding(judged)) };
}

function rolledOut(
  { status }: Agent,
  seen: { readonly isRolledOut: boolean; readonly revision: string | undefined },
  now: Date,
): Pick<ServiceStatus, 'revision' | 'rolledOutAt'> {
  const { revision, rolledOutAt } = status?.service ?? {};
  if (!seen.isRolledOut || seen.revision === undefined || seen.revision === revision) {
    return defined({ revision, rolledOutAt });
  }
  return { revision: seen.revision, rolledOutAt: toInstant(now) };
}

/** What the status of an Agent says of its service; nothing of one that is none. */
export function serviceInStatus({ status }: ServiceDecision): Pick<AgentStatus, 'service'> {
  return defined({ service: status });
}

// SPDX-License-Identifier: Apache-2.0
import type { Reservation } from '#crds/v1alpha1/quota-ledger';
import { RUN_REASONS } from '#crds/v1alpha1/run';
import type { Rate } from '#crds/v1alpha1/run-usage';
import type { Agent } from '../agent/agent.ts';
import { checkRemote } from '../agent/checks.ts';
import { statedResources } from '../agent/container.ts';
import { revisionSuffix } from '../agent/template.ts';
import { toInstant } from '../conditions.ts';
import { priceDigest } from '../metering/price.ts';
import { rateOf } from '../metering/rate.ts';
import { defined, type KubeObject } from '../object.ts';
import { statusOnly } from '../plan.ts';
import { containerResources } from '../quota/demand.ts';
import type { Tenant } from '../tenant/tenant.ts';
import { checkTools, toolsRefused } from './bounds.ts';
import { callStatusOf, priceAtStart } from './calls.ts';
import { madeFirst } from './admission-record.ts';
import { ungrouped, ungroupedFailure } from '../kueue/gang.ts';
import { isDecidedByKueue, queueFor, type QueuePlace } from '../kueue/kueue.ts';
import { fail, requeue } from './ending.ts';
import { holdUpOf } from './hold-up.ts';
import { resolveInput, type RunInput } from './input.ts';
import { desiredWorkload, timeoutSeconds, type WorkloadInput } from './pod.ts';
import type { RunObserved, RunPlan } from './observed.ts';
import type { Failure } from './outcome.ts';
import { checkParameters, misfit } from './parameters.ts';
import { retriesAtAdmission } from './retry.ts';
import { attemptsOf, childName, identityOf, phaseOf, priorityOf, type Run } from './run.ts';
import { missingRevision } from './revision.ts';
import { settleUnmade } from './settlement.ts';
import { type AdmittedFacts, admittedStatus, type Cause } from './status.ts';
import { giveBack } from './suspension.ts';

/** How often an input that is not there is looked for. */
const INPUT_RETRY_MS = 5000;

type Reserved = RunObserved & { readonly reservation: Reservation };

/** Writes that the Run is admitted, then makes its workload. Also when that was written and nothing was made, as after a crash. */
export function admit(run: Run, observed: Reserved, now: Date): RunPlan {
  const { agent, tenant, revision } = observed;
  const missing = missingForStart(run, observed);
  if (agent === undefined || tenant === undefined || revision === undefined || missing !== undefined) {
    return giveBack(settleUnmade(run, now), observed.reservation, { ...(missing ?? NO_TENANT), now });
  }
  return begin(run, { ...observed, agent, tenant, revision }, now);
}

/**
 * Whether a Run is about to give a place back that it has not taken, or to end with it, as something is not there any more, or is otherwise. A pod
 * may be there by then that was made when it was: who gives the place away must know for certain.
 */
export function leavesPlace(run: Run, observed: RunObserved): boolean {
  const { reservation, agent, made } = observed;
  if (reservation === undefined || reservation.awaits !== undefined || phaseOf(run) !== 'Queued')
    return false;
  if (reservation.attempt <= attemptsOf(run)) return false;
  if (missingForStart(run, { ...observed, reservation }) !== undefined) return true;
  return agent !== undefined && unfitFor(run, agent, made) !== undefined;
}

/** With everything that its workload is made of. */
type Complete = Reserved & {
  readonly agent: Agent;
  readonly tenant: Tenant;
  readonly revision: NonNullable<RunObserved['revision']>;
};

function begin(run: Run, observed: Complete, now: Date): RunPlan {
  const { agent, inputSource: source, made } = observed;
  const unfit = unfitFor(run, agent, made) ?? ungroupedFor(run, observed);
  if (unfit !== undefined) return fail(settleUnmade(run, now), unfit, now);
  const input = resolveInput(run, { source, made });
  if (input.kind === 'refused') return fail(settleUnmade(run, now), input.failure, now);
  const status = admittedStatus(run, factsOf(run, { ...observed, input }, now), now);
  if (input.kind === 'missing') return statusOnly(status, requeue(INPUT_RETRY_MS, 'for its input'));
  const { reservation } = observed;
  const queue = queueOf(run, observed);
  const parties = {
    run,
    agent,
    tenant: observed.tenant,
    attempt: reservation.attempt,
    copied: input.copied,
    made,
    call: callStatusOf(reservation),
    remoteImage: observed.remoteImage,
    ...defined({ gpu: gpuOn(observed, queue), gang: gangOn(observed) }),
  };
  const workload = desiredWorkload({ ...parties, ...defined({ queue }) });
  // What waits for Kueue says so first: its pod would say that it is admitted, and it is not yet.
  const first =
    queue === undefined && comesFirst(run, observed) ? madeFirst(workload, status, now) : undefined;
  return { ...statusOnly(status), create: first ?? workload, defersStatus: first !== undefined };
}

/** Not where it is told already, or a pod stands under the name that does not say what it was made by. */
function comesFirst(run: Run, { isMade = false, reservation }: Reserved): boolean {
  // Nor among Runs that call each other: what is called belongs to an attempt that the status of its caller tells of.
  return phaseOf(run) === 'Queued' && !isMade && callStatusOf(reservation) === undefined;
}

/** The queue refuses it before, unless it had its reservation when Kueue came. */
function ungroupedFor(run: Run, observed: Complete): Failure | undefined {
  const { pods } = observed.reservation;
  if (pods === undefined || queueOf(run, observed) === undefined) return undefined;
  return ungroupedFailure(ungrouped(pods));
}

/** Devices of each pod. Where Kueue decides when it starts, what is free now says nothing of then. */
function gpuOn(
  { reservation, gpuClass, nodes = [] }: Complete,
  queue: QueuePlace | undefined,
): WorkloadInput['gpu'] {
  const node = queue === undefined ? nodes[0] : undefined;
  return gpuClass && { class: gpuClass, count: devicesOfPod(reservation), node };
}

/** Where there are many pods: the nodes that were thought of go to those that are still to be made. */
function gangOn({ reservation: { pods }, members = [], nodes = [] }: Complete): WorkloadInput['gang'] {
  if (pods === undefined) return undefined;
  const made = new Set(members.map(({ index }) => index));
  const left = [...nodes];
  const byIndex = Array.from({ length: pods }, (_, index) => (made.has(index) ? undefined : left.shift()));
  return { pods, nodes: byIndex };
}

/** Where its pod waits; undefined where nobody but us decides. */
function queueOf(run: Run, { capacity, gpuClass }: RunObserved): QueuePlace | undefined {
  const kueue = capacity && { isServed: true as const, ...capacity.kueue };
  if (kueue === undefined || !isDecidedByKueue(kueue, gpuClass?.spec)) return undefined;
  return queueFor(priorityOf(run), kueue);
}

/** The Agent may have been changed since the queue looked at it; what was handed over stays as it is. */
function unfitFor(run: Run, agent: Agent, made: KubeObject | undefined): Failure | undefined {
  const problem = made === undefined ? checkParameters(run, agent) : undefined;
  if (problem !== undefined) return misfit(problem);
  const tools = checkTools(run, agent);
  return tools === undefined ? undefined : toolsRefused(tools);
}

type Admitting = Complete & { readonly input: RunInput };

/** Devices of a reservation that each of its pods has. */
function devicesOfPod({ gpus = 0, pods = 1 }: Reservation): number {
  return gpus / pods;
}

function factsOf(run: Run, admitting: Admitting, now: Date): AdmittedFacts {
  const { reservation, agent, revision, input } = admitting;
  const { attempt, gpuClass: className, gpus: count = 0 } = reservation;
  return {
    attempt,
    childName: childName(identityOf(run), attempt),
    revision,
    rate: rateOfAttempt(run, admitting),
    waits: queueOf(run, admitting) !== undefined,
    ...defined({
      serial: reservation.serial,
      call: callStatusOf(reservation),
      gpu: className === undefined ? undefined : { class: className, count },
      gang: gangFacts(admitting, now),
      retries: retriesAtAdmission(run, agent),
      holdUp: input.kind === 'missing' ? input.cause : heldUp(run),
      input: input.kind === 'ready' ? input.copied?.facts : undefined,
    }),
  };
}

/** How many pods there are, and by when they must have started. */
function gangFacts({ reservation: { pods }, agent }: Admitting, now: Date): AdmittedFacts['gang'] {
  if (pods === undefined) return undefined;
  const { startTimeoutSeconds = 0 } = agent.spec.gang ?? {};
  return { pods, startBefore: toInstant(new Date(now.getTime() + startTimeoutSeconds * 1000)) };
}

function rateOfAttempt(run: Run, admitting: Admitting): Rate {
  const { reservation, agent, tenant, gpuClass } = admitting;
  const price = priceAtAdmission(run, admitting);
  const gpu = gpuClass && { class: gpuClass, count: devicesOfPod(reservation) };
  return rateOf({
    agent: agent.spec,
    resources: containerResources(statedResources(agent.spec), tenant.spec.containerDefaults),
    timeoutSeconds: timeoutSeconds(run, agent),
    ...defined({ gpu, pods: reservation.pods, price }),
  });
}

/** What was written with the admission stays, also where nothing was made of it yet. */
function priceAtAdmission(run: Run, observed: Admitting): Rate['price'] {
  const { reservation } = observed;
  const { open } = run.status?.usage ?? {};
  const isAdmitted = open !== undefined && open.reservation === reservation.serial;
  return isAdmitted ? open.rate.price : priceAtStart(reservation, observed);
}

/** What was told of this attempt before: it was in the queue since, if that was of another one. */
function heldUp(run: Run): Cause | undefined {
  const held = phaseOf(run) === 'Admitted' ? holdUpOf(run) : undefined;
  return held && { reason: held.reason, message: held.message };
}

const NO_TENANT: Cause = {
  reason: RUN_REASONS.TenantNotFound,
  message: 'the tenant was deleted before the Run could start',
};

const CHANGED_AGENT: Cause = {
  reason: RUN_REASONS.Pending,
  message: 'its Agent has another template than when its quota was reserved: it is reserved anew',
};

/** Whether the quota was reserved for another template, which may take less than the present one. */
function isReservedForAnother(
  { revision: reservedFor }: Reservation,
  { name }: NonNullable<RunObserved['revision']>,
): boolean {
  return reservedFor !== undefined && reservedFor !== revisionSuffix(name);
}

const CHANGED_PRICE: Cause = {
  reason: RUN_REASONS.Pending,
  message: 'the price is another one than when its quota was reserved: it is reserved anew',
};

/** Whether cost was reserved by another price, which may come to less than the present one. */
function isPricedOtherwise({ reservation, ...observed }: Reserved): boolean {
  const { priced } = reservation;
  const price = priceAtStart(reservation, observed);
  return priced !== undefined && priced !== (price && priceDigest(price));
}

/** What was deleted or replaced since its quota was reserved: it waits for that like a Run that comes after. */
function missingForStart(run: Run, observed: Reserved): Cause | undefined {
  const { reservation, agent, revision, tenant, gpuClass, remoteImage } = observed;
  if (tenant === undefined) return NO_TENANT;
  if (agent === undefined) {
    const message = `Agent ${reservation.agent} was deleted before the Run could start`;
    return { reason: RUN_REASONS.AgentNotFound, message };
  }
  if (revision === undefined) return missingRevision(run);
  if (isReservedForAnother(reservation, revision)) return CHANGED_AGENT;
  if (isPricedOtherwise(observed)) return CHANGED_PRICE;
  const off = checkRemote(agent, remoteImage);
  if (off !== undefined) return { reason: RUN_REASONS.AgentNotReady, message: off.message };
  if (reservation.gpuClass === undefined || gpuClass !== undefined) return undefined;
  const message = `GPU class ${reservation.gpuClass} was deleted before the Run could start`;
  return { reason: RUN_REASONS.AgentNotReady, message };
}

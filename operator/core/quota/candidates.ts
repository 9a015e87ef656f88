// SPDX-License-Identifier: Apache-2.0
import type { Reservation } from '#crds/v1alpha1/quota-ledger';
import { RUN_REASONS } from '#crds/v1alpha1/run';
import type { TenantSpec } from '#crds/v1alpha1/tenant';
import { type Agent, agentKey, type GPUClass } from '../agent/agent.ts';
import { isAtRevision, pinnedKey, pinOf, type PinnedAgent } from '../agent/pinned.ts';
import { revisionSuffix } from '../agent/template.ts';
import { ungrouped } from '../kueue/gang.ts';
import { findCondition, READY } from '../conditions.ts';
import { APPROVAL_REQUIRED, needsApproval } from '../run/approval.ts';
import { checkTools } from '../run/bounds.ts';
import { checkParameters } from '../run/parameters.ts';
import { openQuestion, UNANSWERED } from '../run/question.ts';
import { missingRevision } from '../run/revision.ts';
import { serviceInstead } from '../run/service-instead.ts';
import { type Condition, defined } from '../object.ts';
import { attemptsOf, isFinished, phaseOf, priorityOf, type Run } from '../run/run.ts';
import { SUSPENDED } from '../run/suspension.ts';
import type { Candidate, Waiting } from './admit.ts';
import { type AgentView, isSameView, viewOf } from './agent-view.ts';
import { type Amounts, NO_AMOUNTS } from './amounts.ts';
import { ageOf } from './queue-order.ts';
import { sessionDigest } from './sessions.ts';

/** What the Runs of a tenant refer to. */
export interface RunContext {
  /** By `agentKey`. */
  readonly agents: ReadonlyMap<string, Agent>;
  /**
   * By `pinnedKey`: Agents as they were at the revisions that Runs are bound to, where that is not what they are now.
   */
  readonly revisions?: ReadonlyMap<string, PinnedAgent>;
  /** By name. */
  readonly gpuClasses: ReadonlyMap<string, GPUClass>;
  readonly containerDefaults: TenantSpec['containerDefaults'];
  /** Whether Kueue decides when a Run starts that asks for devices of a class, or for none; undefined where it decides on nobody. */
  readonly decidedByKueue?: ((gpuClass: GPUClass['spec'] | undefined) => boolean) | undefined;
  /** By namespace, what keeps all Runs there from being admitted. */
  readonly obstacles?: ReadonlyMap<string, Waiting> | undefined;
}

/** How a reservation stands with its Run, which was seen with the uid of the reservation. */
export function isGivenBack(reservation: Reservation, run: Run): boolean {
  if (isFinished(run)) return true;
  // Paused, or cut short by the loss of a node: back in the queue, and its next attempt wants a reservation of its own.
  return phaseOf(run) === 'Queued' && attemptsOf(run) >= reservation.attempt;
}

/** Whether a Run that holds no quota wants some. */
export function wantsQuota(run: Run): boolean {
  const isWanted = !run.spec.cancel && !run.spec.dryRun && run.metadata.deletionTimestamp === undefined;
  return phaseOf(run) === 'Queued' && isWanted && run.status?.keyHolder === undefined;
}

/** What was worked out of a Run the last time, by its version. */
interface Known {
  /** Of the Agent that it names. */
  readonly agentKey: string;
  view?: AgentView;
  candidate?: Candidate;
}

/** A queue of thousands is gone through many times before one of them changes, or what they follow from. */
const knownOf = new WeakMap<Run, Known>();

function known(run: Run): Known {
  const found = knownOf.get(run);
  if (found !== undefined) return found;
  const made = { agentKey: agentKey(run.metadata.namespace ?? '', run.spec.agentRef.name) };
  knownOf.set(run, made);
  return made;
}

/** A waiting Run as the queue sees it. */
export function candidateOf(run: Run, context: RunContext): Candidate {
  const before = known(run);
  const view = plainView(run, context, before.agentKey);
  if (view === undefined) return workOut(run, context);
  const isKnown = before.view !== undefined && isSameView(before.view, view);
  // The latest, so that nobody keeps older ones.
  before.view = view;
  if (isKnown && before.candidate !== undefined) return before.candidate;
  const candidate = workOut(run, context);
  before.candidate = candidate;
  return candidate;
}

/** What a Run follows from beside itself, where that is its Agent as it is now, and nothing else. */
function plainView(run: Run, context: RunContext, key: string): AgentView | undefined {
  const agent = context.agents.get(key);
  if (agent === undefined || agent.spec.gang !== undefined) return undefined;
  const pin = pinOf(run);
  if (pin !== undefined && !isAtRevision(agent, pin)) return undefined;
  if (context.obstacles?.has(run.metadata.namespace ?? '') === true) return undefined;
  return viewOf(agent, context);
}

function workOut(run: Run, context: RunContext): Candidate {
  const { agent, obstacle } = sourceOf(run, context);
  return {
    ...selfOf(run),
    demand: demandOf(run, agent, context),
    ...defined({
      ...wantedBy(agent),
      revision: unboundRevision(run, agent),
      blocked:
        pauseOf(run) ??
        serviceInstead(agent) ??
        obstacle ??
        misfitOf(run, agent) ??
        ungroupedAtKueue(agent, context) ??
        unasked(run, agent) ??
        context.obstacles?.get(run.metadata.namespace ?? ''),
    }),
  };
}

/** Before anybody is asked to approve it, or ended to make room for it: it could never start. */
function ungroupedAtKueue(
  agent: Agent | undefined,
  { decidedByKueue, gpuClasses }: RunContext,
): Waiting | undefined {
  const { gang, gpu } = agent?.spec ?? {};
  if (gang === undefined) return undefined;
  const gpuClass = gpu && gpuClasses.get(gpu.class)?.spec;
  const isUnknown = gpu !== undefined && gpuClass === undefined;
  if (isUnknown || !decidedByKueue?.(gpuClass)) return undefined;
  return { reason: RUN_REASONS.WorkloadRefused, message: ungrouped(gang.pods) };
}

/** Devices of all pods together, and how many pods where these are many. */
function wantedBy(agent: Agent | undefined): Partial<Pick<Candidate, 'gpu' | 'pods'>> {
  if (agent?.spec.gang === undefined) return defined({ gpu: agent?.spec.gpu });
  const {
    gpu,
    gang: { pods },
  } = agent.spec;
  return { pods, ...defined({ gpu: gpu && { ...gpu, count: gpu.count * pods } }) };
}

type Self = Omit<Candidate, 'demand' | 'gpu' | 'pods' | 'revision' | 'blocked'>;

function selfOf(run: Run): Self {
  const { name, namespace = '' } = run.metadata;
  const agent = run.spec.agentRef.name;
  const attempt = attemptsOf(run) + 1;
  const priority = priorityOf(run);
  const session = defined({ session: sessionDigest(run) });
  return { ...ageOf(run), namespace, name, agent, priority, attempt, ...session };
}

/** What a Run that is bound to no revision is judged by: its Agent may have another template when it starts. */
function unboundRevision(run: Run, agent: Agent | undefined): string | undefined {
  const active = agent?.status?.activeRevision;
  return active === undefined || pinOf(run) !== undefined ? undefined : revisionSuffix(active.name);
}

/** What a Run is made from: its Agent, as it was at the revision that the Run is bound to. */
export interface Source {
  /** Undefined when it is not there, or that revision is not. */
  readonly agent: Agent | undefined;
  /** What keeps Runs of it from being admitted. */
  readonly obstacle: Waiting | undefined;
}

/** The source of a Run that is made, or would be. */
export function sourceOf(run: Run, { agents, revisions }: RunContext): Source {
  const { name } = run.spec.agentRef;
  const agent = agents.get(known(run).agentKey);
  const pin = pinOf(run);
  if (agent === undefined || pin === undefined || isAtRevision(agent, pin))
    return { agent, obstacle: obstacleOf(name, agent) };
  const pinned = revisions?.get(pinnedKey(run, pin));
  if (pinned === undefined) return { agent: undefined, obstacle: missingRevision(run) };
  return { agent: pinned.agent, obstacle: obstacleAt(pin, pinned) };
}

/** An Agent that is being deleted is refused at each of its revisions. */
function obstacleAt(pin: string, { agent, refusal }: PinnedAgent): Waiting | undefined {
  if (refusal === undefined) return undefined;
  const message = `Agent ${agent.metadata.name} is not Ready at AgentRevision ${pin}: ${refusal.message}`;
  return { reason: RUN_REASONS.AgentNotReady, message };
}

/** What `run` of `agent` takes from quota; nothing that is known where the Agent is gone. `run` is undefined for one that is gone. */
export function demandOf(run: Run | undefined, agent: Agent | undefined, context: RunContext): Amounts {
  if (agent === undefined) return NO_AMOUNTS;
  const { alone, withFiles } = viewOf(agent, context).demands;
  return run !== undefined && (isGivenFiles(run, agent) || isAnswered(run)) ? withFiles : alone;
}

/** Whether a ConfigMap is made for `run`: for input that we hand on, and for parameters. Asked of every waiting Run at each pass. */
function isGivenFiles({ spec: { input, parameters = {} } }: Run, agent: Agent): boolean {
  const hasInput = input?.inline !== undefined || input?.configMapKeyRef !== undefined;
  const hasDefault = agent.spec.parameters?.some((one) => one.default !== undefined) === true;
  return hasInput || hasDefault || Object.keys(parameters).length > 0;
}

/** Whether answers to its questions are handed on. */
function isAnswered({ status }: Run): boolean {
  return status?.question?.answeredAt !== undefined;
}

/** What keeps a Run from being admitted, however much is free: its user, a question, or that its last attempt failed just now. */
function pauseOf(run: Run): Waiting | undefined {
  const { spec, status } = run;
  if (spec.suspend) return SUSPENDED;
  if (openQuestion(run) !== undefined) return UNANSWERED;
  const { retries, startBackoff, queue } = status ?? {};
  const message = queue?.message ?? '';
  if (retries?.notBefore !== undefined) return { reason: RUN_REASONS.RetryBackoff, message };
  if (startBackoff?.notBefore === undefined) return undefined;
  return { reason: RUN_REASONS.GangNotStarted, message };
}

/** That people are to look at it first: the last of what does not depend on others, so that nobody looks at what could not start. */
function unasked(run: Run, agent: Agent | undefined): Waiting | undefined {
  return needsApproval(run, agent) ? APPROVAL_REQUIRED : undefined;
}

function obstacleOf(name: string, agent: Agent | undefined): Waiting | undefined {
  if (agent === undefined) {
    return {
      reason: RUN_REASONS.AgentNotFound,
      message: `spec.agentRef.name: there is no Agent ${name} in this namespace`,
    };
  }
  const why = unreadiness(agent);
  if (why === undefined) return undefined;
  return { reason: RUN_REASONS.AgentNotReady, message: `Agent ${name} is not Ready: ${why}` };
}

function misfitOf(run: Run, agent: Agent | undefined): Waiting | undefined {
  if (agent === undefined) return undefined;
  const message = checkParameters(run, agent);
  if (message !== undefined) return { reason: RUN_REASONS.InvalidParameters, message };
  const tools = checkTools(run, agent);
  return tools === undefined ? undefined : { reason: RUN_REASONS.ToolsNotAllowed, message: tools };
}

function unreadiness({ metadata, status }: Agent): string | undefined {
  if (metadata.deletionTimestamp !== undefined) return 'it was deleted';
  const ready = findCondition(status?.conditions ?? [], READY);
  if (ready === undefined || isOfBefore(ready, metadata)) return 'it has not been checked yet';
  if (ready.status !== 'True') return ready.message;
  return status?.activeRevision === undefined ? 'it has no revision yet' : undefined;
}

function isOfBefore({ observedGeneration = 0 }: Condition, { generation = 0 }: Agent['metadata']): boolean {
  return observedGeneration < generation;
}

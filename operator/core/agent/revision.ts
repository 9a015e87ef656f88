// SPDX-License-Identifier: Apache-2.0
import { AGENT_REASONS, type AgentStatus } from '#crds/v1alpha1/agent';
import { AGENT_REVISION } from '#crds/v1alpha1/agent-revision';
import { API_VERSION, LABELS, MANAGED_BY } from '#crds/v1alpha1/names';
import { toInstant } from '../conditions.ts';
import type { KubeObject } from '../object.ts';
import { type PlanEvent, type Removal, removalOf } from '../plan.ts';
import type { Tenant } from '../tenant/tenant.ts';
import type { Agent } from './agent.ts';
import { controlledBy, orphanFor, type OrphanDecision, planOrphan } from './orphan.ts';
import { type AgentRevision, isRevisionOf, templateOf, wantedRevision } from './template.ts';

/** What was seen of the revisions of an Agent. */
export interface RevisionsObserved {
  /** Those that are said to be of an Agent of that name. */
  readonly revisions: readonly AgentRevision[];
  /** Names of those that the API server itself, asked just now, says no Run uses that has not ended. */
  readonly unused: ReadonlySet<string>;
  /**
   * What `blockingOrphan` found, whole, if the API server itself, asked just now, says that it is there, and after that that the
   * Agent is: while that is going, what it leaves is not to be given back to it.
   */
  readonly orphan?: AgentRevision | undefined;
}

/** The revision that new Runs are made from, as the status tells of it. */
export type ActiveRevision = NonNullable<AgentStatus['activeRevision']>;

/** What is done about the revisions of an Agent. */
export type RevisionDecision =
  /** Of an Agent that is going or belongs to no tenant: nothing. */
  | { readonly kind: 'none' }
  /** It is to be made first. */
  | { readonly kind: 'missing'; readonly create: KubeObject }
  /** One that nobody owns has its name: that is adopted or removed first. */
  | ({ readonly kind: 'orphaned' } & OrphanDecision)
  /** The name is taken, by what is going or is not ours. */
  | { readonly kind: 'taken'; readonly message: string }
  | {
      readonly kind: 'active';
      readonly active: ActiveRevision;
      readonly last: number;
      readonly remove: readonly Removal[];
      readonly events: readonly PlanEvent[];
      /** When the next one is to be removed, if nobody uses it. */
      readonly afterMs: number;
    };

/**
 * A revision stays so long after another took its place, which is longer than a request may take: by then every Run that was
 * admitted by an older view of the Agent is known to the API server, which is asked.
 */
const CALM_MS = 40_000;

/** Decides which revision new Runs are made from, and which are of no use any more. */
export function planRevision(
  agent: Agent,
  observed: RevisionsObserved & { readonly tenant: Tenant | undefined },
  now: Date,
): RevisionDecision {
  if (observed.tenant === undefined || agent.metadata.deletionTimestamp !== undefined)
    return { kind: 'none' };
  const { revisions } = observed;
  const found = knownActive(agent, revisions) ?? findByTemplate(agent, revisions);
  if (found === undefined) return missing(agent, observed);
  const active = activeOf(agent, found, now);
  const surplus = surplusRevisions(agent, { revisions, active }, now);
  return {
    kind: 'active',
    active,
    last: lastNumber(agent, revisions),
    remove: surplus.due
      .filter(({ metadata }) => observed.unused.has(metadata.name))
      .map((one) => ({ ...removalOf(one), propagation: 'Background' })),
    events: activated(agent, active),
    afterMs: surplus.afterMs,
  };
}

/**
 * Revisions over the limit of the history, oldest first, or none before it is time. Which of them are used is for who asks to
 * find out.
 */
export function surplusRevisions(
  agent: Agent,
  {
    revisions,
    active,
  }: { readonly revisions: readonly AgentRevision[]; readonly active: ActiveRevision | undefined },
  now: Date,
): { readonly due: readonly AgentRevision[]; readonly afterMs: number } {
  const others = revisions.filter((one) => isUsable(one, agent) && one.metadata.name !== active?.name);
  const excess = others.length - agent.spec.revisionHistoryLimit;
  if (active === undefined || excess <= 0) return { due: [], afterMs: Infinity };
  const calmMs = Date.parse(active.since) + CALM_MS - now.getTime();
  // Ahead of us by more than it could be, the clock has gone back since.
  if (calmMs > 0 && calmMs <= CALM_MS) return { due: [], afterMs: calmMs };
  const oldest = others.toSorted((a, b) => a.spec.revision - b.spec.revision);
  return { due: oldest.slice(0, excess), afterMs: Infinity };
}

/** The revision that nobody owns, where the one that `agent` needs is to be made. */
export function blockingOrphan(agent: Agent, revisions: readonly AgentRevision[]): AgentRevision | undefined {
  if (knownActive(agent, revisions) !== undefined) return undefined;
  return orphanFor(agent, revisions);
}

/** The one that the status tells of for this generation: it stays, should another release say a template in another way. */
function knownActive(agent: Agent, revisions: readonly AgentRevision[]): AgentRevision | undefined {
  const active = agent.status?.activeRevision;
  if (active === undefined || active.generation !== agent.metadata.generation) return undefined;
  return revisions.find((one) => one.metadata.name === active.name && isUsable(one, agent));
}

/** The revision of the present template. */
function findByTemplate(agent: Agent, revisions: readonly AgentRevision[]): AgentRevision | undefined {
  const { name, digest } = wantedRevision(agent);
  return revisions.find(
    (one) => one.metadata.name === name && one.spec.digest === digest && isUsable(one, agent),
  );
}

function isUsable(revision: AgentRevision, agent: Agent): boolean {
  return revision.metadata.deletionTimestamp === undefined && isRevisionOf(revision, agent);
}

function missing(agent: Agent, { revisions, orphan }: RevisionsObserved): RevisionDecision {
  const { name } = wantedRevision(agent);
  const last = lastNumber(agent, revisions);
  if (revisions.some(({ metadata }) => metadata.name === name)) {
    const decision = planOrphan(agent, { orphan, last });
    if (decision !== undefined) return { kind: 'orphaned', ...decision };
    const message = `AgentRevision ${name} must go first: it is being deleted, or is that of another Agent, which was deleted, or of another template`;
    return { kind: 'taken', message };
  }
  return { kind: 'missing', create: newRevision(agent, last + 1) };
}

function newRevision(agent: Agent, revision: number): KubeObject {
  const { name: agentName, namespace } = agent.metadata;
  const { name, digest } = wantedRevision(agent);
  return {
    apiVersion: API_VERSION,
    kind: AGENT_REVISION.kind,
    metadata: {
      name,
      ...(namespace !== undefined && { namespace }),
      labels: { [LABELS.managedBy]: MANAGED_BY, [LABELS.agent]: agentName },
      ownerReferences: [controlledBy(agent)],
    },
    spec: { agent: agentName, revision, digest, template: templateOf(agent.spec) },
  };
}

/** Numbers are given once: the last one is on record, should its revision be gone. */
function lastNumber(agent: Agent, revisions: readonly AgentRevision[]): number {
  const numbers = revisions.filter((one) => isRevisionOf(one, agent)).map(({ spec }) => spec.revision);
  return Math.max(agent.status?.lastRevision ?? 0, ...numbers);
}

function activeOf({ metadata, status }: Agent, { metadata: { name }, spec }: AgentRevision, now: Date) {
  const before = status?.activeRevision;
  const since = before?.name === name ? before.since : toInstant(now);
  return { name, number: spec.revision, generation: metadata.generation ?? 0, since };
}

function activated({ status }: Agent, { name, number }: ActiveRevision): readonly PlanEvent[] {
  const before = status?.activeRevision;
  // The first one goes without saying.
  if (before === undefined || before.name === name) return [];
  const message = `revision ${number} (AgentRevision ${name}) is the active one, after revision ${before.number}`;
  return [{ type: 'Normal', reason: AGENT_REASONS.RevisionActivated, message }];
}

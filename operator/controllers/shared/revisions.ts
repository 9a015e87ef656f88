// SPDX-License-Identifier: Apache-2.0
import type { RunStatus } from '#crds/v1alpha1/run';
import { type Agent, agentKey, type GPUClass } from '../../core/agent/agent.ts';
import {
  agentAtRevision,
  isAtRevision,
  pinnedAgent,
  pinnedKey,
  type PinnedAgent,
  pinOf,
} from '../../core/agent/pinned.ts';
import { blockingOrphan, type RevisionsObserved, surplusRevisions } from '../../core/agent/revision.ts';
import type { AgentRevision } from '../../core/agent/template.ts';
import type { KubeObject } from '../../core/object.ts';
import type { Run } from '../../core/run/run.ts';
import type { Tenant } from '../../core/tenant/tenant.ts';
import { clock } from '../../runtime/clock.ts';
import { type IndexDeclaration, keyOf, type Reader, type Watch } from '../../runtime/controller.ts';
import { find } from './find.ts';
import { AGENT_REVISIONS, AGENTS, RUNS } from '../../core/resources.ts';

const OF_AGENT = 'revisions-of-agent';

/** Revisions by `agentKey`. */
export const REVISION_INDEX: IndexDeclaration = {
  resource: AGENT_REVISIONS,
  name: OF_AGENT,
  of: ({ metadata, spec }) => [agentKey(metadata.namespace ?? '', (spec as AgentRevision['spec']).agent)],
};

/** Revisions as they are watched: of what may be large, nothing is kept that only a workload is made from. */
export const WATCHED_REVISIONS = { resource: AGENT_REVISIONS, trim: withoutProgram } as const;

/** A watch on revisions. */
export function watchRevisions(keys: Watch['keys']): Watch {
  return { ...WATCHED_REVISIONS, keys };
}

function withoutProgram(object: KubeObject): KubeObject {
  const { spec } = object as AgentRevision;
  if (spec.template.container === undefined) return object;
  const { env: _, command: __, args: ___, ...container } = spec.template.container;
  return { ...object, spec: { ...spec, template: { ...spec.template, container } } };
}

const NONE: ReadonlySet<string> = new Set();
/** At most so many are asked for at a time; each is two requests of one object at most. */
const MAX_ASKED = 10;
const NOT_FINISHED = ['Succeeded', 'Failed', 'Cancelled'].map((phase) => `status.phase!=${phase}`);
const USES = ['status.revision.name', 'spec.revision'];

/**
 * Revisions of an Agent, as the stores know them, and those over its limit that no Run uses. A watch may be behind, so that
 * nobody uses them is for the API server itself to say.
 *
 * @throws ApiError when it cannot.
 */
export async function observeRevisions(
  agent: Agent,
  live: readonly Run[],
  read: Reader,
): Promise<RevisionsObserved> {
  const { namespace = '', name } = agent.metadata;
  const revisions = read.list(AGENT_REVISIONS, {
    index: OF_AGENT,
    value: agentKey(namespace, name),
  }) as readonly AgentRevision[];
  const orphan = await liveOrphan(agent, revisions, read);
  const active = agent.status?.activeRevision;
  const { due } = surplusRevisions(agent, { revisions, active }, clock.now());
  if (due.length === 0) return { revisions, orphan, unused: NONE };
  const used = new Set(live.map((run) => pinOf(run)));
  const asked = due.filter(({ metadata }) => !used.has(metadata.name)).slice(0, MAX_ASKED);
  const answers = await Promise.all(asked.map((one) => isUsed(one, read)));
  return {
    revisions,
    orphan,
    unused: new Set(asked.filter((_, i) => answers[i] === false).map((one) => one.metadata.name)),
  };
}

/** The Agent is asked for last: an orphan that it has just left is seen to be so no earlier than it is seen to be going. */
async function liveOrphan(
  agent: Agent,
  revisions: readonly AgentRevision[],
  read: Reader,
): Promise<AgentRevision | undefined> {
  const orphan = blockingOrphan(agent, revisions);
  if (orphan === undefined) return undefined;
  const whole = (await read.live(AGENT_REVISIONS, keyOf(orphan))) as AgentRevision | undefined;
  const { metadata } = (await read.live(AGENTS, keyOf(agent))) ?? {};
  const isThere = metadata?.uid === agent.metadata.uid && metadata?.deletionTimestamp === undefined;
  return isThere ? whole : undefined;
}

/** Whether a Run of the Agent that has not ended is bound to a revision, or names it: one of another Agent that names it can never have it. */
async function isUsed({ metadata, spec }: AgentRevision, read: Reader): Promise<boolean> {
  const { namespace = '', name } = metadata;
  const ofAgent = `spec.agentRef.name=${spec.agent}`;
  for (const field of USES) {
    const fieldSelector = [`${field}=${name}`, ofAgent, ...NOT_FINISHED].join(',');
    if (await read.anyLive(RUNS, { namespace, fieldSelector })) return true;
  }
  return false;
}

/** What a Run is made from. */
export interface FoundSource {
  /** As it was at the revision, if that is there; undefined when there is no such Agent. */
  readonly agent: Agent | undefined;
  /** Undefined when it is not there. */
  readonly revision: RunStatus['revision'];
}

/**
 * What a Run is about to be made from: that to which it is bound, or what is active now. What no watch holds whole is read from
 * the API server.
 *
 * @throws ApiError when the API server cannot say.
 */
export async function findSource(run: Run, read: Reader): Promise<FoundSource> {
  const key = { ...keyOf(run), name: run.spec.agentRef.name };
  const agent = (await find(AGENTS, key, read)) as Agent | undefined;
  const active = agent?.status?.activeRevision;
  const name = pinOf(run) ?? active?.name;
  if (agent === undefined || name === undefined) return { agent, revision: undefined };
  if (active !== undefined && isAtRevision(agent, name))
    return { agent, revision: { name, number: active.number } };
  const found = (await read.live(AGENT_REVISIONS, { ...keyOf(run), name })) as AgentRevision | undefined;
  return sourceAt(agent, found);
}

function sourceAt(agent: Agent, found: AgentRevision | undefined): FoundSource {
  const then = found && agentAtRevision(agent, found);
  if (found === undefined || then === undefined) return { agent, revision: undefined };
  return { agent: then, revision: { name: found.metadata.name, number: found.spec.revision } };
}

/** Where Runs of one tenant find what they are made from. */
export interface RevisionPlace {
  /** By `agentKey`. */
  readonly agents: ReadonlyMap<string, Agent>;
  /** By name. */
  readonly gpuClasses: ReadonlyMap<string, GPUClass>;
  readonly tenant: Tenant | undefined;
}

/** Agents as they were at the revisions that `runs` are bound to, by `pinnedKey`. */
export function pinnedAgents(
  runs: readonly Run[],
  { agents, gpuClasses, tenant }: RevisionPlace,
  read: Reader,
): ReadonlyMap<string, PinnedAgent> {
  const found = new Map<string, PinnedAgent>();
  for (const run of runs) {
    const name = pinOf(run);
    if (name === undefined) continue;
    const { namespace = '' } = run.metadata;
    const agent = agents.get(agentKey(namespace, run.spec.agentRef.name));
    if (agent === undefined || isAtRevision(agent, name)) continue;
    const key = pinnedKey(run, name);
    if (found.has(key)) continue;
    const revision = read.get(AGENT_REVISIONS, { namespace, name }) as AgentRevision | undefined;
    const pinned =
      revision &&
      pinnedAgent(agent, revision, ({ spec: { gpu } }) => ({
        tenant,
        gpuClass: gpu && gpuClasses.get(gpu.class),
      }));
    if (pinned !== undefined) found.set(key, pinned);
  }
  return found;
}

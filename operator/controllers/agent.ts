// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import { AGENT, AGENT_REASONS, type AgentStatus } from '#crds/v1alpha1/agent';
import { AGENT_SCHEDULE_REASONS } from '#crds/v1alpha1/agent-schedule';
import { LABELS } from '#crds/v1alpha1/names';
import { type Agent, agentKey, type GPUClass } from '../core/agent/agent.ts';
import { type AgentObserved, planAgent, planRefused, type RunCounts } from '../core/agent/plan.ts';
import type { ScheduleObserved } from '../core/agent/schedule.ts';
import { isDeepEqual } from '../core/compare.ts';
import { verdictName } from '../core/images/names.ts';
import { type ImageTrust, imageTrust } from '../core/images/trust.ts';
import { holdUpService } from '../core/agent/service/report.ts';
import type { AgentRevision } from '../core/agent/template.ts';
import type { KubeObject } from '../core/object.ts';
import { phaseOf, type Run } from '../core/run/run.ts';
import type { Ledger, PlatformSettings, Tenant } from '../core/tenant/tenant.ts';
import { clock } from '../runtime/clock.ts';
import {
  type Controller,
  type Key,
  keyOf,
  parseWith,
  type Patience,
  type PolicyRule,
  type Reader,
  type Watch,
} from '../runtime/controller.ts';
import { CALLER_RBAC, CALLER_WATCHES, observeCaller } from './shared/agent-caller.ts';
import { observeService, SERVICE_RBAC, SERVICE_WATCHES } from './shared/agent-service.ts';
import { AGENTS, GPU_CLASSES, NAMESPACES, QUOTA_LEDGERS, RUNS, TENANTS } from '../core/resources.ts';
import { ifMoreThanFigures, isSameButUsage, standsAlike } from './shared/news-of-objects.ts';
import type { ProvenImages } from './shared/proven-images.ts';
import { observeRevisions, watchRevisions } from './shared/revisions.ts';
import { kinshipIn } from './shared/trees.ts';
import { INDEX, ledgerOf, namespacesOf } from './shared/workloads.ts';

/** The controller of Agents: whether Runs of each can be admitted, how many there are, those that schedules start, and services. */
export function agentController(
  { remoteImage, operatorUser }: Pick<PlatformSettings, 'remoteImage' | 'operatorUser'>,
  images: ProvenImages,
): Controller<Agent, AgentObserved, AgentStatus> {
  return {
    name: 'agent',
    resource: AGENTS,
    watches: [
      ...WATCHES,
      ...images.watches({ ofVerdict: agentsOfVerdict, ofPolicy: agentsOfPolicy }, IMAGES_MS),
    ],
    rbac: RBAC,
    // Its Runs must not wait for it without a word while somebody else's finalizer keeps it.
    plansWhileDeleting: true,
    parse: parseWith(z.object({ spec: AGENT.spec })),
    patienceMs: ifMoreThanFigures(isSameButCounts, COUNTS_MS),
    group: (agent, read) => ledgerOf(read, agent.metadata.namespace ?? '')?.metadata.name,
    tells: ({ reason }) => !TOLD_BY_PLANS.has(reason),
    observe: async (agent, read) => ({
      ...(await observe(agent, read)),
      remoteImage,
      operatorUser,
      image: seeImage(agent, read, images),
    }),
    plan: planAgent,
    refused: planRefused,
    heldUp: holdUpService,
  };
}

const RBAC: readonly PolicyRule[] = [
  { apiGroups: ['nexusos.dev'], resources: ['agentrevisions', 'runs'], verbs: ['create', 'delete'] },
  // To adopt what a namesake left. Its spec cannot be changed by anybody.
  { apiGroups: ['nexusos.dev'], resources: ['agentrevisions'], verbs: ['update'] },
  ...SERVICE_RBAC,
  ...CALLER_RBAC,
];

/** Told once for each start, or not at all; that the condition changes adds nothing. */
const TOLD_BY_PLANS: ReadonlySet<string> = new Set([
  AGENT_SCHEDULE_REASONS.StartMissed,
  AGENT_SCHEDULE_REASONS.StartRefused,
  AGENT_SCHEDULE_REASONS.PreviousRunActive,
  // What could be verified is everyday work.
  AGENT_REASONS.ImageVerified,
  AGENT_REASONS.VerifyingImage,
]);

/** What becomes known of images is looked at with more of the like. */
const IMAGES_MS = 500;

/** Counts are written every few seconds at most; the next start of a schedule may wait for the end of the last. */
const COUNTS_MS = 3000;

const ofRun: Patience = ({ old, object }) =>
  (object ?? old)?.metadata.labels?.[LABELS.scheduledBy] === undefined ? COUNTS_MS : 0;

const WATCHES: readonly Watch[] = [
  { resource: TENANTS, keys: agentsOfTenant, patienceMs: ifMoreThanFigures(isSameButUsage, Infinity) },
  { resource: QUOTA_LEDGERS, keys: agentsWithoutTenant },
  { resource: GPU_CLASSES, keys: agentsOfClass, patienceMs: ifMoreThanFigures(standsAlike, Infinity) },
  // Read; that one goes is nothing to do.
  { resource: NAMESPACES, keys: () => [] },
  { resource: RUNS, keys: agentOfRun, patienceMs: ofRun },
  watchRevisions(agentOfRevision),
  ...SERVICE_WATCHES,
  ...CALLER_WATCHES,
];

async function observe(agent: Agent, read: Reader): Promise<AgentObserved> {
  const { namespace = '', name } = agent.metadata;
  const ledger = ledgerOf(read, namespace);
  const { gpu } = agent.spec;
  const live = read.list(RUNS, { index: INDEX.liveRunsOfAgent, value: agentKey(namespace, name) });
  return {
    tenant: ledger && (read.get(TENANTS, { name: ledger.metadata.name }) as Tenant | undefined),
    gpuClass: gpu && (read.get(GPU_CLASSES, { name: gpu.class }) as GPUClass | undefined),
    runs: countRuns(live as readonly Run[]),
    isNamespaceGoing: read.get(NAMESPACES, { name: namespace })?.metadata.deletionTimestamp !== undefined,
    caller: observeCaller(agent, read),
    service: await observeService(agent, ledger, read),
    ...(await observeRevisions(agent, live as readonly Run[], read)),
    ...(await observeSchedule(agent, read)),
    kin: kinshipIn(ledger, read),
  };
}

/** What policies on images say of the image, as admission does of those of its pods. */
function seeImage({ metadata, spec }: Agent, read: Reader, images: ProvenImages): ImageTrust {
  const image = spec.container?.image ?? '';
  const { namespace = '' } = metadata;
  return imageTrust(image, { ...images.in(namespace, read), now: clock.now() });
}

const agentsOfVerdict: Watch['keys'] = ({ metadata }, read) =>
  (read.list(AGENTS, { namespace: metadata.namespace ?? '' }) as readonly Agent[])
    .filter(({ spec }) => spec.container !== undefined)
    .filter(({ spec }) => verdictName(spec.container?.image ?? '') === metadata.name)
    .map(keyOf);

const agentsOfPolicy: Watch['keys'] = ({ metadata, kind }, read) =>
  read.list(AGENTS, kind === 'ImagePolicy' ? { namespace: metadata.namespace ?? '' } : {}).map(keyOf);

/** Runs of the schedule. Watches may be behind each other, so of what the status names the API server itself is asked. */
async function observeSchedule(agent: Agent, read: Reader): Promise<ScheduleObserved> {
  const { namespace = '', uid = '' } = agent.metadata;
  const known = read.list(RUNS, { index: INDEX.scheduledRuns, value: uid }) as readonly Run[];
  const last = await lastUnseen(agent, known, read);
  const starting = agent.status?.schedule?.starting;
  return {
    scheduled: last === undefined ? known : [...known, last],
    starting: starting && (await startedRun({ namespace, name: starting.run }, read)),
  };
}

/** The Run of the last start, if the next one is due and no watch has told of it: it may have been deleted, or not. */
async function lastUnseen(agent: Agent, known: readonly Run[], read: Reader): Promise<Run | undefined> {
  const { lastRun, nextScheduleTime } = agent.status?.schedule ?? {};
  const isDue = Date.parse(nextScheduleTime ?? '') <= clock.now().getTime();
  if (!isDue || lastRun === undefined) return undefined;
  if (known.some(({ metadata }) => metadata.uid === lastRun.uid)) return undefined;
  const { namespace = '' } = agent.metadata;
  const found = await read.live(RUNS, { namespace, name: lastRun.name });
  return found?.metadata.uid === lastRun.uid ? (found as Run) : undefined;
}

async function startedRun(key: Key, read: Reader): Promise<KubeObject | undefined> {
  return read.get(RUNS, key) ?? (await read.live(RUNS, key));
}

function countRuns(live: readonly Run[]): RunCounts {
  const queued = live.filter((run) => phaseOf(run) === 'Queued').length;
  return { queued, active: live.length - queued };
}

function isSameButCounts(old: KubeObject, object: KubeObject): boolean {
  const { runs: _, ...was } = (old as Agent).status ?? {};
  const { runs: __, ...is } = (object as Agent).status ?? {};
  return isDeepEqual(was, is);
}

function agentOfRun(run: KubeObject): readonly Key[] {
  const { namespace } = run.metadata;
  return namespace === undefined ? [] : [{ namespace, name: (run as Run).spec.agentRef.name }];
}

/** Whoever owns it: an Agent also waits for one to go that is not its own. */
function agentOfRevision({ metadata, spec }: KubeObject): readonly Key[] {
  const { namespace } = metadata;
  return namespace === undefined ? [] : [{ namespace, name: (spec as AgentRevision['spec']).agent }];
}

function agentsOfTenant({ metadata }: KubeObject, read: Reader): readonly Key[] {
  const ledger = read.get(QUOTA_LEDGERS, { name: metadata.name });
  const namespaces = (ledger?.['spec'] as { readonly namespaces?: readonly string[] } | undefined)
    ?.namespaces;
  return (namespaces ?? []).flatMap((namespace) => read.list(AGENTS, { namespace })).map(keyOf);
}

/**
 * A namespace that came to a tenant, or left it, which it has when nothing is granted there any more. A ledger changes with every Run, so only those Agents are woken
 * that do not know of it yet.
 */
function agentsWithoutTenant(ledger: KubeObject, read: Reader): readonly Key[] {
  return namespacesOf(ledger as Ledger)
    .flatMap((namespace) => read.list(AGENTS, { namespace }))
    .filter((agent) => !knowsItsTenant(agent as Agent, read))
    .map(keyOf);
}

function knowsItsTenant({ metadata, status }: Agent, read: Reader): boolean {
  const hasTenant = ledgerOf(read, metadata.namespace ?? '') !== undefined;
  return hasTenant && status?.conditions?.some(isSettled) === true;
}

function isSettled(condition: { readonly type: string; readonly reason: string }): boolean {
  return condition.type === 'Ready' && condition.reason !== 'TenantNotFound';
}

function agentsOfClass({ metadata }: KubeObject, read: Reader): readonly Key[] {
  return read.list(AGENTS, { index: INDEX.agentsByClass, value: metadata.name }).map(keyOf);
}

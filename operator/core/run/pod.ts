// SPDX-License-Identifier: Apache-2.0
import type { CallStatus } from '#crds/v1alpha1/run-calls';
import { API_VERSION, FINALIZERS, LABELS, MANAGED_BY } from '#crds/v1alpha1/names';
import { type Agent, type GPUClass } from '../agent/agent.ts';
import { KUEUE_MARKS, type QueuePlace } from '../kueue/kueue.ts';
import { type Container, containerOf, statedResources } from '../agent/container.ts';
import { entitlementVariables } from '../agent/entitlements.ts';
import { defined, type KubeObject, type ObjectMeta, refOf } from '../object.ts';
import type { Removal } from '../plan.ts';
import type { Quantities } from '../quota/amounts.ts';
import { type ContainerResources, containerResources } from '../quota/demand.ts';
import { isolationOf, RESTRICTED_CONTAINER, RESTRICTED_POD } from '../tenant/restricted-pod.ts';
import type { Tenant } from '../tenant/tenant.ts';
import { boundedBy, stepVariables } from './bounds.ts';
import { callerAccount, callerVolumes, callVariables } from './caller.ts';
import type { CopiedInput } from './input.ts';
import { type Given, givenConfigMap, givenVariables, givenVolumes, parametersIn } from './input-files.ts';
import { effectiveParameters } from './parameters.ts';
import { gangService, gangServiceName, rendezvous } from './gang.ts';
import { remoteContainer, remoteVariables, remoteVolumes } from './remote-container.ts';
import { childName, identityOf, memberName, type Run } from './run.ts';

/** Name of the container that does the work. */
export const CONTAINER_NAME = 'agent';
/** Annotations of a Run that simulated nodes read; they go through to its pod, and real nodes know nothing of them. */
const SIMULATION_PREFIX = 'kwok.nexusos.dev/';
const CLAIM_NAME = 'gpu';
/** A deletion that gives no time at all says that nobody will tell of the end of the pod, as of one on a node that is lost. */
const LEAST_GRACE = 1;

/** What an attempt of a Run is made from. */
export interface WorkloadInput {
  readonly run: Run;
  readonly agent: Agent;
  readonly tenant: Tenant;
  readonly attempt: number;
  /** Input that is handed on by us. */
  readonly copied?: CopiedInput | undefined;
  /** The ConfigMap of the attempt, if that was made already: its parameters are those of the container, whatever the Agent says now. */
  readonly made?: KubeObject | undefined;
  /** Its place among Runs that call each other, if it calls some, or is called. */
  readonly call?: CallStatus | undefined;
  /** Image of the program that speaks to endpoints, for an Agent of shape remote. */
  readonly remoteImage?: string | undefined;
  /** Where there are many pods: how many, and by index the node where the devices of each were free. */
  readonly gang?: { readonly pods: number; readonly nodes: readonly (string | undefined)[] };
  /** Devices of each pod that the reservation holds, and the node where they were free, where there is one pod. */
  readonly gpu?: { readonly class: GPUClass; readonly count: number; readonly node?: string | undefined };
  /** Where its pod waits for Kueue, if that is to admit it. */
  readonly queue?: QueuePlace;
}

/** The objects of one attempt, in the order in which they are to be made; the pods are the last. */
export function desiredWorkload(input: WorkloadInput): readonly KubeObject[] {
  const given = givenOf(input);
  const configMap = givenConfigMap(given, childMetadata(input));
  const deviceClass = input.gpu?.class.spec.deviceClassName;
  return [
    ...(configMap === undefined ? [] : [configMap]),
    ...(deviceClass === undefined ? [] : [claimTemplate(input, deviceClass)]),
    ...desiredPods(input, given),
  ];
}

function desiredPods(input: WorkloadInput, given: Given): readonly KubeObject[] {
  const { gang, run } = input;
  if (gang === undefined) return [desiredPod(input, given)];
  const pods = Array.from({ length: gang.pods }, (_, index) => memberPod(input, { given, index }));
  return [gangService(identityOf(run), childMetadata(input)), ...pods];
}

/** One of many pods: the same as one alone would be, but for its name, its place among the others, and its node. */
function memberPod(
  input: WorkloadInput,
  { given, index }: { readonly given: Given; readonly index: number },
): KubeObject {
  const { run, attempt, gang, gpu } = input;
  const identity = identityOf(run);
  const name = memberName(identity, attempt, index);
  const node = gang?.nodes[index];
  const pod = desiredPod({ ...input, ...(gpu && { gpu: { ...gpu, node } }) }, given);
  const labels = { ...pod.metadata.labels, [LABELS.attempt]: String(attempt), [LABELS.index]: String(index) };
  const seat = { index, pods: gang?.pods ?? 1, attempt, namespace: run.metadata.namespace ?? '' };
  const { containers, ...spec } = pod['spec'] as ReturnType<typeof podSpec>;
  return {
    ...pod,
    metadata: { ...pod.metadata, name, labels },
    spec: {
      ...spec,
      hostname: name,
      subdomain: gangServiceName(identity),
      containers: containers.map((one) => ({ ...one, env: withOurs(one.env, rendezvous(identity, seat)) })),
    },
  };
}

/**
 * Deletes that very pod, as it was seen: one that has succeeded meanwhile has done its work, and once it is deleted nobody could tell that it
 * did so by itself. What it owns goes after it, and not first: nothing else ends its container.
 */
export function podRemoval({ metadata, ...pod }: KubeObject): Removal {
  const { uid = '', resourceVersion } = metadata;
  return { ref: { ...refOf({ ...pod, metadata }), uid }, ...defined({ asSeen: resourceVersion }) };
}

/** At most how long an attempt may take, in seconds: the shorter of what Run and Agent say. */
export function timeoutSeconds(run: Run, agent: Agent): number {
  return Math.min(run.spec.timeoutSeconds ?? Infinity, agent.spec.limits.timeoutSeconds);
}

/** That it bears the finalizer from its creation costs no write: whoever deletes it, its end is seen. */
function desiredPod(input: WorkloadInput, given: Given): KubeObject {
  const { run } = input;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...childMetadata(input),
      labels: { ...childLabels(input), ...queueLabels(input) },
      annotations: simulationAnnotations(run),
      finalizers: [FINALIZERS.pod],
    },
    spec: podSpec(input, given),
  };
}

function queueLabels({ queue }: WorkloadInput): Readonly<Record<string, string>> {
  if (queue === undefined) return {};
  const { name, priorityClass } = queue;
  return {
    [KUEUE_MARKS.queue]: name,
    ...(priorityClass !== undefined && { [KUEUE_MARKS.priority]: priorityClass }),
  };
}

function podSpec(input: WorkloadInput, given: Given) {
  const { run, agent, tenant, gpu } = input;
  const { runtimeClassName, nodeSelector, tolerations } = isolationOf(tenant);
  const name = childName(identityOf(run), input.attempt);
  const graceSeconds = agent.spec.limits.terminationGracePeriodSeconds;
  return {
    restartPolicy: 'Never',
    // Kueue's webhook would put it on as well: where that does not see the pod, nothing starts past Kueue.
    ...(input.queue !== undefined && { schedulingGates: [{ name: KUEUE_MARKS.gate }] }),
    // Held by its node when we are down, from when that has taken it; by us from its creation.
    activeDeadlineSeconds: timeoutSeconds(run, agent),
    ...(graceSeconds !== undefined && { terminationGracePeriodSeconds: Math.max(LEAST_GRACE, graceSeconds) }),
    ...RESTRICTED_POD,
    ...callerAccount(input),
    ...(runtimeClassName !== undefined && { runtimeClassName }),
    nodeSelector: { ...gpu?.class.spec.nodeSelector, ...nodeSelector },
    ...affinityTo(input),
    tolerations: [...(gpu?.class.spec.tolerations ?? []), ...tolerations],
    ...(usesClaim(input) && { resourceClaims: [{ name: CLAIM_NAME, resourceClaimTemplateName: name }] }),
    containers: [container(input, given)],
    volumes: [
      { name: 'tmp', emptyDir: {} },
      ...givenVolumes(given).volumes,
      ...remoteVolumes(agent.spec.remote).volumes,
      ...callerVolumes(input).volumes,
    ],
  };
}

/** Preferred, never required: by the time of the scheduling, the devices there may be somebody else's. */
function affinityTo({ gpu }: WorkloadInput) {
  if (gpu?.node === undefined) return {};
  const preference = { matchFields: [{ key: 'metadata.name', operator: 'In', values: [gpu.node] }] };
  const preferred = [{ weight: 100, preference }];
  return { affinity: { nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: preferred } } };
}

function container(input: WorkloadInput, given: Given) {
  const { image, command, args } = programOf(input);
  return {
    name: CONTAINER_NAME,
    image,
    ...RESTRICTED_CONTAINER,
    ...(command !== undefined && { command }),
    ...(args !== undefined && { args }),
    env: environment(input, given),
    resources: { ...resources(input), ...(usesClaim(input) && { claims: [{ name: CLAIM_NAME }] }) },
    volumeMounts: [
      { name: 'tmp', mountPath: '/tmp' },
      ...givenVolumes(given).mounts,
      ...callerVolumes(input).mounts,
      ...remoteVolumes(input.agent.spec.remote).mounts,
    ],
  };
}

/** Of an Agent of shape remote, nothing but what `remote` says has a part in what runs. */
function programOf({ agent: { spec }, remoteImage = '' }: WorkloadInput): Container {
  return spec.remote === undefined ? containerOf(spec) : remoteContainer(remoteImage);
}

/** The Agent's variables, and ours, which it cannot replace. */
function environment(input: WorkloadInput, given: Given) {
  const ours = [
    { name: 'NEXUSOS_RUN', value: input.run.metadata.name },
    { name: 'NEXUSOS_AGENT', value: input.agent.metadata.name },
    { name: 'NEXUSOS_ATTEMPT', value: String(input.attempt) },
    ...entitlementVariables(boundedBy(input.run, input.agent.spec), input.tenant),
    ...stepVariables(input.run, input.agent.spec),
    ...callVariables(input),
    ...givenVariables(given),
    ...remoteVariablesOf(input),
  ];
  return withOurs(programOf(input).env ?? [], ours);
}

function withOurs<T extends { readonly name: string }>(
  theirs: readonly T[],
  ours: readonly T[],
): readonly T[] {
  const names = new Set(ours.map(({ name }) => name));
  return [...theirs.filter(({ name }) => !names.has(name)), ...ours];
}

function remoteVariablesOf({ run, agent, attempt }: WorkloadInput) {
  const { remote } = agent.spec;
  if (remote === undefined) return [];
  return remoteVariables(remote, { run, agent, attempt, timeoutSeconds: timeoutSeconds(run, agent) });
}

function givenOf({ run, agent, attempt, copied, made }: WorkloadInput): Given {
  const parameters = made === undefined ? effectiveParameters(run, agent) : parametersIn(made);
  return { run, name: childName(identityOf(run), attempt), copied, parameters };
}

function resources({ agent, tenant, gpu }: WorkloadInput): ContainerResources {
  const compute = containerResources(statedResources(agent.spec), tenant.spec.containerDefaults);
  const name = gpu?.class.spec.resourceName;
  const devices: Quantities = name === undefined ? {} : { [name]: String(gpu?.count ?? 0) };
  return { requests: { ...compute.requests, ...devices }, limits: { ...compute.limits, ...devices } };
}

function claimTemplate(input: WorkloadInput, deviceClassName: string): KubeObject {
  const exactly = { deviceClassName, allocationMode: 'ExactCount', count: input.gpu?.count ?? 0 };
  return {
    apiVersion: 'resource.k8s.io/v1',
    kind: 'ResourceClaimTemplate',
    metadata: childMetadata(input),
    spec: {
      metadata: { labels: childLabels(input) },
      spec: { devices: { requests: [{ name: CLAIM_NAME, exactly }] } },
    },
  };
}

function usesClaim({ gpu }: WorkloadInput): boolean {
  return gpu?.class.spec.deviceClassName !== undefined;
}

function childMetadata(input: WorkloadInput): ObjectMeta {
  const { run, attempt } = input;
  const { name, uid } = identityOf(run);
  return {
    name: childName({ name, uid }, attempt),
    ...(run.metadata.namespace !== undefined && { namespace: run.metadata.namespace }),
    labels: childLabels(input),
    // Not blocking: nobody who deletes the Run in the foreground should need a permission on finalizers.
    ownerReferences: [
      { apiVersion: API_VERSION, kind: 'Run', name, uid, controller: true, blockOwnerDeletion: false },
    ],
  };
}

function childLabels({ run, agent, tenant, gpu, call }: WorkloadInput): Readonly<Record<string, string>> {
  const { name, uid } = identityOf(run);
  return {
    [LABELS.managedBy]: MANAGED_BY,
    [LABELS.tenant]: tenant.metadata.name,
    [LABELS.agent]: agent.metadata.name,
    [LABELS.run]: name,
    [LABELS.runUid]: uid,
    ...(gpu !== undefined && { [LABELS.gpuClass]: gpu.class.metadata.name }),
    ...(call !== undefined && call.levels > 0 && { [LABELS.calls]: 'true' }),
  };
}

function simulationAnnotations({ metadata }: Run): Readonly<Record<string, string>> {
  const given = Object.entries(metadata.annotations ?? {});
  return Object.fromEntries(given.filter(([name]) => name.startsWith(SIMULATION_PREFIX)));
}

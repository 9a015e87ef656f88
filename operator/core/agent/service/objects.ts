// SPDX-License-Identifier: Apache-2.0
import type { ServiceSpec } from '#crds/v1alpha1/agent-service';
import { ANNOTATIONS, LABELS, MANAGED_BY } from '#crds/v1alpha1/names';
import { hashOf } from '../../compare.ts';
import { defined, type KubeObject, type ObjectMeta } from '../../object.ts';
import type { Agent } from '../agent.ts';
import { controlledBy } from '../orphan.ts';
import { serviceOf } from '../template.ts';
import { podSelector, podTemplate, PORT_NAME, type ServicePodInput } from './pod.ts';

/** Kinds that a service is made of, in the order in which they are made. */
export const SERVICE_KINDS = [
  'Service',
  'Deployment',
  'PodDisruptionBudget',
  'HorizontalPodAutoscaler',
] as const;
/** One of them. */
export type ServiceKind = (typeof SERVICE_KINDS)[number];

/** Old ReplicaSets that are kept: what a service was is kept by AgentRevisions. */
const OLD_REPLICA_SETS = 1;
/**
 * Pods that a drain of nodes may take at one time. Parts are rounded up, so that one pod alone never keeps a node
 * from being drained.
 */
const EVICTED_AT_ONCE = '25%';

/** What a service is made from. */
export interface ServiceInput extends ServicePodInput {
  /** Pods that there shall be; the Deployment as it is has a say where something else scales it. */
  readonly replicas: number;
  /** When its pods were last asked for again. */
  readonly askedAgainAt?: string | undefined;
}

/** The objects that a service is made of. */
export function desiredService(input: ServiceInput): readonly KubeObject[] {
  const { agent } = input;
  const { autoscaling } = serviceOf(agent.spec);
  return [
    networkService(input),
    deployment(input),
    disruptionBudget(input),
    ...(autoscaling === undefined ? [] : [autoscaler(input, autoscaling)]),
  ];
}

/** Where a service answers, within its tenant. */
export function addressOf({ metadata, spec }: Agent): string {
  return `http://${metadata.name}.${metadata.namespace}.svc:${serviceOf(spec).port}`;
}

function networkService(input: ServiceInput): KubeObject {
  const { port } = serviceOf(input.agent.spec);
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: ownMetadata(input),
    spec: {
      type: 'ClusterIP',
      selector: podSelector(input.agent),
      ports: [{ name: PORT_NAME, port, targetPort: PORT_NAME, protocol: 'TCP' }],
    },
  };
}

/**
 * With autoscaling, what is wanted beside the number of pods has a digest of its own: so it can be told that only that
 * number is another one, which is for the autoscaler to say.
 */
function deployment(input: ServiceInput): KubeObject {
  const { agent, replicas, askedAgainAt } = input;
  const { rollout, autoscaling } = serviceOf(agent.spec);
  const wanted = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: ownMetadata(input),
    spec: {
      selector: { matchLabels: podSelector(agent) },
      strategy: { type: 'RollingUpdate', rollingUpdate: { ...rollout } },
      revisionHistoryLimit: OLD_REPLICA_SETS,
      template: podTemplate(input),
    },
  };
  const annotations = defined({
    [ANNOTATIONS.scaledHash]: autoscaling && hashOf(wanted),
    [ANNOTATIONS.askedAgainAt]: askedAgainAt,
  });
  const metadata = { ...wanted.metadata, ...(Object.keys(annotations).length > 0 && { annotations }) };
  return { ...wanted, metadata, spec: { ...wanted.spec, replicas } };
}

function disruptionBudget(input: ServiceInput): KubeObject {
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: ownMetadata(input),
    spec: {
      maxUnavailable: EVICTED_AT_ONCE,
      selector: { matchLabels: podSelector(input.agent) },
      // What does not work needs no protection, and would hold up the drain for ever.
      unhealthyPodEvictionPolicy: 'AlwaysAllow',
    },
  };
}

function autoscaler(
  input: ServiceInput,
  { cpuUtilizationPercent, podMetric }: NonNullable<ServiceSpec['autoscaling']>,
): KubeObject {
  const { name } = input.agent.metadata;
  const { min, max = min } = serviceOf(input.agent.spec).replicas;
  const target = { type: 'Utilization', averageUtilization: cpuUtilizationPercent };
  const average = { type: 'AverageValue', averageValue: String(podMetric?.averageValue) };
  return {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: ownMetadata(input),
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name },
      minReplicas: min,
      maxReplicas: max,
      metrics: [
        ...(cpuUtilizationPercent === undefined
          ? []
          : [{ type: 'Resource', resource: { name: 'cpu', target } }]),
        ...(podMetric === undefined
          ? []
          : [{ type: 'Pods', pods: { metric: { name: podMetric.name }, target: average } }]),
      ],
    },
  };
}

function ownMetadata({ agent, tenant }: ServiceInput): ObjectMeta {
  const { name, namespace = '' } = agent.metadata;
  return {
    name,
    namespace,
    labels: {
      [LABELS.managedBy]: MANAGED_BY,
      [LABELS.tenant]: tenant.metadata.name,
      [LABELS.agent]: name,
      [LABELS.service]: name,
    },
    ownerReferences: [controlledBy(agent)],
  };
}

// SPDX-License-Identifier: Apache-2.0
import { LABELS } from '#crds/v1alpha1/names';
import type { ServiceSpec } from '#crds/v1alpha1/agent-service';
import { defined } from '../../object.ts';
import { isolationOf, RESTRICTED_CONTAINER, RESTRICTED_POD } from '../../tenant/restricted-pod.ts';
import type { Tenant } from '../../tenant/tenant.ts';
import type { Agent } from '../agent.ts';
import { containerOf } from '../container.ts';
import { entitlementVariables } from '../entitlements.ts';
import { serviceOf } from '../template.ts';

/** Name of the container that does the work, as in pods of Runs. */
export const CONTAINER_NAME = 'agent';
/** Name of its port. */
export const PORT_NAME = 'http';
/**
 * A pod that is told to end goes on for so long before its container hears of it: until then, others may still
 * send it requests.
 */
const DRAIN_SECONDS = 5;

/** What the pods of a service are made from. */
export interface ServicePodInput {
  readonly agent: Agent;
  readonly tenant: Tenant;
  /** Name of the AgentRevision. */
  readonly revision: string;
}

/** What selects the pods of an Agent, and no pod of a Run of it. */
export function podSelector({ metadata }: Agent): Readonly<Record<string, string>> {
  return { [LABELS.service]: metadata.name };
}

/**
 * The template of the pods. Without the label of what nobody but NexusOS may change: owners may delete such a pod, which is
 * how one is started again.
 */
export function podTemplate(input: ServicePodInput): object {
  const { agent, tenant, revision } = input;
  return {
    metadata: {
      labels: {
        ...podSelector(agent),
        [LABELS.tenant]: tenant.metadata.name,
        [LABELS.agent]: agent.metadata.name,
        [LABELS.revision]: revision,
      },
    },
    spec: podSpec(input),
  };
}

function podSpec(input: ServicePodInput): object {
  const { agent, tenant } = input;
  const { runtimeClassName, nodeSelector, tolerations } = isolationOf(tenant);
  const { terminationGracePeriodSeconds } = agent.spec.limits;
  return {
    ...defined({ terminationGracePeriodSeconds, runtimeClassName }),
    ...RESTRICTED_POD,
    nodeSelector,
    tolerations,
    containers: [container(input)],
    volumes: [{ name: 'tmp', emptyDir: {} }],
  };
}

/** Resources are as the Agent states them: with those that its tenant fills in, a change of these would roll out every service. */
function container({ agent, revision }: ServicePodInput): object {
  const { image, command, args, resources } = containerOf(agent.spec);
  const service = serviceOf(agent.spec);
  return {
    name: CONTAINER_NAME,
    image,
    ...RESTRICTED_CONTAINER,
    ...defined({ command, args, resources }),
    env: environment(agent, { revision, service }),
    ports: [{ name: PORT_NAME, containerPort: service.port, protocol: 'TCP' }],
    ...probes(service),
    ...drain(agent),
    volumeMounts: [{ name: 'tmp', mountPath: '/tmp' }],
  };
}

/** Never more than the grace period: the API server would not have it. */
function drain({ spec }: Agent): object {
  const seconds = Math.min(DRAIN_SECONDS, spec.limits.terminationGracePeriodSeconds ?? DRAIN_SECONDS);
  return seconds === 0 ? {} : { lifecycle: { preStop: { sleep: { seconds } } } };
}

function probes({ readinessPath, livenessPath }: ServiceSpec): object {
  const get = (path: string) => ({ httpGet: { path, port: PORT_NAME } });
  return {
    readinessProbe: readinessPath === undefined ? { tcpSocket: { port: PORT_NAME } } : get(readinessPath),
    ...(livenessPath !== undefined && { livenessProbe: get(livenessPath) }),
  };
}

/** The Agent's variables, and ours, which it cannot replace. */
function environment(
  { metadata, spec }: Agent,
  { revision, service }: { readonly revision: string; readonly service: ServiceSpec },
): readonly object[] {
  const ours = [
    { name: 'NEXUSOS_AGENT', value: metadata.name },
    { name: 'NEXUSOS_REVISION', value: revision },
    { name: 'PORT', value: String(service.port) },
    ...entitlementVariables(spec, undefined),
  ];
  const names = new Set(ours.map(({ name }) => name));
  const theirs = (containerOf(spec).env ?? []).filter(({ name }) => !names.has(name));
  // The API server drops a value that is empty: written, it would be found missing for ever.
  return [
    ...theirs.map(({ name, value, valueFrom }) => ({
      name,
      ...(value && { value }),
      ...defined({ valueFrom }),
    })),
    ...ours,
  ];
}

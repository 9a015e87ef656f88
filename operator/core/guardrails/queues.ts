// SPDX-License-Identifier: Apache-2.0
import { MANAGED_BY } from '#crds/v1alpha1/names';
import { KUEUE_GROUP, QUEUE_NAME } from '../kueue/kueue.ts';
import { isManaged } from './marks.ts';
import { type Cel, type Guardrail, type GuardrailSettings, isTrusted, quote } from './policy.ts';

/** Whether Kueue writes what it writes of pods and of its own kinds. With anything else it is a stranger. */
export function isKueueAtWork({ kueueUser }: GuardrailSettings): Cel {
  const isPod = "request.resource.group == '' && request.resource.resource == 'pods'";
  const isOwn = `request.resource.group == ${quote(KUEUE_GROUP)}`;
  return `request.userInfo.username == ${quote(kueueUser)} && ((${isPod}) || ${isOwn})`;
}

/** What bounds the kinds of Kueue, where that decides on capacity. */
export function queueGuardrails(settings: GuardrailSettings): readonly Guardrail[] {
  return [tenantQueuesGuardrail(settings), operatorQueuesGuardrail(settings)];
}

/**
 * A LocalQueue leads into whatever ClusterQueue it names, and a Workload says of itself what it takes, and that it has it: a tenant that wrote
 * them would use the quota of others. Its pods may wait in the queues that are there.
 */
function tenantQueuesGuardrail(settings: GuardrailSettings): Guardrail {
  return {
    name: 'queues',
    match: [
      {
        apiGroups: [KUEUE_GROUP],
        resources: ['*/*'],
        operations: ['CREATE', 'UPDATE', 'DELETE'],
        scope: 'Namespaced',
      },
    ],
    conditions: { untrusted: `!(${isTrusted(settings)})`, other: `!(${isKueueAtWork(settings)})` },
    binds: 'namespaces',
    rules: [
      {
        field: 'request',
        holds: 'false',
        found: "request.operation + ' of ' + request.resource.resource",
        allowed: quote(
          `reading; pods and Jobs that wait in LocalQueue ${QUEUE_NAME}, which NexusOS has made for the tenant`,
        ),
      },
    ],
  };
}

/** The operator makes queues of tenants, and flavors, and touches those of nobody else. */
function operatorQueuesGuardrail({ operatorUser }: GuardrailSettings): Guardrail {
  const name = '(object != null ? object.metadata.name : oldObject.metadata.name)';
  const prefix = `${MANAGED_BY}-`;
  return {
    name: 'operator-queues',
    match: [
      {
        apiGroups: [KUEUE_GROUP],
        resources: ['clusterqueues', 'resourceflavors'],
        operations: ['CREATE', 'UPDATE', 'DELETE'],
        scope: 'Cluster',
      },
    ],
    conditions: { operator: `request.userInfo.username == ${quote(operatorUser)}` },
    binds: 'cluster',
    rules: [
      {
        field: 'metadata.name',
        holds: `${name} == ${quote(MANAGED_BY)} || ${name}.startsWith(${quote(prefix)})`,
        found: name,
        allowed: quote(`${MANAGED_BY}, and names that start with ${prefix}`),
      },
      {
        field: 'metadata.labels',
        holds: `oldObject == null || ${isManaged('oldObject')}`,
        found: `${quote('one that somebody else has made, ')} + ${name}`,
        allowed: quote('what it has made itself'),
      },
    ],
  };
}

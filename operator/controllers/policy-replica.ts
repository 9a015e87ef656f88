// SPDX-License-Identifier: Apache-2.0
import { planGoneReplica } from '../core/policy-pack/gone-replica.ts';
import type { KubeObject } from '../core/object.ts';
import { POLICY_REPLICAS } from '../core/resources.ts';
import type { Controller } from '../runtime/controller.ts';
import { PolicyReplicas } from './shared/policy-replicas.ts';

/** The controller of what processes have told that judge requests: it removes what they leave behind when they are killed. */
export function policyReplicaController({
  platformNamespace,
}: {
  readonly platformNamespace: string;
}): Controller<KubeObject, number, undefined> {
  const replicas = new PolicyReplicas(platformNamespace);
  return {
    name: 'policy-replica',
    resource: POLICY_REPLICAS,
    watches: replicas.watches(() => []),
    rbac: [],
    onlyReads: true,
    // Its Lease goes with it: that is no right of the operator, since those of elections could go as well.
    platformRbac: [{ apiGroups: ['nexusos.dev'], resources: ['policyreplicas'], verbs: ['delete'] }],
    observe: (replica) => replicas.silentMs(replica),
    plan: planGoneReplica,
  };
}

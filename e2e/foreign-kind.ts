// SPDX-License-Identifier: Apache-2.0

/** A kind of somebody else: as large as scenarios need it, in two versions, with content beside its spec. */

const SCHEMA = {
  type: 'object',
  properties: {
    spec: { type: 'object', properties: { replicas: { type: 'integer' } } },
    config: { type: 'object', properties: { colour: { type: 'string' } } },
    status: { type: 'object', properties: { replicas: { type: 'integer' } } },
  },
};

function version(name: string, storage: boolean): object {
  const scale = { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas' };
  return {
    name,
    served: true,
    storage,
    schema: { openAPIV3Schema: SCHEMA },
    subresources: { status: {}, scale },
  };
}

/** Its definition. */
export const ROLLOUTS = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'rollouts.argoproj.io' },
  spec: {
    group: 'argoproj.io',
    scope: 'Namespaced',
    names: { kind: 'Rollout', plural: 'rollouts', singular: 'rollout' },
    versions: [version('v1alpha1', true), version('v1beta1', false)],
  },
} as const;

/** One of `place`, which is `namespace/name`. */
export function rollout(place: string, replicas: number, apiVersion = 'argoproj.io/v1alpha1') {
  const [namespace, name] = place.split('/');
  return {
    apiVersion,
    kind: 'Rollout',
    metadata: { namespace, name },
    spec: { replicas },
    config: { colour: 'blue' },
  };
}

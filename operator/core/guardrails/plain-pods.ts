// SPDX-License-Identifier: Apache-2.0
import { LABELS } from '#crds/v1alpha1/names';
import { hasRunLabel, isOperator, type PodPlace } from './pod-place.ts';
import { type Cel, type GuardrailSettings, listParameter, parameter, quote } from './policy.ts';

/** Volumes of which no rule says anything. Kubernetes itself refuses a volume that is of two sorts. */
const PLAIN_VOLUMES = [
  'emptyDir',
  'configMap',
  'secret',
  'projected',
  'downwardAPI',
  'persistentVolumeClaim',
] as const;

/**
 * Whether the operator makes a pod of a Run of which every rule for pods holds: what is asked here is enough for each of them, and they are asked of
 * all that is not so. Nearly every pod of a Run is, and the API server evaluates conditions once, while of what it goes on to judge it evaluates
 * the words of all refusals, too, and turns the pod into a tree for each step: 1.5 ms for a pod.
 *
 * A condition knows neither variables nor the namespace. So nothing is asked of tier Hard, of affinity and of what only some Runs have: those are judged.
 */
export function isPlainRunPod({ spec, metadata }: PodPlace, settings: GuardrailSettings): Cel {
  const without = (field: string): Cel => `!has(${spec}.${field})`;
  return [
    "request.operation == 'CREATE'",
    isOperator(settings),
    hasRunLabel(metadata),
    `${parameter('isolation')} != 'Hard'`,
    ...[
      'affinity',
      'ephemeralContainers',
      'hostIPC',
      'hostNetwork',
      'hostPID',
      'initContainers',
      'nodeName',
    ].map(without),
    `(${without('nodeSelector')} || !(${quote(LABELS.dedicated)} in ${spec}.nodeSelector))`,
    `(${without('tolerations')} || ${spec}.tolerations.all(t, has(t.key) && t.key != '' && t.key != ${quote(LABELS.dedicated)}))`,
    `(${without('volumes')} || ${spec}.volumes.all(v, ${PLAIN_VOLUMES.map((type) => `has(v.${type})`).join(' || ')}))`,
    `${spec}.containers.all(c, ${IS_PLAIN_CONTAINER})`,
  ].join(' && ');
}

/**
 * An image counts as one of a registry only by the whole name of its registry, a host with a dot: what stands for Docker Hub without one, and
 * a registry with a path, is judged.
 */
const IS_OWN_IMAGE: Cel = `${parameter('registries')} == '' || ${listParameter('registries')}.exists(r, r.contains('.') && !r.contains('/') && c.image.startsWith(r + '/'))`;
const IS_PLAIN_CONTAINER: Cel = `!has(c.ports) && has(c.imagePullPolicy) && c.imagePullPolicy == 'Always' && (${IS_OWN_IMAGE})`;

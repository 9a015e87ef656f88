// SPDX-License-Identifier: Apache-2.0
import { LABELS, MANAGED_BY } from '#crds/v1alpha1/names';
import type { KubeObject } from '../object.ts';
import { type Plan, statusOnly } from '../plan.ts';
import { SIGNING_ENTRY, SIGNING_SECRET, VERDICT_KEYS } from './works.ts';

/** What was seen of the key that verdicts are signed with. */
export interface KeysSeen {
  readonly platformNamespace: string;
  /** The public half of what is in the Secret; undefined where there is none that can be used. */
  readonly publicKey: string | undefined;
  /** A new private key, where there is none that can be used. */
  readonly fresh: string | undefined;
}

/**
 * Makes a key where there is none, and publishes its other half. Whoever deletes the Secret has a new key made, by which all verdicts are signed anew;
 * the key before counts for nothing from then on.
 */
export function planVerdictKeys({ platformNamespace, publicKey, fresh }: KeysSeen): Plan<undefined> {
  const metadata = (name: string) => ({
    namespace: platformNamespace,
    name,
    labels: { [LABELS.managedBy]: MANAGED_BY },
  });
  const secret: KubeObject = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: metadata(SIGNING_SECRET),
    type: 'Opaque',
    data: { [SIGNING_ENTRY]: Buffer.from(fresh ?? '').toString('base64') },
  };
  const published: KubeObject = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: metadata(VERDICT_KEYS),
    data: { 'verdict.pub': publicKey ?? '' },
  };
  // What is published is of a key that is kept: the next pass sees the Secret.
  const apply = fresh !== undefined ? [secret] : publicKey !== undefined ? [published] : [];
  return { ...statusOnly(undefined), apply };
}

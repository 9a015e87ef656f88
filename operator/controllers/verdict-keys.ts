// SPDX-License-Identifier: Apache-2.0
import { type KeysSeen, planVerdictKeys } from '../core/images/keys-plan.ts';
import { type ImageWorks, SIGNING_ENTRY, SIGNING_SECRET, VERDICT_KEYS } from '../core/images/works.ts';
import type { KubeObject } from '../core/object.ts';
import {
  CLUSTER_IMAGE_POLICIES,
  CONFIG_MAPS,
  IMAGE_POLICIES,
  NAMESPACES,
  SECRETS,
} from '../core/resources.ts';
import type { Controller, PolicyRule, Reader } from '../runtime/controller.ts';

/** What the controller works with. */
export interface VerdictKeysOptions {
  readonly platformNamespace: string;
  readonly works: Pick<ImageWorks, 'newKey' | 'publicKeyOf'>;
}

/** The controller of the key that verdicts on images are signed with. Its object is the namespace of the platform. There is none before a policy asks for it. */
export function verdictKeysController({
  platformNamespace,
  works,
}: VerdictKeysOptions): Controller<KubeObject, KeysSeen, undefined> {
  const all = () => [{ name: platformNamespace }];
  const place = { namespace: platformNamespace };
  return {
    name: 'verdict-keys',
    resource: NAMESPACES,
    onlyReads: true,
    selects: { fieldSelector: `metadata.name=${platformNamespace}` },
    watches: [
      { resource: SECRETS, ...place, fieldSelector: `metadata.name=${SIGNING_SECRET}`, keys: all },
      { resource: CONFIG_MAPS, ...place, fieldSelector: `metadata.name=${VERDICT_KEYS}`, keys: all },
      { resource: CLUSTER_IMAGE_POLICIES, keys: all },
      { resource: IMAGE_POLICIES, keys: all },
    ],
    rbac: [],
    platformRbac: RBAC,
    observe: (_, read) => observe(read, { platformNamespace, works }),
    plan: (_, seen) => planVerdictKeys(seen),
  };
}

/** By name. Creation by an apply names what is created. */
const RBAC: readonly PolicyRule[] = [
  { apiGroups: [''], resources: ['secrets'], verbs: ['create', 'patch'], resourceNames: [SIGNING_SECRET] },
  { apiGroups: [''], resources: ['configmaps'], verbs: ['create', 'patch'], resourceNames: [VERDICT_KEYS] },
];

function observe(read: Reader, { platformNamespace, works }: VerdictKeysOptions): KeysSeen {
  const secret = read.get(SECRETS, { namespace: platformNamespace, name: SIGNING_SECRET });
  const data = secret?.['data'] as Readonly<Record<string, string>> | undefined;
  const key = Buffer.from(data?.[SIGNING_ENTRY] ?? '', 'base64').toString('utf8');
  const publicKey = works.publicKeyOf(key);
  const isAsked = read.list(CLUSTER_IMAGE_POLICIES).length + read.list(IMAGE_POLICIES).length > 0;
  const fresh = publicKey === undefined && isAsked ? works.newKey() : undefined;
  return { platformNamespace, publicKey, fresh };
}

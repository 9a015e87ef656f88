// SPDX-License-Identifier: Apache-2.0
import { LABELS } from '#crds/v1alpha1/names';
import { RUN_SERVICE_ACCOUNT } from './pull-secrets.ts';
import type { Tenant } from './tenant.ts';

/** What a container has that NexusOS makes for a tenant: Pod Security `restricted`, and nothing to write to but volumes. */
export const RESTRICTED_CONTAINER = {
  imagePullPolicy: 'Always',
  securityContext: {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'] },
  },
} as const;

/** What its pod has: the account with the pull secrets, and no token of it. */
export const RESTRICTED_POD = {
  serviceAccountName: RUN_SERVICE_ACCOUNT,
  automountServiceAccountToken: false,
  enableServiceLinks: false,
  securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
} as const;

/** Where pods of a tenant belong. Of tier Hard: on nodes of its own, and in the sandbox. */
export function isolationOf({ metadata, spec }: Tenant): {
  readonly runtimeClassName: string | undefined;
  readonly nodeSelector: Readonly<Record<string, string>>;
  readonly tolerations: readonly object[];
} {
  const { tier, runtimeClassName } = spec.isolation;
  if (tier !== 'Hard') return { runtimeClassName, nodeSelector: {}, tolerations: [] };
  const [key, value] = [LABELS.dedicated, metadata.name];
  return {
    runtimeClassName,
    nodeSelector: { [key]: value },
    tolerations: [{ key, operator: 'Equal', value }],
  };
}

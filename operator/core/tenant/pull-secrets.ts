// SPDX-License-Identifier: Apache-2.0
import { ANNOTATIONS, LABELS } from '#crds/v1alpha1/names';
import { firstDifference } from '../compare.ts';
import type { KubeObject } from '../object.ts';
import { ownedMetadata, type PlatformSettings, type Tenant } from './tenant.ts';
import { PULL_SECRET_WRITER } from './roles.ts';

/** ServiceAccount of the pods of Runs, in every namespace of a tenant. */
export const RUN_SERVICE_ACCOUNT = 'nexusos-run';
/** RoleBinding that lets the operator write Secrets in one namespace. */
export const PULL_SECRET_BINDING = 'nexusos-pull-secrets';
/** The only type of Secret that is copied. */
export const PULL_SECRET_TYPE = 'kubernetes.io/dockerconfigjson';

const PREFIX = 'nexusos-pull-';

/** Name of the copy of pull secret `source`. */
export function pullSecretCopyName(source: string): string {
  return `${PREFIX}${source}`;
}

/** Namespace that pull secrets are shared from. */
export function sourceNamespace({ pullSecretNamespace, platformNamespace }: PlatformSettings): string {
  return pullSecretNamespace ?? platformNamespace;
}

/** Why a source from `namespace` cannot be copied, in words; undefined when it can. */
export function pullSecretProblem(
  name: string,
  source: KubeObject | undefined,
  namespace: string,
): string | undefined {
  const where = `pull secret ${name}`;
  if (source === undefined) {
    return `${where} is not in namespace ${namespace}, or lacks the label ${LABELS.shareable}: "true"`;
  }
  if (source['type'] !== PULL_SECRET_TYPE) {
    return `${where} is of type ${String(source['type'])}; it must be ${PULL_SECRET_TYPE}`;
  }
  return undefined;
}

/** Names of pull secrets that the tenant wants and that can be copied, in the order of the spec. */
export function copyableSources(
  tenant: Tenant,
  sources: ReadonlyMap<string, KubeObject>,
): readonly KubeObject[] {
  return (tenant.spec.imagePullSecrets ?? []).flatMap(({ name }) => {
    const source = sources.get(name);
    return source?.['type'] === PULL_SECRET_TYPE ? [source] : [];
  });
}

/** A copy of `source` for pods of the tenant. */
export function desiredPullSecret(tenant: Tenant, namespace: string, source: KubeObject): KubeObject {
  const name = pullSecretCopyName(source.metadata.name);
  const metadata = ownedMetadata(tenant, { namespace, name });
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      ...metadata,
      annotations: { ...metadata.annotations, [ANNOTATIONS.source]: versionOf(source) },
    },
    type: PULL_SECRET_TYPE,
    data: source['data'],
  };
}

/** Lets the operator write pull secrets in `namespace`. */
export function desiredPullSecretBinding(
  tenant: Tenant,
  namespace: string,
  settings: PlatformSettings,
): KubeObject {
  return {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    metadata: ownedMetadata(tenant, { namespace, name: PULL_SECRET_BINDING }),
    ...permission(settings),
  };
}

function permission({ operatorServiceAccount, platformNamespace }: PlatformSettings) {
  return {
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: PULL_SECRET_WRITER },
    subjects: [{ kind: 'ServiceAccount', name: operatorServiceAccount, namespace: platformNamespace }],
  };
}

/** Whether a RoleBinding of that name is what lets the operator write Secrets, rather than one of somebody else. */
export function permitsCopies(binding: KubeObject, settings: PlatformSettings): boolean {
  return firstDifference(binding, { ...binding, ...permission(settings) }) === undefined;
}

/** The copies in one namespace. */
export interface Copies {
  readonly sources: readonly KubeObject[];
  /** Copies that are there and no longer wanted. */
  readonly stale: readonly KubeObject[];
  /** Whether the copies are made, at the latest before the ServiceAccount is written. */
  readonly areMade: boolean;
}

/**
 * The ServiceAccount of Runs. It also is the record of which copies exist and from which versions: nobody watches Secrets
 * of tenants, so it names a copy from before it is made until after it is gone.
 */
export function desiredRunServiceAccount(tenant: Tenant, namespace: string, copies: Copies): KubeObject {
  const names = [
    ...copies.sources.map((one) => pullSecretCopyName(one.metadata.name)),
    ...copies.stale.map((one) => one.metadata.name),
  ];
  const metadata = ownedMetadata(tenant, { namespace, name: RUN_SERVICE_ACCOUNT });
  const isRecorded = copies.areMade && copies.sources.length > 0;
  const record = isRecorded ? { [ANNOTATIONS.source]: sourceVersions(copies.sources) } : {};
  return {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { ...metadata, annotations: { ...metadata.annotations, ...record } },
    automountServiceAccountToken: false,
    ...(names.length > 0 && { imagePullSecrets: names.map((name) => ({ name })) }),
  };
}

/** Names of copies that a ServiceAccount of Runs records. */
export function recordedCopies(serviceAccount: KubeObject): readonly string[] {
  const references = serviceAccount['imagePullSecrets'];
  if (!Array.isArray(references)) return [];
  return (references as { name?: string }[]).flatMap(({ name }) =>
    name?.startsWith(PREFIX) === true ? [name] : [],
  );
}

/** What the ServiceAccount of Runs records once copies of just these sources are made. */
export function sourceVersions(sources: readonly KubeObject[]): string {
  return sources.map(versionOf).join();
}

/** Tells two versions of a source apart without telling anything of its content. */
function versionOf(source: KubeObject): string {
  return `${source.metadata.uid ?? ''}/${source.metadata.resourceVersion ?? ''}`;
}

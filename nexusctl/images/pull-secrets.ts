// SPDX-License-Identifier: Apache-2.0
import type { TenantSpec } from '#crds/v1alpha1/tenant';
import { LABELS } from '#crds/v1alpha1/names';
import {
  ANONYMOUS,
  type DockerConfig,
  type Keychain,
  keychainOf,
  readDockerConfig,
} from '#operator/core/oci/credentials';
import { NAMESPACES, SECRETS, TENANTS } from '#operator/core/resources';
import { PULL_SECRET_TYPE, pullSecretCopyName } from '#operator/core/tenant/pull-secrets';
import { hasStatus } from '#operator/runtime/api-error';
import type { Client } from '#operator/runtime/client';
import { type Call, CommandError, EXIT, flagValue } from '../cli/command.ts';
import { withCluster } from '../pack/cluster.ts';
import { NAMESPACE_FLAG } from './place.ts';

/** The flag that has a registry asked as the cluster asks it. */
export const PULL_SECRETS_FLAG = {
  name: 'pull-secrets',
  what: 'asks the registry as the cluster does: with the pull secrets that the Tenant of --namespace has, and no others',
} as const;

/** What the cluster would prove itself by; undefined where that is not asked for. */
export async function pullSecretsOf(call: Call): Promise<Keychain | undefined> {
  if (call.flags[PULL_SECRETS_FLAG.name] !== true) return undefined;
  const namespace = flagValue(call, NAMESPACE_FLAG.name);
  if (namespace === undefined)
    throw new CommandError(EXIT.usage, '--pull-secrets are those of a namespace: name it by --namespace');
  return withCluster(call, (client) => keychainIn(client, namespace));
}

/** What the cluster proves itself by for images of a namespace. Throws with what is missing, or may not be read. */
export async function keychainIn(client: Pick<Client, 'get'>, namespace: string): Promise<Keychain> {
  const tenant = (await client.get(NAMESPACES, { name: namespace }))?.metadata.labels?.[LABELS.tenant];
  if (tenant === undefined)
    throw new CommandError(EXIT.usage, `namespace ${namespace} is no tenant's, or is not there`);
  const object = await readable(`Tenant ${tenant}`, () => client.get(TENANTS, { name: tenant }));
  const { imagePullSecrets = [] } = (object?.['spec'] ?? {}) as Partial<TenantSpec>;
  const configs: DockerConfig[] = [];
  for (const { name } of imagePullSecrets) configs.push(await copyOf(client, name, { namespace, tenant }));
  return configs.length === 0 ? ANONYMOUS : keychainOf(configs);
}

/** Nothing of the content is in the words of what is thrown. */
async function copyOf(
  client: Pick<Client, 'get'>,
  source: string,
  { namespace, tenant }: { readonly namespace: string; readonly tenant: string },
): Promise<DockerConfig> {
  const name = pullSecretCopyName(source);
  const what = `Secret ${namespace}/${name}`;
  const secret = await readable(what, () => client.get(SECRETS, { namespace, name }));
  if (secret?.['type'] !== PULL_SECRET_TYPE)
    throw new CommandError(
      EXIT.unavailable,
      `${what}, the copy of ${source}, is not there: kubectl describe tenant ${tenant} says why`,
    );
  const data = secret['data'] as Readonly<Record<string, string>> | undefined;
  const read = readDockerConfig(Buffer.from(data?.['.dockerconfigjson'] ?? '', 'base64').toString('utf8'));
  if (read.kind === 'ok') return read.config;
  throw new CommandError(EXIT.no, `${what}: found ${read.found}; wanted is ${read.wanted}`);
}

async function readable<T>(what: string, read: () => Promise<T>): Promise<T> {
  return read().catch((error: unknown) => {
    if (!hasStatus(error, 403)) throw error;
    throw new CommandError(
      EXIT.unavailable,
      `you may not read ${what}: leave --pull-secrets out and give credentials of your own by --registry-config`,
    );
  });
}

// SPDX-License-Identifier: Apache-2.0
import {
  ANONYMOUS,
  type DockerConfig,
  type Keychain,
  keychainOf,
  readDockerConfig,
} from '../core/oci/credentials.ts';
import { SECRETS } from '../core/resources.ts';
import { PULL_SECRET_TYPE } from '../core/tenant/pull-secrets.ts';
import { hasStatus } from '../runtime/api-error.ts';
import type { Client } from '../runtime/client.ts';

/**
 * What a namespace proves itself to registries by: its pull secrets, and those of nobody else. One that is not there, or may not be
 * read, is left out, as a node leaves it out: the registry then says what it thinks of that.
 *
 * @throws ApiError when the API server cannot say.
 */
export async function namespaceKeychain(
  { namespace, pullSecrets }: { readonly namespace: string; readonly pullSecrets: readonly string[] },
  client: Pick<Client, 'get'>,
): Promise<Keychain> {
  const configs: DockerConfig[] = [];
  for (const name of pullSecrets) {
    const secret = await client.get(SECRETS, { namespace, name }).catch(forbidden);
    if (secret?.['type'] !== PULL_SECRET_TYPE) continue;
    const data = secret['data'] as Readonly<Record<string, string>> | undefined;
    const text = Buffer.from(data?.['.dockerconfigjson'] ?? '', 'base64').toString('utf8');
    const read = readDockerConfig(text);
    if (read.kind === 'ok') configs.push(read.config);
  }
  return configs.length === 0 ? ANONYMOUS : keychainOf(configs);
}

function forbidden(error: unknown): undefined {
  if (hasStatus(error, 403)) return undefined;
  throw error;
}

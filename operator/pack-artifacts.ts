// SPDX-License-Identifier: Apache-2.0
import { ANONYMOUS, keychainOf, type Keychain, readDockerConfig } from './core/oci/credentials.ts';
import { parseReference } from './core/oci/reference.ts';
import { artifactFault, packLayerOf, pullSecretFault } from './core/policy-pack/artifact.ts';
import type { ArtifactContent, PackFault } from './core/policy-pack/verification.ts';
import { SECRETS } from './core/resources.ts';
import { PULL_SECRET_TYPE } from './core/tenant/pull-secrets.ts';
import type { Registry } from './oci/client.ts';
import type { Fetched } from './rego/verify-pack.ts';
import { hasStatus } from './runtime/api-error.ts';
import type { Client } from './runtime/client.ts';

/** What artifacts are fetched with. */
export interface ArtifactSources {
  readonly registry: Registry;
  /** Reads Secrets, where the operator may. */
  readonly client: Pick<Client, 'get'>;
  readonly maxBytes: number;
  /** The tenant that the pack is of; empty: the platform. */
  readonly whose: string;
  /** Ends what nobody waits for any more. */
  readonly signal?: AbortSignal;
}

/** Fetches the bundle of a pack from a registry: with the credentials of its own namespace, and no others. */
export async function fetchArtifact(
  content: ArtifactContent,
  namespace: string,
  { registry, client, maxBytes, whose, signal }: ArtifactSources,
): Promise<Fetched> {
  const keychain = await keychainIn(namespace, content.pullSecretName, client);
  if ('fault' in keychain) return { kind: 'fault', fault: keychain.fault };
  const place = placeOf(content.image);
  if ('fault' in place) return { kind: 'fault', fault: place.fault };
  const asking = { keychain, whose, signal };
  const manifest = await registry.manifest(place, content.digest, asking);
  if (manifest.kind !== 'ok') return { kind: 'fault', fault: artifactFault(manifest, content) };
  const found = packLayerOf(manifest.value, maxBytes);
  if (found.kind === 'fault') return found;
  const bytes = await registry.blob(place, found.layer, { ...asking, maxBytes });
  if (bytes.kind !== 'ok') return { kind: 'fault', fault: artifactFault(bytes, content) };
  return { kind: 'ok', bytes: bytes.value };
}

interface Faulty {
  readonly fault: PackFault;
}

function placeOf(image: string) {
  const read = parseReference(image);
  if (read.kind === 'ok') return { registry: read.reference.registry, repository: read.reference.repository };
  const message = `spec.source.oci.image: found ${read.found}; wanted is ${read.wanted}`;
  return { fault: { reason: 'InvalidSource', message, passing: false } } satisfies Faulty;
}

async function keychainIn(
  namespace: string,
  name: string | undefined,
  client: Pick<Client, 'get'>,
): Promise<Keychain | Faulty> {
  if (name === undefined) return ANONYMOUS;
  const secret = await client.get(SECRETS, { namespace, name }).catch(forbidden);
  if (secret === 'forbidden')
    return {
      fault: pullSecretFault(
        name,
        'may not be read by the operator: it can where the Tenant has imagePullSecrets, whose copies are called nexusos-pull-NAME',
      ),
    };
  if (secret === undefined) return { fault: pullSecretFault(name, 'is not there') };
  if (secret['type'] !== PULL_SECRET_TYPE)
    return {
      fault: pullSecretFault(name, `is of type ${String(secret['type'])}; it has to be ${PULL_SECRET_TYPE}`),
    };
  const data = secret['data'] as Readonly<Record<string, string>> | undefined;
  const read = readDockerConfig(Buffer.from(data?.['.dockerconfigjson'] ?? '', 'base64').toString('utf8'));
  if (read.kind === 'ok') return keychainOf([read.config]);
  return { fault: pullSecretFault(name, `has ${read.found} in .dockerconfigjson; wanted is ${read.wanted}`) };
}

function forbidden(error: unknown): 'forbidden' {
  if (hasStatus(error, 403)) return 'forbidden';
  throw error;
}

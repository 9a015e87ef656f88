// SPDX-License-Identifier: Apache-2.0
import { ANONYMOUS, keychainOf, type Keychain, readDockerConfig } from '../../core/oci/credentials.ts';
import { digestOfBytes } from '../../core/oci/digest.ts';
import { type ClientOptions, RegistryClient } from '../client.ts';
import type { RegistrySettings } from '../settings.ts';
import { complain, type Made, type Served, serve, type Teardown } from './serve.ts';

/** Nobody in particular asks. */
export const ASKING = { keychain: ANONYMOUS };
/** What blobs are of that tests read. */
export const BLOB = Buffer.from('some bytes');
/** Its digest. */
export const BLOB_DIGEST = digestOfBytes(BLOB);

/** A client that may ask servers of the test, by http. */
export function clientOf(
  t: Teardown,
  servers: readonly Pick<Served, 'host'>[],
  { registries = [], ...options }: Partial<ClientOptions> = {},
): RegistryClient {
  const own = servers
    .filter(({ host }) => !registries.some((one) => one.host === host))
    .map(({ host }): RegistrySettings => ({ host, isPrivate: true, isPlainHttp: true }));
  const client = new RegistryClient({ timeoutMs: 60_000, ...options, registries: [...own, ...registries] });
  t.teardown(() => client.close());
  return client;
}

/** What somebody logs in by where `auths` says. */
export function keychainFor(auths: Readonly<Record<string, unknown>>): Keychain {
  const read = readDockerConfig(JSON.stringify({ auths }));
  if (read.kind !== 'ok') throw new Error(JSON.stringify(read));
  return keychainOf([read.config]);
}

/** What somebody logs in to one registry by. */
export function loginTo(host: string, username = 'u', password = 'p'): Keychain {
  return keychainFor({ [host]: { username, password } });
}

/** Has one manifest, and a blob. */
export function serveContent(t: Teardown, made: Made): Promise<Served> {
  return serve(t, ({ url = '', method }, response) => {
    if (url.endsWith(`/blobs/${BLOB_DIGEST}`)) return void response.end(BLOB);
    if (!url.endsWith(`/manifests/${made.digest}`) && !url.endsWith('/manifests/v1'))
      return complain(response, 404, 'MANIFEST_UNKNOWN');
    response.writeHead(200, {
      'content-type': made.type,
      'docker-content-digest': made.digest,
      'content-length': made.bytes.length,
    });
    return void response.end(method === 'HEAD' ? undefined : made.bytes);
  });
}

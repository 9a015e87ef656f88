// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { ANONYMOUS } from '../core/oci/credentials.ts';
import type { KubeObject } from '../core/object.ts';
import { PULL_SECRET_TYPE } from '../core/tenant/pull-secrets.ts';
import { ApiError } from '../runtime/api-error.ts';
import type { Client } from '../runtime/client.ts';
import { namespaceKeychain } from './pull-secrets.ts';

const PLACE = { registry: 'registry.example', repository: 'team/app' };

function pullSecret(config: unknown, type: string = PULL_SECRET_TYPE): KubeObject {
  const text = typeof config === 'string' ? config : JSON.stringify(config);
  const data = { '.dockerconfigjson': Buffer.from(text).toString('base64') };
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's', namespace: 'team-main' }, type, data };
}

const login = (username: string, host = 'registry.example') => ({
  auths: { [host]: { auth: Buffer.from(`${username}:secret`).toString('base64') } },
});

function failure(status: number): ApiError {
  return new ApiError({ status, code: 'NEXUS-API-001', reason: 'No', message: 'GET Secret: no' } as never);
}

interface Cluster {
  readonly client: Pick<Client, 'get'>;
  readonly asked: readonly unknown[];
}

/** Secrets by their names, and what else the API server says. */
function clusterOf(secrets: Readonly<Record<string, KubeObject | ApiError>>): Cluster {
  const asked: unknown[] = [];
  const get = async (resource: { readonly kind: string }, key: { readonly name: string }) => {
    asked.push([resource.kind, key]);
    const found = secrets[key.name];
    if (found instanceof ApiError) throw found;
    return found;
  };
  return { client: { get }, asked };
}

const of = (...pullSecrets: readonly string[]) => ({ namespace: 'team-main', pullSecrets });

test('a namespace has the logins of its pull secrets, each for its own host, in their order', async (t) => {
  const { client, asked } = clusterOf({
    one: pullSecret(login('first')),
    two: pullSecret({ auths: { ...login('second').auths, ...login('elsewhere', 'other.example').auths } }),
  });
  const keychain = await namespaceKeychain(of('one', 'two'), client);
  const names = keychain.loginsFor(PLACE).map((one) => ('username' in one ? one.username : ''));
  t.deepEqual(names, ['first', 'second']);
  t.is(keychain.loginsFor({ ...PLACE, registry: 'third.example' }).length, 0);
  t.deepEqual(asked, [
    ['Secret', { namespace: 'team-main', name: 'one' }],
    ['Secret', { namespace: 'team-main', name: 'two' }],
  ]);
});

const nothing: Readonly<Record<string, KubeObject | ApiError | undefined>> = {
  'that is not there': undefined,
  'that may not be read': failure(403),
  'of another type': pullSecret(login('first'), 'Opaque'),
  'that is no JSON': pullSecret('{'),
  'without the entry': { ...pullSecret(login('first')), data: {} },
};

for (const [what, secret] of Object.entries(nothing)) {
  test(`a pull secret ${what} gives no login, and takes none from the others`, async (t) => {
    const { client } = clusterOf({
      ...(secret !== undefined && { odd: secret }),
      good: pullSecret(login('first')),
    });
    t.is(await namespaceKeychain(of('odd'), client), ANONYMOUS);
    t.is((await namespaceKeychain(of('odd', 'good'), client)).loginsFor(PLACE).length, 1);
  });
}

test('where the API server cannot say, nothing is concluded', async (t) => {
  const { client } = clusterOf({ one: pullSecret(login('first')), broken: failure(503) });
  await t.throwsAsync(namespaceKeychain(of('one', 'broken'), client), { instanceOf: ApiError });
});

test('who has other logins has another keychain: what is remembered by it is not shared', async (t) => {
  const { client } = clusterOf({
    one: pullSecret(login('first')),
    same: pullSecret(login('first')),
    two: pullSecret(login('second')),
  });
  const id = async (name: string) => (await namespaceKeychain(of(name), client)).id;
  t.is(await id('one'), await id('same'));
  t.not(await id('one'), await id('two'));
  t.not(await id('one'), ANONYMOUS.id);
});

// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { KubeObject, Resource } from '#operator/core/object';
import { ApiError } from '#operator/runtime/api-error';
import type { Key } from '#operator/runtime/controller';
import { CommandError } from '../cli/command.ts';
import { keychainIn } from './pull-secrets.ts';

const AT = { registry: 'registry.example', repository: 'team/app' };

function config(auths: unknown): string {
  return Buffer.from(JSON.stringify({ auths })).toString('base64');
}

const GOOD = config({ 'registry.example': { username: 'team', password: 'hunter2' } });

function clusterOf(secret: object | undefined, forbidden = '') {
  const objects: Readonly<Record<string, object | undefined>> = {
    'Namespace/team-main': { metadata: { name: 'team-main', labels: { 'nexusos.dev/tenant': 'team' } } },
    'Namespace/default': { metadata: { name: 'default' } },
    'Tenant/team': { metadata: { name: 'team' }, spec: { imagePullSecrets: [{ name: 'own' }] } },
    'Secret/team-main/nexusos-pull-own': secret,
  };
  return {
    get: async ({ kind }: Resource, { namespace, name }: Key): Promise<KubeObject | undefined> => {
      const path = [kind, namespace, name].filter((one) => one !== undefined).join('/');
      if (kind === forbidden)
        throw new ApiError({ status: 403, code: 'forbidden', reason: 'Forbidden', message: path });
      return objects[path] as KubeObject | undefined;
    },
  };
}

function secret(text: string, type = 'kubernetes.io/dockerconfigjson'): object {
  return { metadata: { name: 'nexusos-pull-own' }, type, data: { '.dockerconfigjson': text } };
}

test('the copies of what the tenant has, and nothing else', async (t) => {
  const keychain = await keychainIn(clusterOf(secret(GOOD)), 'team-main');
  t.deepEqual(keychain.loginsFor(AT), [{ kind: 'password', username: 'team', password: 'hunter2' }]);
  t.deepEqual(keychain.loginsFor({ ...AT, registry: 'registry.example.evil.net' }), []);
});

const wrong: Readonly<
  Record<string, { cluster: ReturnType<typeof clusterOf>; at?: string; code: number; says: RegExp }>
> = {
  'the copy is not there': {
    cluster: clusterOf(undefined),
    code: 3,
    says: /nexusos-pull-own, the copy of own, is not there: kubectl describe tenant team/,
  },
  'it is of another type': { cluster: clusterOf(secret(GOOD, 'Opaque')), code: 3, says: /is not there/ },
  'it is none': {
    cluster: clusterOf(secret(Buffer.from('{"auths":"hunter2"}').toString('base64'))),
    code: 1,
    says: /found auths that is no object/,
  },
  'it may not be read': {
    cluster: clusterOf(secret(GOOD), 'Secret'),
    code: 3,
    says: /you may not read Secret team-main\/nexusos-pull-own: leave --pull-secrets out/,
  },
  'the tenant may not be read': {
    cluster: clusterOf(secret(GOOD), 'Tenant'),
    code: 3,
    says: /you may not read Tenant team/,
  },
  'the namespace is nobody’s': {
    cluster: clusterOf(secret(GOOD)),
    at: 'default',
    code: 2,
    says: /is no tenant's/,
  },
};

for (const [title, { cluster, at = 'team-main', code, says }] of Object.entries(wrong)) {
  test(`what is missing is told, and no content of a Secret: ${title}`, async (t) => {
    const error = await t.throwsAsync(keychainIn(cluster, at), { instanceOf: CommandError });
    t.is(error?.code, code as CommandError['code']);
    t.regex(error?.message ?? '', says);
    t.false((error?.message ?? '').includes('hunter2'));
  });
}

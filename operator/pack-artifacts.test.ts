// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { digestOfBytes } from './core/oci/digest.ts';
import { PACK_LAYER_TYPES } from './core/policy-pack/artifact.ts';
import { clientOf } from './oci/testing/client.ts';
import { complain, makeManifest, serve } from './oci/testing/serve.ts';
import { fetchArtifact } from './pack-artifacts.ts';
import { refusal } from './runtime/api-error.ts';

const BUNDLE = Buffer.from('a bundle');
const LAYER = { mediaType: PACK_LAYER_TYPES[0], digest: digestOfBytes(BUNDLE), size: BUNDLE.length };
const MADE = makeManifest({ layers: [LAYER] });

interface Secrets {
  readonly [place: string]: object | 'forbidden';
}

/** Reads Secrets by `namespace/name`. */
function secretsOf(secrets: Secrets) {
  const asked: string[] = [];
  const get = (_: unknown, { namespace, name }: { readonly namespace?: string; readonly name: string }) => {
    asked.push(`${namespace}/${name}`);
    const found = secrets[`${namespace}/${name}`];
    return found === 'forbidden'
      ? Promise.reject(refusal({ method: 'GET', path: '/', status: 403, body: '' }))
      : Promise.resolve(found as never);
  };
  return { client: { get }, asked };
}

function pullSecret(auths: object, type = 'kubernetes.io/dockerconfigjson') {
  const text = JSON.stringify({ auths });
  return { type, data: { '.dockerconfigjson': Buffer.from(text).toString('base64') } };
}

/** Lets alice read, and nobody else. */
const privately: Parameters<typeof serve>[1] = ({ url = '', headers }, response) => {
  const user = Buffer.from(headers.authorization?.slice(6) ?? '', 'base64').toString();
  if (headers.authorization === undefined)
    return void response.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end();
  if (user !== 'alice:p') return complain(response, 403, 'DENIED');
  return void response.end(url.includes('/blobs/') ? BUNDLE : MADE.bytes);
};

test('the bundle is fetched with the Secret of the namespace, and of no other', async (t) => {
  const server = await serve(t, privately);
  const registry = clientOf(t, [server]);
  const alice = pullSecret({ [server.host]: { username: 'alice', password: 'p' } });
  const { client, asked } = secretsOf({ 'team-a/pull': alice });
  const content = { kind: 'oci', image: `${server.host}/packs/images`, digest: MADE.digest } as const;
  const sources = { registry, client, maxBytes: 1000, whose: 'team' };
  const fetched = await fetchArtifact({ ...content, pullSecretName: 'pull' }, 'team-a', sources);
  t.deepEqual(fetched.kind === 'ok' && Buffer.from(fetched.bytes), BUNDLE, JSON.stringify(fetched));
  // The same, by name and by digest, for who has no such Secret.
  t.like(await fetchArtifact({ ...content, pullSecretName: 'pull' }, 'team-b', sources), {
    fault: { reason: 'PullSecretUnavailable', passing: true },
  });
  t.like(await fetchArtifact(content, 'team-b', sources), {
    fault: { reason: 'SourceForbidden', passing: true },
  });
  t.deepEqual(asked, ['team-a/pull', 'team-b/pull']);
});

test('a Secret that cannot be used is told apart, and nothing of it is told', async (t) => {
  const server = await serve(t, privately);
  const registry = clientOf(t, [server]);
  const secrets: Secrets = {
    'team/forbidden': 'forbidden',
    'team/opaque': pullSecret({ [server.host]: { username: 'alice', password: 'p' } }, 'Opaque'),
    'team/rubbish': { type: 'kubernetes.io/dockerconfigjson', data: { '.dockerconfigjson': 'aHVudGVyMg==' } },
    'team/empty': { type: 'kubernetes.io/dockerconfigjson' },
  };
  const { client } = secretsOf(secrets);
  const content = { kind: 'oci', image: `${server.host}/packs/images`, digest: MADE.digest } as const;
  for (const name of ['forbidden', 'opaque', 'rubbish', 'empty', 'missing']) {
    const fetched = await fetchArtifact({ ...content, pullSecretName: name }, 'team', {
      registry,
      client,
      maxBytes: 1000,
      whose: 'team',
    });
    t.like(fetched, { kind: 'fault', fault: { reason: 'PullSecretUnavailable', passing: true } }, name);
    t.notRegex(JSON.stringify(fetched), /hunter2|alice/);
  }
  t.deepEqual(server.asked, []);
});

test('a Secret for another registry is not sent to this one', async (t) => {
  const server = await serve(t, privately);
  const other = pullSecret({ 'registry.example': { username: 'alice', password: 'p' } });
  const { client } = secretsOf({ 'team/pull': other });
  const content = {
    kind: 'oci',
    image: `${server.host}/packs/images`,
    digest: MADE.digest,
    pullSecretName: 'pull',
  } as const;
  const fetched = await fetchArtifact(content, 'team', {
    registry: clientOf(t, [server]),
    client,
    maxBytes: 1000,
    whose: 'team',
  });
  t.like(fetched, { kind: 'fault', fault: { reason: 'SourceForbidden' } });
  t.true(server.authorizations.every((one) => one === undefined));
});

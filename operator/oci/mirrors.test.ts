// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { createAuthority, issue } from '#hack/cluster/certificates';
import { ASKING, clientOf, loginTo, serveContent } from './testing/client.ts';
import { complain, makeManifest, repositoryAt, serve } from './testing/serve.ts';

test('a mirror is asked first for what a digest vouches for, and the registry where it lies or fails', async (t) => {
  const made = makeManifest();
  const origin = await serveContent(t, made);
  const answers: Readonly<Record<string, Parameters<typeof serve>[1]>> = {
    lies: (_, response) => void response.end(makeManifest({ annotations: { evil: 'yes' } }).bytes),
    fails: (_, response) => void response.writeHead(500).end(),
    'has nothing': (_, response) => complain(response, 404, 'MANIFEST_UNKNOWN'),
    'is silent': () => {},
  };
  for (const [title, answer] of Object.entries(answers)) {
    const mirror = await serve(t, answer);
    const registries = [
      { host: origin.host, isPrivate: true, isPlainHttp: true, mirrors: [`${mirror.host}/hub`] },
    ];
    const timeoutMs = title === 'is silent' ? 15_000 : 60_000;
    const client = clientOf(t, [mirror], { registries, timeoutMs });
    const got = await client.manifest(repositoryAt(origin), made.digest, ASKING);
    t.like(got, { kind: 'ok', value: { digest: made.digest } }, title);
    t.is(mirror.asked[0], `GET /v2/hub/team/app/manifests/${made.digest}`, title);
    // What no digest vouches for is not asked of it.
    const before = mirror.asked.length;
    await client.resolve({ ...repositoryAt(origin), tag: 'v1' }, ASKING);
    t.is(mirror.asked.length, before, title);
  }
});

test('a mirror that is trusted stands in for a registry that cannot be asked, and is sent no credentials of it', async (t) => {
  const made = makeManifest();
  const mirror = await serveContent(t, made);
  const registries = [{ host: 'registry.invalid', mirrors: [mirror.host], trustsMirrors: true }];
  const client = clientOf(t, [mirror], { registries });
  const asking = { keychain: loginTo('registry.invalid') };
  const place = { registry: 'registry.invalid', repository: 'team/app' };
  t.like(await client.resolve({ ...place, tag: 'v1' }, asking), {
    kind: 'ok',
    value: { digest: made.digest },
  });
  t.like(await client.manifest(place, made.digest, asking), { kind: 'ok' });
  t.true(mirror.authorizations.every((one) => one === undefined));
});

test('https is by certificates that the platform says, and no others', async (t) => {
  const now = new Date();
  const authority = createAuthority('registries', now);
  const { certificate: cert, key } = issue(
    authority,
    { commonName: 'localhost', usages: ['server'], hosts: ['localhost'] },
    now,
  );
  const made = makeManifest();
  const server = await serve(t, (_, response) => void response.end(made.bytes), { cert, key });
  const trusting = clientOf(t, [], {
    registries: [{ host: server.host, isPrivate: true, ca: authority.pair.certificate }],
  });
  t.is((await trusting.manifest(repositoryAt(server), made.digest, ASKING)).kind, 'ok');
  const doubting = clientOf(t, [], { registries: [{ host: server.host, isPrivate: true }] });
  t.is((await doubting.manifest(repositoryAt(server), made.digest, ASKING)).kind, 'unreachable');
});

// SPDX-License-Identifier: Apache-2.0
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { parse } from 'yaml';
import { POLICY_PACK } from '#crds/v1alpha1/policy-pack';
import { type RunningRegistry, startRegistry } from '#hack/tools/registry-process';
import { openDesk } from '../testing/cli.ts';

/** `secret`, by bcrypt. */
const HTPASSWD = 'alice:$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW';

async function started(t: ExecutionContext, htpasswd?: string): Promise<RunningRegistry> {
  const registry = await startRegistry(htpasswd === undefined ? {} : { htpasswd });
  t.teardown(() => registry.stop());
  return registry;
}

function json({ out }: { readonly out: string }): Readonly<Record<string, unknown>> {
  return JSON.parse(out) as Readonly<Record<string, unknown>>;
}

test('what is pushed is named by its digest, the same whoever pushes it, and is pulled as it is', async (t) => {
  const { host } = await started(t);
  const desk = await openDesk(t);
  await desk.nexusctl('pack init tags');
  const pushed = await desk.nexusctl(
    `pack push tags ${host}/packs/tags:1.0.0 --plain-http --manifest tags.yaml -o json`,
  );
  t.is(pushed.code, 0, pushed.err);
  const { digest, image } = json(pushed);
  t.is(image, `${host}/packs/tags`);
  const again = await desk.nexusctl(`pack push tags ${host}/elsewhere:2 --plain-http -o json`);
  t.is(json(again)['digest'], digest);
  // What is written is what the cluster takes.
  const manifest = parse(await readFile(join(desk.folder, 'tags.yaml'), 'utf8')) as { readonly spec: object };
  t.like(POLICY_PACK.spec.parse(manifest.spec), { source: { oci: { image, digest } } });

  t.is(
    (await desk.nexusctl('pack build tags --out built.tar.gz --url https://packs.example/tags.tar.gz')).code,
    0,
  );
  for (const reference of [`${host}/packs/tags:1.0.0`, `oci://${host}/packs/tags@${String(digest)}`]) {
    const pulled = await desk.nexusctl(`pack pull ${reference} --plain-http --out pulled.tar.gz -o json`);
    t.is(pulled.code, 0, pulled.err);
    t.is(json(pulled)['digest'], digest);
    const read = (name: string) => readFile(join(desk.folder, name));
    t.deepEqual(await read('pulled.tar.gz'), await read('built.tar.gz'));
  }
});

test('what cannot be done is told apart: no such tag, no permission, no registry, no reference', async (t) => {
  const { host } = await started(t, HTPASSWD);
  const desk = await openDesk(t, { HOME: '/nonexistent' });
  await desk.nexusctl('pack init tags');
  const config = (password: string) => JSON.stringify({ auths: { [host]: { username: 'alice', password } } });
  await desk.write({ 'right.json': config('secret'), 'wrong.json': config('hunter2') });
  const none = await desk.nexusctl(`pack push tags ${host}/tags:1 --plain-http`);
  t.is(none.code, 3);
  t.regex(none.err, /wants a user and a password/);
  const wrong = await desk.nexusctl(
    `pack push tags ${host}/tags:1 --plain-http --registry-config wrong.json`,
  );
  t.is(wrong.code, 3);
  t.notRegex(wrong.err, /hunter2/);
  const right = '--plain-http --registry-config right.json';
  t.is((await desk.nexusctl(`pack push tags ${host}/tags:1 ${right}`)).code, 0);
  t.is((await desk.nexusctl(`pack pull ${host}/tags:1 ${right}`)).code, 0);
  const missing = await desk.nexusctl(`pack pull ${host}/tags:2 ${right}`);
  t.is(missing.code, 1);
  t.regex(missing.err, /has no tags:2/);
  t.is((await desk.nexusctl('pack pull localhost:1/tags:1 --plain-http')).code, 3);
  t.is((await desk.nexusctl('pack pull localhost:1/Tags:1')).code, 2);
  t.is((await desk.nexusctl(`pack push tags ${host}/tags@sha256:${'a'.repeat(64)}`)).code, 2);
  t.is((await desk.nexusctl(`pack pull ${host}/tags:1 --registry-config missing.json`)).code, 2);
});

// SPDX-License-Identifier: Apache-2.0
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import anyTest, { type TestFn } from 'ava';
import { parse, stringify } from 'yaml';
import { startCluster } from '#hack/cluster/cluster';
import { installChart } from '#hack/system/chart';
import { type OperatorProcess, startOperator } from '#hack/system/operator-process';
import { ensureTools } from '#hack/tools/build';
import { eventually } from '#hack/tools/eventually';
import { type RunningRegistry, startRegistry } from '#hack/tools/registry-process';
import { runProgram } from '#hack/tools/run-program';
import { PlayedReplica } from '../policy-player.ts';
import { type ReadCondition, tenantManifest, User } from '../user.ts';

interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: { readonly source: { readonly oci: { readonly image: string; readonly digest: string } } };
}

interface Place {
  readonly admin: User;
  /** Admin of the tenant. */
  readonly owner: User;
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
}

const test = anyTest.serial as TestFn<Place>;
const NAMESPACE = 'ocipacker-main';
const NEXUSCTL = join(import.meta.dirname, '../../nexusctl/main.ts');
/** `alice:secret`, by bcrypt. */
const HTPASSWD = 'alice:$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW';
const OWNERS = [{ kind: 'User', name: 'ocipacker-boss', role: 'admin' }];
/** What the platform shares with the tenant. */
const COPY = { pullSecretRef: { name: 'nexusos-pull-ocipacks' } };
const ENDS: (() => Promise<unknown>)[] = [];
let operator: OperatorProcess;
let registry: RunningRegistry;
let restartOperator: () => Promise<void>;

test.before(async (t) => {
  const folder = await mkdtemp(join(tmpdir(), `nexusos-oci-pack-${process.pid}-`));
  ENDS.push(() => rm(folder, { recursive: true, force: true }));
  registry = await startRegistry({ htpasswd: HTPASSWD, folder: join(folder, 'registry') });
  ENDS.unshift(() => registry.stop());
  const cluster = await startCluster();
  ENDS.unshift(() => cluster.stop());
  await installChart(cluster);
  const registries = [{ host: registry.host, isPrivate: true, isPlainHttp: true }];
  const env = { NEXUSOS_REGISTRIES: JSON.stringify(registries) };
  operator = await startOperator(cluster, { env });
  ENDS.unshift(() => operator.stop());
  restartOperator = async () => {
    await operator.stop();
    operator = await startOperator(cluster, { env });
  };
  const replica = new PlayedReplica(cluster, 'played');
  await replica.start();
  ENDS.unshift(() => replica.stop());
  const admin = new User(cluster);
  await admin.applies(tenantManifest('ocipacker', { owners: OWNERS }));
  await admin.awaitsReady('tenant/ocipacker');
  const owner = new User(cluster, await cluster.kubeconfigFor({ user: 'ocipacker-boss' }));
  const { opa } = await ensureTools(['opa']);
  const own = { PATH: process.env['PATH'] ?? '', HOME: folder, NEXUSCTL_OPA: opa };
  t.context = { admin, owner, folder, env: own };
});
test.after.always(async () => {
  for (const end of ENDS) await end();
});

async function nexusctl({ folder, env }: Place, ...args: readonly string[]): Promise<string> {
  const ran = await runProgram(process.execPath, { args: [NEXUSCTL, ...args], cwd: folder, env });
  if (ran.code !== 0) throw new Error(`nexusctl ${args.join(' ')}: ${ran.stderr}`);
  return ran.stdout;
}

function dockerConfig(host: string): string {
  return JSON.stringify({ auths: { [host]: { username: 'alice', password: 'secret' } } });
}

function pullSecret(metadata: object): object {
  const stringData = { '.dockerconfigjson': dockerConfig(registry.host) };
  return { apiVersion: 'v1', kind: 'Secret', metadata, type: 'kubernetes.io/dockerconfigjson', stringData };
}

function says(user: User, reason: string): Promise<ReadCondition> {
  return eventually(`the pack is Verified: ${reason}`, async () => {
    const found = await user.condition('Verified', '-n', NAMESPACE, 'policypack/tags');
    if (found?.reason !== reason) throw new Error(JSON.stringify(found));
    return found;
  });
}

interface Pack {
  readonly metadata: { readonly resourceVersion: string };
  readonly status?: { readonly activeRevision?: string };
}

async function seen({ admin }: Place): Promise<Pack> {
  const found = await admin.sees<Pack>('-n', NAMESPACE, 'policypack/tags');
  if (found === undefined) throw new Error('there is no pack');
  return found;
}

/** What `pack push` has written, with `more` about where it is. */
async function manifest({ folder }: Place, more: object = {}): Promise<object> {
  const text = await readFile(join(folder, 'tags.yaml'), 'utf8');
  const { spec, metadata, ...rest } = parse(text) as Manifest;
  const source = { oci: { ...spec.source.oci, ...more } };
  return {
    ...rest,
    metadata: { ...metadata, namespace: NAMESPACE },
    spec: { ...spec, source, rollout: { shadowSeconds: 0 } },
  };
}

test('a pack that was pushed is taken by its digest, with a Secret that its owner lets the operator read', async (t) => {
  t.timeout(5 * 60_000);
  const { owner, admin, folder } = t.context;
  await nexusctl(t.context, 'pack', 'init', 'tags');
  const config = join(folder, 'login.json');
  await writeFile(config, dockerConfig(registry.host));
  const reference = `${registry.host}/packs/tags:1.0.0`;
  const flags = ['--plain-http', '--registry-config', config, '--manifest', 'tags.yaml'];
  t.regex(
    await nexusctl(t.context, 'pack', 'push', 'tags', reference, ...flags),
    /digest: sha256:[0-9a-f]{64}/,
  );

  // Each way of not getting it has a reason of its own.
  await owner.does(['apply', '-f', '-'], stringify(await manifest(t.context)));
  t.regex(
    (await says(admin, 'SourceForbidden')).message,
    /without credentials; pullSecretRef names a Secret/,
  );
  const own = { name: 'login', namespace: NAMESPACE };
  await owner.does(['apply', '-f', '-'], JSON.stringify(pullSecret(own)));
  await owner.does(
    ['apply', '-f', '-'],
    stringify(await manifest(t.context, { pullSecretRef: { name: 'login' } })),
  );
  t.regex(
    (await says(admin, 'PullSecretUnavailable')).message,
    /Secret login may not be read by the operator/,
  );
  const labels = { 'nexusos.dev/shareable': 'true' };
  await admin.applies(pullSecret({ name: 'ocipacks', namespace: 'nexusos-system', labels }));
  await admin.applies(
    tenantManifest('ocipacker', { owners: OWNERS, imagePullSecrets: [{ name: 'ocipacks' }] }),
  );
  await owner.does(['apply', '-f', '-'], stringify(await manifest(t.context, COPY)));
  await admin.awaitsReady('-n', NAMESPACE, 'policypack/tags');
  t.regex((await seen(t.context)).status?.activeRevision ?? '', /^tags-[0-9a-f]{12}$/);
});

test('while the registry is down, what is active stays, nothing is written, and the next version waits', async (t) => {
  t.timeout(5 * 60_000);
  const { admin, owner } = t.context;
  const before = await seen(t.context);
  await registry.stop();
  await restartOperator();
  const missing = await manifest(t.context, {
    ...COPY,
    digest: `sha256:${'a'.repeat(64)}`,
  });
  // Another pack shows that the operator has been through all of them.
  await owner.does(
    ['apply', '-f', '-'],
    stringify({ ...missing, metadata: { name: 'other', namespace: NAMESPACE } }),
  );
  await eventually('the other one waits', async () => {
    const found = await admin.condition('Verified', '-n', NAMESPACE, 'policypack/other');
    if (found?.reason !== 'SourceUnavailable') throw new Error(JSON.stringify(found));
    return found;
  });
  t.deepEqual((await seen(t.context)).metadata.resourceVersion, before.metadata.resourceVersion);
  await admin.awaitsReady('-n', NAMESPACE, 'policypack/tags');

  await owner.does(['apply', '-f', '-'], stringify(missing));
  await says(admin, 'SourceUnavailable');
  t.is((await seen(t.context)).status?.activeRevision, before.status?.activeRevision);
  registry = await startRegistry({
    htpasswd: HTPASSWD,
    folder: join(t.context.folder, 'registry'),
    port: registry.port,
  });
  // Now that it answers, it says that there is no such thing, which is another thing than not to answer.
  await says(admin, 'SourceNotFound');
  t.is((await seen(t.context)).status?.activeRevision, before.status?.activeRevision);
  await owner.does(
    ['apply', '-f', '-'],
    stringify(await manifest(t.context, { pullSecretRef: { name: 'login' } })),
  );
  await admin.awaitsReady('-n', NAMESPACE, 'policypack/tags');
});

test('what is no digest, and addresses that nobody listed, are refused', async (t) => {
  const { admin, owner } = t.context;
  const tagged = await manifest(t.context, { digest: 'latest' });
  t.regex((await owner.tries(['apply', '-f', '-'], stringify(tagged))).text, /digest/);
  const withTag = await manifest(t.context, { image: `${registry.host}/packs/tags:1.0.0` });
  t.regex((await owner.tries(['apply', '-f', '-'], stringify(withTag))).text, /image/);
  for (const image of ['169.254.169.254/packs/tags', 'localhost:1/packs/tags']) {
    await owner.does(
      ['apply', '-f', '-'],
      stringify(await manifest(t.context, { image, digest: `sha256:${'b'.repeat(64)}` })),
    );
    const { message } = await says(admin, 'SourceRefused');
    t.regex(message, /not public/, image);
  }
});

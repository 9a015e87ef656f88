// SPDX-License-Identifier: Apache-2.0
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import anyTest, { type TestFn } from 'ava';
import { parse } from 'yaml';
import { startCluster } from '#hack/cluster/cluster';
import { installChart, PLATFORM_NAMESPACE } from '#hack/system/chart';
import { startOperator } from '#hack/system/operator-process';
import { WebhookSystem } from '#hack/system/webhook-process';
import { eventually } from '#hack/tools/eventually';
import { type RunningRegistry, startRegistry } from '#hack/tools/registry-process';
import { imagePod } from '../image-world.ts';
import { phase, run, waits } from '../run-world.ts';
import { diffShipped, nexusctl } from '../nexusctl.ts';
import { pushImage, Signer } from '../signing.ts';
import { type ReadCondition, type Said, tenantManifest, User } from '../user.ts';

interface Place {
  readonly admin: User;
  readonly owner: User;
  readonly signer: Signer;
  readonly stranger: Signer;
}

interface PackManifest {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly source: { readonly oci: { readonly image: string; readonly digest: string } } };
}

const test = anyTest.serial as TestFn<Place>;
const TENANT = 'factual';
const NAMESPACE = `${TENANT}-main`;
const PACK = 'supply-chain';
const ROOT = join(import.meta.dirname, '../..');
const DEADLINE_MS = 180_000;
const ENDS: (() => Promise<unknown>)[] = [];
let registry: RunningRegistry;
let folder: string;
let kubeconfig: string;

test.before(async (t) => {
  folder = await mkdtemp(join(tmpdir(), `nexusos-facts-${process.pid}-`));
  ENDS.push(() => rm(folder, { recursive: true, force: true }));
  registry = await startRegistry({ folder: join(folder, 'registry') });
  ENDS.unshift(() => registry.stop());
  const cluster = await startCluster();
  ENDS.unshift(() => cluster.stop());
  kubeconfig = cluster.kubeconfigPath;
  const webhooks = await WebhookSystem.open(cluster);
  ENDS.unshift(() => webhooks.stop());
  await installChart(cluster, { values: { webhooks: webhooks.values } });
  const registries = [{ host: registry.host, isPrivate: true, isPlainHttp: true }];
  const operator = await startOperator(cluster, { env: { NEXUSOS_REGISTRIES: JSON.stringify(registries) } });
  ENDS.unshift(() => operator.stop());
  await webhooks.start();
  const [signer, stranger] = [await Signer.create(), await Signer.create()];
  ENDS.push(() => signer.remove());
  ENDS.push(() => stranger.remove());
  const admin = new User(cluster);
  const owner = new User(cluster, await cluster.kubeconfigFor({ user: `${TENANT}-admin` }));
  await eventually(
    'a Tenant is taken',
    () => admin.applies(tenantManifest(TENANT)).then(() => true),
    DEADLINE_MS,
  );
  await admin.awaitsReady(`tenant/${TENANT}`);
  t.context = { admin, owner, signer, stranger };
});
test.after.always(async () => {
  for (const end of ENDS) await end();
});

/** That it is refused for this; or made, which ends the waiting as well. */
const refused = (why: RegExp) => (said: Said) => said.ok || why.test(said.text);

/** A policy on images, of the platform, that trusts one key. */
function policy(
  name: string,
  images: string,
  { pem, ...more }: { readonly pem: string; readonly [field: string]: unknown },
) {
  return {
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'ClusterImagePolicy',
    metadata: { name },
    spec: {
      images: [`${registry.host}/${images}/*`],
      authorities: [{ name: 'release', key: { pem } }],
      require: { signatures: { from: ['release'], threshold: 1 } },
      ...more,
    },
  };
}

/** Pushes the pack of the repository as an artifact; the manifest that names it. */
async function pushPack(version: string, spec: object = {}): Promise<PackManifest> {
  const path = join(folder, `${PACK}-${version}.yaml`);
  const reference = `${registry.host}/packs/${PACK}:${version}`;
  const flags = ['--plain-http', '--manifest', path];
  const ran = await nexusctl(folder, ['pack', 'push', join(ROOT, 'policy-packs', PACK), reference, ...flags]);
  if (ran.code !== 0) throw new Error(ran.stderr);
  const manifest = parse(await readFile(path, 'utf8')) as PackManifest;
  const metadata = { ...manifest.metadata, namespace: PLATFORM_NAMESPACE };
  const rollout = { shadowSeconds: 0 };
  return { ...manifest, metadata, spec: { ...manifest.spec, version, rollout, ...spec } } as PackManifest;
}

function says({ admin }: Place, reason: string, status: string): Promise<ReadCondition> {
  return eventually(
    `the pack is Verified ${status}: ${reason}`,
    async () => {
      const found = await admin.condition('Verified', '-n', PLATFORM_NAMESPACE, `policypack/${PACK}`);
      if (found?.reason !== reason || found.status !== status) throw new Error(JSON.stringify(found));
      return found;
    },
    DEADLINE_MS,
  );
}

async function activeRevision({ admin }: Place): Promise<string | undefined> {
  const pack = await admin.sees<{ readonly status?: { readonly activeRevision?: string } }>(
    '-n',
    PLATFORM_NAMESPACE,
    `policypack/${PACK}`,
  );
  return pack?.status?.activeRevision;
}

/** The last tests are of policies alone. */
const parameters = () => ({
  maxCritical: 0,
  exemptImages: [`${registry.host}/strict`, `${registry.host}/retried`, 'elsewhere.example'],
});

test('a pack is read when it is signed as a policy asks, and says why not until then', async (t) => {
  t.timeout(8 * 60_000);
  const { admin, signer } = t.context;
  await admin.applies(policy('packs-signed', 'packs', { pem: signer.pem }));
  await admin.awaitsReady('clusterimagepolicy/packs-signed');

  // Nobody can tell of what is not there: that is not the same as being without a signature.
  const pushed = await pushPack('1.0.0');
  const missing = { ...pushed.spec.source.oci, digest: `sha256:${'a'.repeat(64)}` };
  await admin.applies({ ...pushed, spec: { ...pushed.spec, source: { oci: missing } } });
  t.regex((await says(t.context, 'ArtifactUnknown', 'Unknown')).message, /ImageNotFound/);

  await admin.applies(pushed);
  t.regex(
    (await says(t.context, 'ArtifactRefused', 'False')).message,
    /packs\/supply-chain@sha256:.*ClusterImagePolicy packs-signed \(NoSignature\)/,
  );

  t.is(await activeRevision(t.context), undefined);
  await signer.sign(registry.host, `packs/${PACK}`, pushed.spec.source.oci.digest);
  // What is asked changes, so it is looked at again at once.
  await admin.applies(policy('packs-signed', 'packs', { pem: signer.pem, platforms: 'Each' }));
  await admin.applies(await pushPack('1.0.0', { parameters: parameters() }));
  const { message } = await says(t.context, 'Verified', 'True');
  t.regex(message, /its artifact: as asked by ClusterImagePolicy packs-signed/);
  await admin.awaitsReady('-n', PLATFORM_NAMESPACE, `policypack/${PACK}`);
});

test('when its key is trusted no more a pack says so, and what decides goes on to', async (t) => {
  t.timeout(8 * 60_000);
  const { admin, signer, stranger } = t.context;
  const before = await activeRevision(t.context);
  await admin.applies(policy('packs-signed', 'packs', { pem: stranger.pem, platforms: 'Each' }));
  t.regex((await says(t.context, 'ArtifactRefused', 'False')).message, /WrongKey/);
  t.is(await activeRevision(t.context), before);
  await admin.applies(policy('packs-signed', 'packs', { pem: signer.pem, platforms: 'Each' }));
  await says(t.context, 'Verified', 'True');
  await admin.awaitsReady('-n', PLATFORM_NAMESPACE, `policypack/${PACK}`);
  t.is(await activeRevision(t.context), before);
});

/** One critical vulnerability of many. */
const found = (index: number) => ({
  VulnerabilityID: `CVE-2026-000${index}`,
  PkgName: 'left',
  PkgIdentifier: { PURL: 'pkg:npm/left@1.0.0' },
  Severity: 'CRITICAL',
  CVSS: { nvd: { V3Vector: 'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H', V3Score: 9.8 } },
});

/** What a scanner found, in the frame of cosign, with so many critical vulnerabilities. */
function report(critical: number): object {
  const at = new Date().toISOString();
  const Vulnerabilities = Array.from({ length: critical }, (_, index) => found(index));
  return {
    invocation: { uri: '', event_id: '', 'builder.id': '' },
    scanner: {
      uri: 'pkg:github/aquasecurity/trivy@v0.70.0',
      version: '0.70.0',
      db: { uri: '', version: '' },
      result: { SchemaVersion: 2, Results: [{ Target: 'app', Vulnerabilities }] },
    },
    metadata: { scanStartedOn: at, scanFinishedOn: at },
  };
}

async function pushApp({ signer }: Place, name: string, critical?: number): Promise<string> {
  const digest = await pushImage(registry.host, `team/${name}:1`, name);
  await signer.sign(registry.host, `team/${name}`, digest);
  const image = `${registry.host}/team/${name}@${digest}`;
  if (critical !== undefined) await signer.attest(image, 'vuln', report(critical));
  return image;
}

function agentOf(name: string, image: string): object {
  return {
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'Agent',
    metadata: { name, namespace: NAMESPACE },
    spec: { shape: 'job', container: { image } },
  };
}

/** Somebody makes a pod until what comes of it is `wanted`. */
function makes({ owner }: Place, object: object, wanted: (said: Said) => boolean): Promise<Said> {
  return eventually(
    'what comes of a pod',
    async () => {
      const said = await owner.tries(['create', '-f', '-'], JSON.stringify(object));
      if (!wanted(said)) throw new Error(said.text);
      return said;
    },
    DEADLINE_MS,
  );
}

test('rules go by what scanners state, and refuse what nobody states anything of', async (t) => {
  t.timeout(8 * 60_000);
  const { admin, signer } = t.context;
  // It counts, and leaves it to the pack how many there may be.
  const counted = {
    require: {
      signatures: { from: ['release'], threshold: 1 },
      vulnerabilities: { from: ['release'], threshold: 1, budget: {} },
    },
    enforcement: 'Warn',
  };
  await admin.applies(policy('counted', 'team', { pem: signer.pem, ...counted }));
  await admin.awaitsReady('clusterimagepolicy/counted');
  const [clean, spoilt, silent] = [
    await pushApp(t.context, 'clean', 0),
    await pushApp(t.context, 'spoilt', 2),
    await pushApp(t.context, 'silent'),
  ];
  const bad = await makes(t.context, imagePod(NAMESPACE, 'spoilt', spoilt), refused(/that are critical/));
  t.regex(
    bad.text,
    /nexusos-system\/supply-chain 1\.0\.0, rule vulnerabilities: image .*team\/spoilt.* has 2 vulnerabilities that are critical; there may be 0 .*spec\.containers\[0\]\.image/,
  );
  const none = await makes(t.context, imagePod(NAMESPACE, 'silent', silent), refused(/counted says Refused/));
  t.regex(none.text, /has no vulnerability report that is known: ClusterImagePolicy counted says Refused/);
  const uncovered = `${registry.host}/elsewhere/app:1`;
  const strange = await makes(
    t.context,
    imagePod(NAMESPACE, 'strange', uncovered),
    refused(/no policy on images/),
  );
  t.regex(strange.text, /no policy on images is about it/);
  const good = await makes(t.context, imagePod(NAMESPACE, 'clean', clean), ({ ok }) => ok);
  t.true(good.ok, good.text);
  // An Agent is refused until somebody has looked at its image, and somebody does.
  const image = await pushApp(t.context, 'agent', 0);
  t.true((await makes(t.context, agentOf('clean', image), ({ ok }) => ok)).ok);
  // Whoever is trusted by a tenant vouches for nothing before the platform.
  const own = policy('own', 'elsewhere', { pem: signer.pem });
  await t.context.owner.does(
    ['apply', '-f', '-'],
    JSON.stringify({ ...own, kind: 'ImagePolicy', metadata: { name: 'own', namespace: NAMESPACE } }),
  );
  const vouched = await makes(
    t.context,
    imagePod(NAMESPACE, 'vouched', uncovered),
    refused(/no policy whose word counts/),
  );
  t.false(vouched.ok);
});

/** What an Agent says of its image, once that is so. */
function agentSays({ admin }: Place, agent: string, reason: string): Promise<ReadCondition> {
  return eventually(
    `the Agent says ${reason}`,
    async () => {
      const found = await admin.condition('ImageVerified', '-n', NAMESPACE, `agent/${agent}`);
      if (found?.reason !== reason) throw new Error(JSON.stringify(found));
      return found;
    },
    DEADLINE_MS,
  );
}

test('from a command line, packs are compared by what is proved of images in the cluster', async (t) => {
  t.timeout(8 * 60_000);
  const same = await diffShipped(PACK, { folder, kubeconfig, parameters: parameters() });
  const known = JSON.parse(same.out) as { readonly judged: number };
  t.like(known, { newlyDenied: 0, withoutFacts: { objects: 0 }, notes: { length: 0 } }, same.out);
  t.is(same.code, 0);
  t.true(known.judged > 0);
  // Nobody states of any of them who built it.
  const stricter = await diffShipped(PACK, {
    folder,
    kubeconfig,
    parameters: { ...parameters(), allowedBuilders: ['https://builder.example'] },
  });
  const found = JSON.parse(stricter.out) as { readonly examples: readonly { readonly message: string }[] };
  t.is(stricter.code, 1);
  t.regex(
    found.examples.map(({ message }) => message).join('\n'),
    /team\/clean.* has no provenance that is known: ClusterImagePolicy counted does not ask for it/,
  );
});

test('an Agent says what admission would say of its image, before any Run of it starts', async (t) => {
  t.timeout(8 * 60_000);
  const { admin, owner, signer } = t.context;
  await admin.applies(policy('strict', 'strict', { pem: signer.pem }));
  const digest = await pushImage(registry.host, 'strict/app:1', 'strict');
  const saysOfImage = (reason: string) => agentSays(t.context, 'strict', reason);
  await owner.does(['apply', '-f', '-'], JSON.stringify(agentOf('strict', `${registry.host}/strict/app:1`)));
  const refused = await saysOfImage('ImageRefused');
  t.is(refused.status, 'False');
  t.regex(refused.message, /ClusterImagePolicy strict \(NoSignature\)/);
  await signer.sign(registry.host, 'strict/app', digest);
  await owner.does(
    ['apply', '-f', '-'],
    JSON.stringify(agentOf('strict', `${registry.host}/strict/app@${digest}`)),
  );
  const verified = await saysOfImage('ImageVerified');
  t.is(verified.status, 'True');
  await owner.does(['apply', '-f', '-'], JSON.stringify(agentOf('strict', 'elsewhere.example/app:1')));
  await eventually(
    'of an image that no policy is about nothing is said',
    async () => {
      const found = await admin.condition('ImageVerified', '-n', NAMESPACE, 'agent/strict');
      if (found !== undefined) throw new Error(JSON.stringify(found));
      return true;
    },
    DEADLINE_MS,
  );
});

test('a Run of an image that is refused says why, and the next one runs once the image was signed', async (t) => {
  t.timeout(8 * 60_000);
  const { admin, owner, signer } = t.context;
  await admin.applies(policy('retried', 'retried', { pem: signer.pem }));
  const digest = await pushImage(registry.host, 'retried/app:1', 'retried');
  await owner.does(
    ['apply', '-f', '-'],
    JSON.stringify(agentOf('retried', `${registry.host}/retried/app@${digest}`)),
  );
  await agentSays(t.context, 'retried', 'ImageRefused');
  const tries = (name: string) =>
    owner.does(
      ['create', '-f', '-'],
      JSON.stringify(run(NAMESPACE, name, { spec: { agentRef: { name: 'retried' } } })),
    );
  await tries('refused');
  const place = { user: admin, namespace: NAMESPACE };
  const refusal = await waits(place, 'refused', 'WorkloadRefused');
  t.regex(refusal, /ClusterImagePolicy retried: image ".*retried\/app@.*is refused, NoSignature: /);

  await signer.sign(registry.host, 'retried/app', digest);
  // Nobody touches the Agent: it is found by itself.
  await agentSays(t.context, 'retried', 'ImageVerified');
  await tries('signed');
  await eventually(
    'the next Run has run',
    async () => (await phase(place, 'signed')) === 'Succeeded',
    DEADLINE_MS,
  );
});

// SPDX-License-Identifier: Apache-2.0
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import anyTest, { type ExecutionContext, type TestFn } from 'ava';
import { type Cluster, startCluster } from '#hack/cluster/cluster';
import { installChart, PLATFORM_NAMESPACE } from '#hack/system/chart';
import { type OperatorProcess, startOperator } from '#hack/system/operator-process';
import { WebhookSystem } from '#hack/system/webhook-process';
import { eventually } from '#hack/tools/eventually';
import { type RunningRegistry, startRegistry } from '#hack/tools/registry-process';
import { imagePod, wantsImage } from '../image-world.ts';
import { pushImage, Signer } from '../signing.ts';
import { type ReadCondition, type Said, tenantManifest, User } from '../user.ts';

interface Pod {
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec: { readonly containers: readonly { readonly image: string }[] };
}

interface Place {
  readonly cluster: Cluster;
  readonly admin: User;
  readonly owner: User;
  readonly signer: Signer;
  /** Lists the Secrets that keys of images may be read from, by an upgrade of the chart. */
  readonly listsKeys: (...names: readonly string[]) => Promise<void>;
}

const test = anyTest.serial as TestFn<Place>;
const TENANT = 'imagebound';
const NAMESPACE = `${TENANT}-main`;
const DEADLINE_MS = 180_000;
/** Of the platform: pull secrets are shared from there, so that in its own the operator reads what is listed and nothing else. */
const HUB = 'pull-secret-hub';
const KEYS = 'release-keys';
const ENDS: (() => Promise<unknown>)[] = [];
let registry: RunningRegistry;
let operator: OperatorProcess;
let startAgain: () => Promise<void>;
let folder: string;

test.before(async (t) => {
  folder = await mkdtemp(join(tmpdir(), `nexusos-admitted-${process.pid}-`));
  ENDS.push(() => rm(folder, { recursive: true, force: true }));
  registry = await startRegistry({ folder: join(folder, 'registry') });
  ENDS.unshift(() => registry.stop());
  const cluster = await startCluster();
  ENDS.unshift(() => cluster.stop());
  const webhooks = await WebhookSystem.open(cluster);
  ENDS.unshift(() => webhooks.stop());
  const admin = new User(cluster);
  await admin.applies({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: HUB } });
  const listsKeys = (...imageKeySecrets: readonly string[]) =>
    installChart(cluster, {
      values: {
        webhooks: { ...webhooks.values, mutation: { enabled: true } },
        platform: { pullSecretNamespace: HUB, imageKeySecrets },
      },
    });
  await listsKeys();
  const registries = [{ host: registry.host, isPrivate: true, isPlainHttp: true }];
  startAgain = async () => {
    operator = await startOperator(cluster, { env: { NEXUSOS_REGISTRIES: JSON.stringify(registries) } });
  };
  await startAgain();
  ENDS.unshift(() => operator.stop());
  await Promise.all([webhooks.start(), webhooks.start()]);
  const signer = await Signer.create();
  ENDS.push(() => signer.remove());
  const owner = new User(cluster, await cluster.kubeconfigFor({ user: `${TENANT}-admin` }));
  await eventually(
    'a Tenant is taken',
    () => admin.applies(tenantManifest(TENANT)).then(() => true),
    DEADLINE_MS,
  );
  await admin.awaitsReady(`tenant/${TENANT}`);
  await admin.applies(policy(signer.pem));
  await admin.awaitsReady('clusterimagepolicy/admitted');
  t.context = { cluster, admin, owner, signer, listsKeys };
});
test.after.always(async () => {
  for (const end of ENDS) await end();
});

function policy(pem: string): object {
  return policyBy('admitted', 'team', { pem });
}

function policyBy(name: string, images: string, key: object): object {
  return {
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'ClusterImagePolicy',
    metadata: { name },
    spec: {
      images: [`${registry.host}/${images}/*`],
      authorities: [{ name: 'builder', key }],
      require: { signatures: { from: ['builder'], threshold: 1 } },
    },
  };
}

function deployment(name: string, image: string): object {
  const object = wantsImage(NAMESPACE, name, image) as { readonly spec: object };
  return { ...object, spec: { ...object.spec, replicas: 1 } };
}

const pod = (name: string, image: string): object => imagePod(NAMESPACE, name, image);

const named = (name: string): string => `${registry.host}/team/${name}:1`;

async function push({ signer }: Place, name: string, isSigned: boolean): Promise<string> {
  const digest = await pushImage(registry.host, `team/${name}:1`, name);
  if (isSigned) await signer.sign(registry.host, `team/${name}`, digest);
  return digest;
}

async function podsOf({ admin }: Place, app: string): Promise<readonly Pod[]> {
  const list = await admin.sees<{ readonly items: readonly (Pod & { metadata: { labels?: object } })[] }>(
    '-n',
    NAMESPACE,
    'pods',
  );
  return (list?.items ?? []).filter(({ metadata }) => (metadata.labels as { app?: string })?.app === app);
}

/** Somebody makes a pod until what comes of it is `wanted`; all that is said before. */
function makes(
  { owner }: Place,
  object: object,
  wanted: (said: Said) => boolean,
): Promise<{ readonly last: Said; readonly before: readonly Said[] }> {
  const before: Said[] = [];
  return eventually(
    'what comes of a pod',
    async () => {
      const last = await owner.tries(['create', '-f', '-'], JSON.stringify(object));
      if (wanted(last)) return { last, before };
      before.push(last);
      throw new Error(last.text);
    },
    DEADLINE_MS,
  );
}

/** What a Deployment says of pods that it could not make. */
function failsFor({ admin }: Place, name: string, why: RegExp): Promise<boolean> {
  return eventually(
    `pods of ${name} are refused`,
    async () => {
      const found = await admin.sees<{
        readonly status?: {
          readonly conditions?: readonly { readonly type: string; readonly message: string }[];
        };
      }>('-n', NAMESPACE, `deployment/${name}`);
      const failure = found?.status?.conditions?.find(({ type }) => type === 'ReplicaFailure');
      if (!why.test(failure?.message ?? '')) throw new Error(JSON.stringify(found?.status));
      return true;
    },
    DEADLINE_MS,
  );
}

test('pods of a signed image run by its digest, and what makes them stays as it was written', async (t) => {
  t.timeout(8 * 60_000);
  const digest = await push(t.context, 'good', true);
  await t.context.admin.applies(deployment('good', named('good')));
  const made = await eventually(
    'a pod is made',
    async () => {
      const [first] = await podsOf(t.context, 'good');
      if (first === undefined) throw new Error('there is none yet');
      return first;
    },
    DEADLINE_MS,
  );
  t.is(made.spec.containers[0]?.image, `${named('good')}@${digest}`);
  t.deepEqual(JSON.parse(made.metadata.annotations?.['nexusos.dev/images'] ?? '{}'), {
    'spec.containers[0].image': named('good'),
  });
  const written = await t.context.admin.sees<{ readonly spec: { readonly template: Pod } }>(
    '-n',
    NAMESPACE,
    'deployment/good',
  );
  t.is(written?.spec.template.spec.containers[0]?.image, named('good'));
});

test('pods of an image that is not signed are refused with the reason that is true, whoever makes them', async (t) => {
  t.timeout(8 * 60_000);
  await push(t.context, 'bare', false);
  await t.context.admin.applies(deployment('bare', named('bare')));
  await failsFor(t.context, 'bare', /ClusterImagePolicy admitted: .*NoSignature/);
  t.deepEqual(await podsOf(t.context, 'bare'), []);
  const { last } = await makes(t.context, pod('bare', named('bare')), ({ text }) => /NoSignature/.test(text));
  t.regex(
    last.text,
    /policy_blocked: ClusterImagePolicy admitted: image .*team\/bare:1.* at spec\.containers\[0\]\.image is refused, NoSignature/,
  );
  const warned = await t.context.cluster.kubectl(['apply', '-f', '-'], {
    stdin: JSON.stringify(deployment('warned', named('bare'))),
    kubeconfig: await t.context.cluster.kubeconfigFor({ user: `${TENANT}-admin` }),
  });
  t.is(warned.code, 0, warned.stderr);
  t.regex(warned.stderr, /Warning: no pod of this starts: .*NoSignature/);
});

test('a pod of an image that nobody has looked at is asked to wait, and passes then', async (t) => {
  t.timeout(8 * 60_000);
  const digest = await push(t.context, 'fresh', true);
  const { before } = await makes(t.context, pod('fresh', named('fresh')), ({ ok }) => ok);
  for (const { text } of before)
    t.regex(text, /being verified|was verified, and is to be named by its digest/);
  const made = await t.context.admin.sees<Pod>('-n', NAMESPACE, 'pod/fresh');
  t.is(made?.spec.containers[0]?.image, `${named('fresh')}@${digest}`);
});

interface Verdict {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly image: string };
  readonly status?: { readonly proof?: string };
}

/** What the operator has signed of an image, with other words in it and the same signatures. */
function forgedOf(proof: string): string {
  const envelope = JSON.parse(proof) as { readonly payload: string };
  const said = Buffer.from(envelope.payload, 'base64').toString('utf8');
  const other = said.replaceAll('Refused', 'Verified').replaceAll('FAILED', 'PASSED');
  return JSON.stringify({ ...envelope, payload: Buffer.from(other).toString('base64') });
}

test('who can write a verdict has said nothing: what counts is what the operator has signed', async (t) => {
  t.timeout(8 * 60_000);
  const { admin } = t.context;
  const { items = [] } =
    (await admin.sees<{ readonly items: readonly Verdict[] }>('-n', NAMESPACE, 'imageverdicts')) ?? {};
  const honest = items.find(({ spec }) => spec.image === named('bare'));
  const proof = honest?.status?.proof ?? '';
  const forged = forgedOf(proof);
  t.not(forged, proof);
  // Nobody puts it right meanwhile.
  await operator.stop();
  const name = `imageverdict/${honest?.metadata.name}`;
  const patch = JSON.stringify({ status: { proof: forged } });
  await admin.does(['patch', '-n', NAMESPACE, name, '--subresource=status', '--type=merge', '-p', patch]);
  const { last } = await makes(
    t.context,
    pod('forged', named('bare')),
    ({ ok, text }) => ok || /being verified/.test(text),
  );
  t.false(last.ok, 'it is as if nobody had looked');
  await startAgain();
  await refusedStill(t);
});

/** The image that is not signed is still refused for that. */
async function refusedStill(t: ExecutionContext<Place>): Promise<void> {
  const { last } = await makes(
    t.context,
    pod('still', named('bare')),
    ({ ok, text }) => ok || /NoSignature/.test(text),
  );
  t.false(last.ok);
}

test('a container for looking into a pod is judged as any other', async (t) => {
  t.timeout(8 * 60_000);
  const { cluster, admin } = t.context;
  const proxied = await cluster.kubectl(
    [
      'debug',
      '-n',
      NAMESPACE,
      'pod/fresh',
      `--image=${named('bare')}`,
      '--profile=restricted',
      '--image-pull-policy=Always',
    ],
    { kubeconfig: await cluster.kubeconfigFor({ user: `${TENANT}-admin` }) },
  );
  t.not(proxied.code, 0);
  t.regex(proxied.stderr, /spec\.ephemeralContainers\[0\]\.image is refused, NoSignature/);
  const after = await admin.sees<{ readonly spec: { readonly ephemeralContainers?: unknown } }>(
    '-n',
    NAMESPACE,
    'pod/fresh',
  );
  t.is(after?.spec.ephemeralContainers, undefined);
});

test('while the registry is down what is known starts, and what is not waits until it can be told', async (t) => {
  t.timeout(10 * 60_000);
  const { admin } = t.context;
  await push(t.context, 'late', true);
  const [before] = await podsOf(t.context, 'good');
  const { port } = registry;
  await registry.stop();
  await admin.does(['delete', 'pod', '-n', NAMESPACE, before?.metadata.name ?? '', '--wait=false']);
  await eventually(
    'another pod is made',
    async () => {
      const pods = await podsOf(t.context, 'good');
      if (!pods.some(({ metadata }) => metadata.uid !== before?.metadata.uid)) throw new Error('none yet');
      return true;
    },
    DEADLINE_MS,
  );
  const unknown = await makes(t.context, pod('late', named('late')), ({ ok, text }) => {
    return ok || /RegistryUnreachable/.test(text);
  });
  t.regex(unknown.last.text, /dependency_unavailable: .* is not known, RegistryUnreachable/);
  registry = await startRegistry({ folder: join(folder, 'registry'), port });
  const { last } = await makes(t.context, pod('late', named('late')), ({ ok }) => ok);
  t.true(last.ok, last.text);
});

/** The Secret that the policy `kept` names. */
function keySecret(...pems: readonly string[]): object {
  const metadata = { name: KEYS, namespace: PLATFORM_NAMESPACE };
  return { apiVersion: 'v1', kind: 'Secret', metadata, stringData: { 'cosign.pub': pems.join('\n') } };
}

/** What the policy `kept` says of itself, for that reason. */
function keptSays({ admin }: Place, reason: string): Promise<ReadCondition> {
  return eventually(
    `the policy says ${reason}`,
    async () => {
      const found = await admin.condition('Ready', 'clusterimagepolicy/kept');
      if (found?.reason !== reason) throw new Error(JSON.stringify(found));
      return found;
    },
    DEADLINE_MS,
  );
}

/** Nobody knows whom to trust. */
const HELD_UP = /kept: image .* is not known, PolicyInvalid/;
const isHeldUp = ({ text }: Said) => HELD_UP.test(text);

test('a key in a Secret counts where the chart lists it, as long as it is there, and what is missing is told', async (t) => {
  t.timeout(12 * 60_000);
  const { admin, signer, listsKeys } = t.context;
  const digest = await pushImage(registry.host, 'kept/app:1', 'kept');
  await signer.sign(registry.host, 'kept/app', digest);
  const image = `${registry.host}/kept/app@${digest}`;
  await admin.applies(
    keySecret(signer.pem),
    policyBy('kept', 'kept', { secretRef: { name: KEYS, key: 'cosign.pub' } }),
  );

  const forbidden = await keptSays(t.context, 'Forbidden');
  t.is(forbidden.status, 'False');
  t.regex(
    forbidden.message,
    /spec\.authorities\[0\]\.key\.secretRef: found a Secret release-keys that the operator may not read; wanted is .*platform\.imageKeySecrets/,
  );
  const unlisted = await makes(t.context, pod('unlisted', image), isHeldUp);
  t.false(unlisted.before.some(({ ok }) => ok));
  await listsKeys(KEYS);
  t.is((await keptSays(t.context, 'InForce')).status, 'True');
  const { last } = await makes(t.context, pod('listed', image), ({ ok }) => ok);
  t.true(last.ok, last.text);

  await admin.does(['delete', '-n', PLATFORM_NAMESPACE, `secret/${KEYS}`]);
  const gone = await keptSays(t.context, 'NotFound');
  t.is(gone.status, 'False');
  t.regex(
    gone.message,
    /spec\.authorities\[0\]\.key\.secretRef: found no key cosign\.pub in a Secret release-keys; wanted is a Secret with a public key in PEM/,
  );
  // What was known of the image counts until that is.
  await makes(t.context, pod('after', image), isHeldUp);
  const left = await admin.sees<Pod & { readonly metadata: { readonly deletionTimestamp?: string } }>(
    '-n',
    NAMESPACE,
    'pod/listed',
  );
  t.is(left?.metadata.deletionTimestamp, undefined, 'what runs is left alone');

  // The next key stands beside that of today, whichever is first.
  const next = await Signer.create();
  t.teardown(() => next.remove());
  await admin.applies(keySecret(next.pem, signer.pem));
  await keptSays(t.context, 'InForce');
  t.true((await makes(t.context, pod('rotated', image), ({ ok }) => ok)).last.ok);
  const other = await pushImage(registry.host, 'kept/next:1', 'next');
  await next.sign(registry.host, 'kept/next', other);
  const byNext = `${registry.host}/kept/next@${other}`;
  t.true((await makes(t.context, pod('by-next', byNext), ({ ok }) => ok)).last.ok);
});

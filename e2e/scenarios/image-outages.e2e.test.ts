// SPDX-License-Identifier: Apache-2.0
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import anyTest, { type ExecutionContext, type TestFn } from 'ava';
import { type OperatorProcess, startOperator } from '#hack/system/operator-process';
import { eventually } from '#hack/tools/eventually';
import { startRegistry } from '#hack/tools/registry-process';
import { type AdmissionWorld, startAdmission } from '../admission-world.ts';
import { type ApiAnswer, type ApiUser, apiUser } from '../api-user.ts';
import { startCrashProxy } from '../crash-proxy.ts';
import { OUTAGES } from '../image-outages.ts';
import { rowsUnder } from '../image-page.ts';
import { imagePod, imagesThatEverRan, verdictComes } from '../image-world.ts';
import { RegistryFront } from '../registry-front.ts';
import { pushImage, Signer } from '../signing.ts';
import { tenantManifest } from '../user.ts';

/**
 * What becomes of images while a registry does not answer as it should, and while parts of the system are gone: what runs goes on, what is known starts for
 * as long as is said, what is not waits with the reason, and nothing that nobody has verified ever runs. Each registry here is the same one behind a front of
 * its own, that spoils its answers.
 */

interface Place {
  readonly world: AdmissionWorld;
  readonly owner: ApiUser;
  /** By what they do. */
  readonly fronts: ReadonlyMap<string, RegistryFront>;
}

const test = anyTest.serial as TestFn<Place>;
const TENANT = 'imageoutages';
const NAMESPACE = `${TENANT}-main`;
const PODS = `/api/v1/namespaces/${NAMESPACE}/pods`;
const DEADLINE_MS = 240_000;
const CLOCK = join(import.meta.dirname, '../shifted-clock.ts');
const ENDS: (() => Promise<unknown>)[] = [];
/** Of images that are signed. */
const SIGNED = new Set<string>();
const OTHERS = ['waited', 'killed', 'restarted', 'aged'] as const;
let operator: OperatorProcess;
let operatorEnv: Readonly<Record<string, string>>;

test.before(async (t) => {
  const registry = await startRegistry();
  ENDS.unshift(() => registry.stop());
  const fronts = new Map<string, RegistryFront>();
  for (const name of [...Object.keys(OUTAGES), ...OTHERS]) {
    const front = await RegistryFront.start(registry.host);
    ENDS.unshift(() => front.stop());
    fronts.set(name, front);
  }
  const registries = [...fronts.values()].map(({ host }) => ({ host, isPrivate: true, isPlainHttp: true }));
  operatorEnv = { NEXUSOS_REGISTRIES: JSON.stringify(registries) };
  const [world, signer] = await Promise.all([
    startAdmission({
      values: { mutation: { enabled: true } },
      operatorEnv,
      auditBodiesOf: [{ group: '', resources: ['pods'] }],
    }),
    pushes(registry.host),
  ]);
  ENDS.unshift(() => world.close());
  operator = world.operator;
  ENDS.unshift(() => operator.kill());
  const owner = await apiUser(world.cluster, { user: `${TENANT}-admin` });
  ENDS.unshift(() => owner.close());
  t.context = { world, owner, fronts };
  await world.user.applies(tenantManifest(TENANT));
  await world.user.awaitsReady(`tenant/${TENANT}`);
  const hosts = [...fronts].filter(([name]) => name !== 'aged').map(([, { host }]) => host);
  await world.user.applies(policy('outages', hosts, signer.pem));
  // The least that a policy may say.
  const aged = policy('aged', [frontOf(t.context, 'aged').host], signer.pem);
  await world.user.applies({ ...aged, spec: { ...aged.spec, maxAgeSeconds: 300 } });
});
test.after.always(async () => {
  for (const end of ENDS) await end();
});

/** Images that are signed, and one that is not. */
async function pushes(host: string): Promise<Signer> {
  const signer = await Signer.create();
  ENDS.push(() => signer.remove());
  for (const name of ['known', 'fresh']) {
    const digest = await pushImage(host, `team/${name}:1`, name);
    await signer.sign(host, `team/${name}`, digest);
    SIGNED.add(digest);
  }
  await pushImage(host, 'team/bare:1', 'bare');
  return signer;
}

function policy(name: string, hosts: readonly string[], pem: string) {
  return {
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'ClusterImagePolicy',
    metadata: { name },
    spec: {
      images: hosts.map((host) => `${host}/team/*`),
      authorities: [{ name: 'builder', key: { pem } }],
      require: { signatures: { from: ['builder'], threshold: 1 } },
    },
  };
}

function frontOf({ fronts }: Place, name: string): RegistryFront {
  const front = fronts.get(name);
  if (front === undefined) throw new Error(`no front ${name}`);
  return front;
}

interface Pod {
  readonly metadata: { readonly name: string; readonly uid: string; readonly deletionTimestamp?: string };
  readonly spec: { readonly containers: readonly { readonly image: string }[] };
  readonly status?: { readonly phase?: string };
}

/** Somebody asks for a pod until what comes of it is `wanted`. */
function asksUntil(
  { owner }: Place,
  { name, image }: { readonly name: string; readonly image: string },
  wanted: (answer: ApiAnswer) => boolean,
): Promise<ApiAnswer> {
  return eventually(
    `what comes of ${name}`,
    async () => {
      const answer = await owner.send('POST', PODS, imagePod(NAMESPACE, name, image));
      if (!wanted(answer)) throw new Error(`${answer.status} ${answer.message}`);
      return answer;
    },
    DEADLINE_MS,
  );
}

const isMade = ({ status }: ApiAnswer): boolean => status === 201;
/** Not only to be asked again in a moment, since one of the replicas knows it and another does not yet. */
const isDecided = ({ status, message }: ApiAnswer): boolean =>
  status === 201 || /is not known|is refused|does not count/.test(message);
const says =
  (pattern: RegExp) =>
  ({ status, message }: ApiAnswer): boolean =>
    status === 201 || pattern.test(message);

/** A pod of the image that is known, and that it runs. */
async function starts(place: Place, front: RegistryFront, name: string): Promise<Pod> {
  await asksUntil(place, { name, image: `${front.host}/team/known:1` }, isMade);
  return eventually(`${name} runs`, async () => {
    const pod = await seen(place, name);
    return pod?.status?.phase === 'Running' ? pod : undefined;
  });
}

function seen({ world }: Place, name: string): Promise<Pod | undefined> {
  return world.user.sees<Pod>('-n', NAMESPACE, `pod/${name}`);
}

async function goesOn(t: ExecutionContext<Place>, pod: Pod): Promise<void> {
  const now = await seen(t.context, pod.metadata.name);
  t.is(now?.metadata.uid, pod.metadata.uid, `${pod.metadata.name} is still there`);
  t.is(now?.metadata.deletionTimestamp, undefined);
  t.is(now?.status?.phase, 'Running');
}

/** One outage from its beginning to its end. */
async function plays(t: ExecutionContext<Place>, name: string): Promise<void> {
  const { weather, reason, isOfSigned = false } = OUTAGES[name] as (typeof OUTAGES)[string];
  const front = frontOf(t.context, name);
  const id = weather;
  const running = await starts(t.context, front, `${id}-runs`);
  front.turns(weather);
  const again = await asksUntil(
    t.context,
    { name: `${id}-again`, image: `${front.host}/team/known:1` },
    isDecided,
  );
  t.is(again.status, 201, `${name}: what is known starts: ${again.message}`);
  const others = isOfSigned ? ['fresh'] : ['fresh', 'bare'];
  for (const other of others) {
    const asked = { name: `${id}-${other}`, image: `${front.host}/team/${other}:1` };
    const { status, message } = await asksUntil(t.context, asked, says(/is not known/));
    t.not(status, 201, `${name}: nothing is admitted that nobody has verified`);
    t.regex(
      message,
      new RegExp(`dependency_unavailable: ClusterImagePolicy outages: .* is not known, ${reason}: `),
    );
  }
  await goesOn(t, running);
  front.turns('fair');
  const after = await asksUntil(
    t.context,
    { name: `${id}-fresh`, image: `${front.host}/team/fresh:1` },
    isMade,
  );
  t.is(after.status, 201);
  const bare = { name: `${id}-bare`, image: `${front.host}/team/bare:1` };
  t.not((await asksUntil(t.context, bare, says(/NoSignature/))).status, 201);
  await goesOn(t, running);
}

test('kubectl asks again by itself while an image is verified that nobody has looked at', async (t) => {
  t.timeout(5 * 60_000);
  const { world } = t.context;
  const image = `${frontOf(t.context, 'waited').host}/team/fresh:1`;
  const stdin = JSON.stringify(imagePod(NAMESPACE, 'waited', image));
  const kubeconfig = await world.cluster.kubeconfigFor({ user: `${TENANT}-admin` });
  const { stderr } = await world.cluster.kubectl(['create', '-v=4', '-f', '-'], { stdin, kubeconfig });
  t.regex(stderr, /Got a Retry-After/);
  const { status } = await asksUntil(
    t.context,
    { name: 'waited', image },
    (answer) => isMade(answer) || answer.status === 409,
  );
  t.true([201, 409].includes(status));
});

test('whatever a registry does, what is known starts, and what is not waits and is told why', async (t) => {
  t.timeout(9 * 60_000);
  await Promise.all(Object.keys(OUTAGES).map((name) => plays(t, name)));
});

test('an operator that is killed while it verifies has let nothing in, and the next one goes on', async (t) => {
  t.timeout(8 * 60_000);
  const { world } = t.context;
  const front = frontOf(t.context, 'killed');
  const running = await starts(t.context, front, 'killed-runs');
  front.turns('silent');
  const fresh = { name: 'killed-fresh', image: `${front.host}/team/fresh:1` };
  const bare = { name: 'killed-bare', image: `${front.host}/team/bare:1` };
  t.regex((await asksUntil(t.context, fresh, () => true)).message, /being verified/);
  await eventually('it asks the registry', () => front.asked('team/fresh').length > 0, DEADLINE_MS);
  await operator.kill();
  // Nobody looks, so nobody can tell.
  for (const one of [fresh, bare]) {
    const { status, message } = await asksUntil(t.context, one, () => true);
    t.not(status, 201);
    t.regex(message, /being verified|is not known/);
  }
  const again = await asksUntil(
    t.context,
    { ...fresh, name: 'killed-again', image: `${front.host}/team/known:1` },
    isDecided,
  );
  t.is(again.status, 201, `what is known starts without an operator: ${again.message}`);
  front.turns('fair');
  operator = await startOperator(world.cluster, { env: operatorEnv });
  t.is((await asksUntil(t.context, fresh, isMade)).status, 201);
  t.not((await asksUntil(t.context, bare, says(/NoSignature/))).status, 201);
  await goesOn(t, running);
});

test('an API server that starts anew in the middle of an outage lets in what it did before', async (t) => {
  t.timeout(8 * 60_000);
  const { world } = t.context;
  const front = frontOf(t.context, 'restarted');
  const running = await starts(t.context, front, 'restarted-runs');
  front.turns('down');
  // The same image by a name that nobody has looked at: it runs, and then it is looked at by that name, too.
  const digest = running.spec.containers[0]?.image.split('@')[1] ?? '';
  const other = { name: 'restarted-other', image: `${front.host}/team/known:other@${digest}` };
  await asksUntil(t.context, other, isMade);
  const fresh = { name: 'restarted-fresh', image: `${front.host}/team/fresh:1` };
  await asksUntil(t.context, fresh, says(/is not known, RegistryUnreachable/));
  const unknown = { outcome: 'Unknown', reason: 'RegistryUnreachable' };
  await verdictComes(world.user, { namespace: NAMESPACE, image: other.image }, unknown);
  await world.cluster.restart('kube-apiserver');
  await eventually('it is ready', () => world.cluster.admin.healthy('/readyz'), DEADLINE_MS);
  const known = { name: 'restarted-again', image: `${front.host}/team/known:1` };
  t.is((await asksUntil(t.context, known, isMade)).status, 201);
  const otherAgain = { ...other, name: 'restarted-other-again' };
  t.is(
    (await asksUntil(t.context, otherAgain, isMade)).status,
    201,
    'no name of it takes back what is known',
  );
  const { status, message } = await asksUntil(t.context, fresh, says(/is not known/));
  t.not(status, 201, message);
  await goesOn(t, running);
  front.turns('fair');
  t.is((await asksUntil(t.context, fresh, isMade)).status, 201);
});

/** Replicas and operators whose clock, and that of the API server, are ahead. */
async function startsLater(
  { world }: Place,
  shiftMs: number,
): Promise<{ readonly env: Record<string, string>; readonly apiServer: string }> {
  const file = join(world.cluster.description.dataDir, `clock-${shiftMs}`);
  await writeFile(file, String(shiftMs));
  const ca = Buffer.from(world.cluster.caData, 'base64').toString('utf8');
  const proxy = await startCrashProxy(world.cluster.url, ca);
  ENDS.unshift(() => proxy.close());
  proxy.shifts(shiftMs);
  const env = { NODE_OPTIONS: `--import=${CLOCK}`, NEXUSOS_TEST_CLOCK: file };
  for (const { process } of world.webhooks.processes) if (!process.hasEnded) await process.kill();
  await world.webhooks.start({ env, apiServer: proxy.url });
  return { env, apiServer: proxy.url };
}

test('what is known starts for as long as the policy says, and no longer', async (t) => {
  t.timeout(8 * 60_000);
  const { world } = t.context;
  const front = frontOf(t.context, 'aged');
  const running = await starts(t.context, front, 'aged-runs');
  front.turns('down');
  await operator.kill();
  const image = `${front.host}/team/known:1`;
  // What all of this takes on a machine that is busy counts as well.
  await startsLater(t.context, 30_000);
  const within = await asksUntil(t.context, { name: 'aged-within', image }, says(/being verified/));
  t.is(within.status, 201, `it is younger than 300 seconds: ${within.message}`);
  const later = await startsLater(t.context, 450_000);
  const after = await asksUntil(t.context, { name: 'aged-after', image }, says(/being verified/));
  t.not(after.status, 201, 'it is older');
  t.regex(after.message, /what was found at .* does not count any more/);
  operator = await startOperator(world.cluster, {
    env: { ...operatorEnv, ...later.env },
    apiServer: later.apiServer,
  });
  const wanted = { outcome: 'Unknown', reason: 'RegistryUnreachable' };
  await verdictComes(world.user, { namespace: NAMESPACE, image }, wanted);
  const unknown = await asksUntil(
    t.context,
    { name: 'aged-after', image },
    says(/is not known, RegistryUnreachable/),
  );
  t.not(unknown.status, 201);
  await goesOn(t, running);
  front.turns('fair');
  t.is((await asksUntil(t.context, { name: 'aged-after', image }, isMade)).status, 201);
});

test('no pod ever was of an image that nobody had verified, nor of one by its tag', async (t) => {
  const { world } = t.context;
  const ran = await imagesThatEverRan(world.cluster, NAMESPACE);
  t.true(ran.length > Object.keys(OUTAGES).length, `${ran.length} images`);
  for (const image of ran) t.true(SIGNED.has(image.split('@')[1] ?? ''), image);
});

test('the page of refused images says what is tried here, and nothing else', (t) => {
  t.deepEqual(
    rowsUnder('While a registry does not answer as it should'),
    Object.entries(OUTAGES).map(([what, { reason }]) => [what, `\`${reason}\``]),
  );
});

// SPDX-License-Identifier: Apache-2.0
import anyTest, { type TestFn } from 'ava';
import { PLATFORM_NAMESPACE } from '#hack/system/chart';
import { eventually } from '#hack/tools/eventually';
import { startRegistry } from '#hack/tools/registry-process';
import { type AdmissionWorld, startAdmission } from '../admission-world.ts';
import { ADMITTED, type ImageCase, WAIVERS } from '../image-cases.ts';
import { type ApiUser, apiUser } from '../api-user.ts';
import { ageOf, CHANGES, type Watched } from '../image-changes.ts';
import { type BaseName, BASES } from '../image-making.ts';
import { rowsUnder } from '../image-page.ts';
import { byKeys, imagePolicy, namedByPolicies, POLICIES, type PolicyName } from '../image-policies.ts';
import { ImageSigner, type KeyName } from '../image-signer.ts';
import {
  createsAll,
  imagePod,
  imagesThatEverRan,
  RiskTakers,
  type SaidOfMany,
  verdictComes,
  verdictsIn,
  waiver,
  wantsImage,
} from '../image-world.ts';
import type { ImageAt } from '../registry-content.ts';
import { COSIGN_SAYS, SPOILT } from '../spoilt-images.ts';
import { tenantManifest } from '../user.ts';

/**
 * Images as others sign them, with the real cosign, a real registry, and a private instance of Sigstore: what is as asked starts, and of what is not, kubectl is
 * told the reason that is true of it. All cases are played at once, and looked at one by one; cosign itself is asked about each.
 */

interface Place {
  readonly world: AdmissionWorld;
  readonly signer: ImageSigner;
  readonly takers: RiskTakers;
  /** Who makes pods. */
  readonly owner: ApiUser;
  readonly said: SaidOfMany;
}

const test = anyTest as TestFn<Place>;
const TENANT = 'imagecases';
const NAMESPACE = `${TENANT}-main`;
const DEADLINE_MS = 240_000;
const ENDS: (() => Promise<unknown>)[] = [];
const CASES: readonly (readonly [string, ImageCase])[] = [
  ...Object.entries(ADMITTED),
  ...Object.entries(SPOILT),
];
const IMAGES = new Map<string, ImageAt>();

/** The pod of a case, and the repository of its image. */
const nameOf = (title: string): string => `case-${CASES.findIndex(([one]) => one === title)}`;

test.before(async (t) => {
  // All images are made and judged in it: more than the runner waits without a word.
  t.timeout(10 * 60_000);
  const registry = await startRegistry();
  ENDS.unshift(() => registry.stop());
  const registries = [{ host: registry.host, isPrivate: true, isPlainHttp: true }];
  const [world, signer] = await Promise.all([
    startAdmission({
      values: { mutation: { enabled: true } },
      operatorEnv: { NEXUSOS_REGISTRIES: JSON.stringify(registries) },
      auditBodiesOf: [{ group: '', resources: ['pods'] }],
    }).then((started) => {
      ENDS.unshift(() => started.close());
      return started;
    }),
    ImageSigner.start(registry.host).then(async (started) => {
      ENDS.unshift(() => started.stop());
      await makesAll(started);
      return started;
    }),
  ]);
  const takers = await RiskTakers.of(world.cluster);
  await asksAll({ world, signer, takers });
  const user = `${TENANT}-admin`;
  const owner = await apiUser(world.cluster, { user });
  ENDS.unshift(() => owner.close());
  const items = CASES.map(([title]) => imagePod(NAMESPACE, nameOf(title), signer.reference(imageOf(title))));
  t.context = { world, signer, takers, owner, said: await createsAll(world.cluster, user, items) };
});
test.after.always(async () => {
  for (const end of ENDS) await end();
});

function imageOf(title: string): ImageAt {
  const found = IMAGES.get(title);
  if (found === undefined) throw new Error(`there is no image of ${title}`);
  return found;
}

/** Each case has a copy of its own of what it begins with. */
async function makesAll(signer: ImageSigner): Promise<void> {
  const bases = new Map<BaseName, Promise<ImageAt>>();
  const make = async (name: BaseName): Promise<ImageAt> => {
    const image = await signer.content.image(`base/${name}`);
    await BASES[name](signer, image);
    return image;
  };
  const other = (name: BaseName): Promise<ImageAt> => {
    const found = bases.get(name) ?? make(name);
    bases.set(name, found);
    return found;
  };
  await Promise.all(
    CASES.map(async ([title, one]) => {
      const image = await signer.content.copy(await other(one.base), `${one.policy}/${nameOf(title)}`);
      IMAGES.set(title, (await one.make?.({ signer, image, other })) ?? image);
    }),
  );
}

/** The tenant wants all images, and the platform asks; until what comes of that is as it should be, or for long enough. */
async function asksAll({ world, signer, takers }: Pick<Place, 'world' | 'signer' | 'takers'>): Promise<void> {
  const { host } = signer.content;
  const { user } = world;
  await user.applies(tenantManifest(TENANT));
  await user.awaitsReady(`tenant/${TENANT}`);
  const wants = CASES.map(([title]) =>
    wantsImage(NAMESPACE, nameOf(title), signer.reference(imageOf(title))),
  );
  await user.applies(...wants, ...namedByPolicies(signer, PLATFORM_NAMESPACE));
  for (const [title, { name, spec, lastsMs }] of Object.entries(WAIVERS)) {
    const image = `${host}/${imageOf(title).repository}`;
    await takers.take(waiver({ name, policy: 'described', image }, { lastsMs, spec }));
  }
  const names = Object.keys(POLICIES) as PolicyName[];
  await user.applies(...names.map((name) => imagePolicy(host, name, POLICIES[name](signer))));
  await eventually('each verdict is there', () => areTold(world, signer), DEADLINE_MS).catch(() => {
    // Which are not, the tests say one by one.
  });
}

async function areTold({ user }: AdmissionWorld, signer: ImageSigner): Promise<boolean> {
  const verdicts = await verdictsIn(user, NAMESPACE);
  return CASES.every(([title, { reason }]) => {
    const image = signer.reference(imageOf(title));
    const [said] = verdicts.find(({ spec }) => spec.image === image)?.status?.policies ?? [];
    return said !== undefined && said.reason === reason;
  });
}

for (const [title, { cosign }] of Object.entries(ADMITTED)) {
  test(`admitted: ${title}`, async (t) => {
    const { said, signer } = t.context;
    t.true(said.created.includes(nameOf(title)), refusalOf(said, nameOf(title)));
    const { code, stderr } = await signer.asks(imageOf(title), cosign(signer));
    t.is(code, 0, stderr);
  });
}

/** What was said of the image of a case. */
function refusalOf({ refusals }: SaidOfMany, name: string): string {
  return refusals.find((one) => one.includes(`/${name}@`)) ?? `nothing was said of ${name}`;
}

for (const [title, { policy, reason, says = /./, cosign, differs }] of Object.entries(SPOILT)) {
  test(`refused for the reason that is true of it: ${title}`, async (t) => {
    const { said, signer } = t.context;
    const image = signer.reference(imageOf(title));
    const refusal = refusalOf(said, nameOf(title));
    const words = `policy_blocked: ClusterImagePolicy ${policy}: image "${image}" at spec.containers[0].image is refused, ${reason}: `;
    t.true(refusal.includes(words), refusal);
    t.regex(refusal, says);
    const { code, stdout, stderr } = await signer.asks(imageOf(title), cosign(signer));
    t.is(code === 0, differs !== undefined, `cosign: ${stdout} ${stderr}`);
    if (differs === undefined) t.regex(stderr, COSIGN_SAYS[reason] ?? /nothing else/);
  });
}

test('of all that was tried, what is as asked has run, and nothing else ever', async (t) => {
  const { world, signer } = t.context;
  const all = await imagesThatEverRan(world.cluster, NAMESPACE);
  const ran = all.filter((one) => !one.includes('/watched-'));
  const asked = Object.keys(ADMITTED).map((title) => signer.reference(imageOf(title)));
  t.deepEqual(ran.toSorted(), asked.toSorted());
});

const PODS = `/api/v1/namespaces/${NAMESPACE}/pods`;

interface RunningPod {
  readonly metadata: { readonly uid: string; readonly deletionTimestamp?: string };
  readonly status?: { readonly phase?: string };
}

/** A pod of the image that runs, once that was verified. */
function starts({ owner, world: { user } }: Place, { name, reference }: Watched): Promise<RunningPod> {
  return eventually(
    `${name} runs`,
    async () => {
      const object = imagePod(NAMESPACE, name, reference);
      const { status, message } = await owner.send('POST', PODS, object);
      const pod = await user.sees<RunningPod>('-n', NAMESPACE, `pod/${name}`);
      if (pod?.status?.phase !== 'Running') throw new Error(`${status} ${message} ${pod?.status?.phase}`);
      return pod;
    },
    DEADLINE_MS,
  );
}

/** That a new pod of the image is refused, and what is said of that. */
async function isRefused({ owner }: Place, { name, reference }: Watched): Promise<string> {
  const object = imagePod(NAMESPACE, `${name}-again`, reference);
  await eventually('replicas know of it', async () => {
    const { status, message } = await owner.send('POST', `${PODS}?dryRun=All`, object);
    if (!/is refused, /.test(message)) throw new Error(`${status} ${message}`);
    return true;
  });
  return (await owner.send('POST', PODS, object)).message;
}

function isTold({ world: { cluster } }: Place, verdict: string, reason: string): Promise<boolean> {
  const selector = `involvedObject.kind=ImageVerdict,involvedObject.name=${verdict}`;
  const path = `/api/v1/namespaces/${NAMESPACE}/events?fieldSelector=${encodeURIComponent(selector)}`;
  return eventually('there is an Event', async () => {
    const list = (await cluster.admin.get(path)) as { items?: readonly { readonly reason: string }[] };
    return list.items?.some((one) => one.reason === reason);
  });
}

for (const [index, [title, played]] of Object.entries(CHANGES).entries()) {
  test(`no new pod starts when ${title}, and what runs is left alone`, async (t) => {
    t.timeout(10 * 60_000);
    const { isByTag = false, make, spec, change, reason } = played;
    const place = t.context;
    const { signer, takers, world } = place;
    const admin = world.user;
    const name = `watched-${index}`;
    const image = await signer.content.image(`${name}/app`);
    const reference = isByTag ? `${signer.content.host}/${name}/app:1` : signer.reference(image);
    const watched: Watched = {
      admin,
      signer,
      takers,
      image,
      name,
      reference,
      namespace: NAMESPACE,
    };
    await make(watched);
    await admin.applies(
      wantsImage(NAMESPACE, name, reference),
      imagePolicy(signer.content.host, name, { ...ageOf(played), ...spec(watched) }),
    );
    const before = await starts(place, watched);
    await change(watched);
    const wanted = { outcome: 'Refused', reason };
    const { metadata, status } = await verdictComes(
      admin,
      { namespace: NAMESPACE, image: reference },
      wanted,
    );
    t.like(
      status?.conditions?.find(({ type }) => type === 'Verified'),
      { status: 'False', reason },
    );
    t.regex(await isRefused(place, watched), new RegExp(`ClusterImagePolicy ${name}: .*${reason}: `));
    t.true(await isTold(place, metadata.name, reason));
    const after = await admin.sees<RunningPod>('-n', NAMESPACE, `pod/${name}`);
    t.is(after?.metadata.uid, before.metadata.uid);
    t.is(after?.metadata.deletionTimestamp, undefined);
    t.is(after?.status?.phase, 'Running');
    const ran = (await imagesThatEverRan(world.cluster, NAMESPACE)).filter((one) =>
      one.includes(`/${name}/`),
    );
    t.deepEqual(ran, [isByTag ? `${reference}@${image.digest}` : reference], 'nothing else ever ran');
  });
}

/** What a tool that keeps a cluster as it is in Git says: what differs, and then it applies all again. */
async function differsNow(cluster: AdmissionWorld['cluster'], objects: readonly object[]): Promise<string> {
  const kubeconfig = await cluster.kubeconfigFor({ user: `${TENANT}-admin` });
  const stdin = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects });
  const asked = ['--server-side', '--field-manager=gitops', '-f', '-'];
  const { code, stdout, stderr } = await cluster.kubectl(['diff', ...asked], { stdin, kubeconfig });
  const applied = await cluster.kubectl(['apply', ...asked], { stdin, kubeconfig });
  return `${code} ${stdout}${stderr}${applied.code === 0 ? '' : applied.stderr}`.trim();
}

test('what is in Git with a tag stays as it is there: nothing differs, and it is applied again and again', async (t) => {
  t.timeout(8 * 60_000);
  const { signer, world } = t.context;
  const { host } = signer.content;
  const image = await signer.content.image('watched-git/app');
  await signer.sign(image, 'builder');
  await world.user.applies(imagePolicy(host, 'watched-git', POLICIES['by-key'](signer)));
  const written = `${host}/watched-git/app:1`;
  const workload = wantsImage(NAMESPACE, 'git-many', written) as { readonly spec: object };
  const objects = [
    { ...workload, spec: { ...workload.spec, replicas: 1 } },
    imagePod(NAMESPACE, 'git-alone', written),
  ];
  await eventually('all is there', async () => {
    const said = await differsNow(world.cluster, objects);
    if (said !== '0') throw new Error(said);
    return true;
  });
  t.is(await differsNow(world.cluster, objects), '0', 'after it was applied again');
  const kept = await world.user.sees<{
    readonly metadata: { readonly generation: number };
    readonly spec: { readonly template: { readonly spec: object } };
  }>('-n', NAMESPACE, 'deployment/git-many');
  t.like(kept, {
    metadata: { generation: 1 },
    spec: { template: { spec: { containers: [{ image: written }] } } },
  });
  const pod = await world.user.sees<{ readonly spec: object }>('-n', NAMESPACE, 'pod/git-alone');
  t.like(pod, {
    metadata: { annotations: { 'nexusos.dev/images': `{"spec.containers[0].image":"${written}"}` } },
    spec: { containers: [{ image: `${written}@${image.digest}` }] },
  });
});

test('a tenant asks for more, and takes nothing away', async (t) => {
  t.timeout(8 * 60_000);
  const { signer, world, owner } = t.context;
  const { host } = signer.content;
  const folder = 'watched-tenant';
  const asksFor = (key: KeyName): object => ({
    authorities: byKeys(signer, key),
    require: { signatures: { from: [key] } },
  });
  const own = imagePolicy(host, folder, asksFor('scanner'));
  await world.user.applies(imagePolicy(host, folder, asksFor('builder')), {
    ...own,
    kind: 'ImagePolicy',
    metadata: { name: 'ours', namespace: NAMESPACE },
  });
  const refusals = { builder: 'ImagePolicy ours', scanner: `ClusterImagePolicy ${folder}` } as const;
  for (const [key, policy] of Object.entries(refusals) as [keyof typeof refusals, string][]) {
    const image = await signer.content.image(`${folder}/${key}`);
    await signer.sign(image, key);
    const pod = imagePod(NAMESPACE, `${folder}-${key}`, signer.reference(image));
    const said: string = await eventually('it is told', async () => {
      const { status, message } = await owner.send('POST', PODS, pod);
      if (status !== 201 && !/is refused/.test(message)) throw new Error(`${status} ${message}`);
      return message;
    });
    t.regex(said, new RegExp(`policy_blocked: ${policy}: image .* is refused, WrongKey: `));
    t.false(said.includes(policy === refusals.builder ? refusals.scanner : refusals.builder));
  }
});

test('the page of refused images says what is tried here, and nothing else', (t) => {
  t.deepEqual(
    rowsUnder('What is refused, and why'),
    Object.entries(SPOILT).map(([what, { reason, differs }]) => [
      what,
      `\`${reason}\``,
      differs === undefined ? 'refuses' : `accepts: ${differs}`,
    ]),
  );
  t.deepEqual(
    rowsUnder('What is noticed later'),
    Object.entries(CHANGES).map(([what, { reason, noticed }]) => [what, `\`${reason}\``, noticed]),
  );
});

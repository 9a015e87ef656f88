// SPDX-License-Identifier: Apache-2.0
import { appendFile, cp } from 'node:fs/promises';
import { join } from 'node:path';
import anyTest, { type TestFn } from 'ava';
import { PLATFORM_NAMESPACE } from '#hack/system/chart';
import { eventually } from '#hack/tools/eventually';
import type { RunningRegistry } from '#hack/tools/registry-process';
import { imagePod } from '../image-world.ts';
import { phase, run, waits } from '../run-world.ts';
import { diffShipped } from '../nexusctl.ts';
import { type PackManifest, pushedPack } from '../pushed-pack.ts';
import { saidInReports } from '../reports.ts';
import { scannerReport } from '../scanner-report.ts';
import { type SignedWorld, startSignedWorld } from '../signed-world.ts';
import { pushImage } from '../signing.ts';
import type { ReadCondition, Said } from '../user.ts';

const test = anyTest.serial as TestFn<SignedWorld>;
const TENANT = 'factual';
const NAMESPACE = `${TENANT}-main`;
const PACK = 'supply-chain';
const PACK_PLACE = ['-n', PLATFORM_NAMESPACE, `policypack/${PACK}`] as const;
const SHIPPED = join(import.meta.dirname, '../../policy-packs', PACK);
const DEADLINE_MS = 180_000;
let registry: RunningRegistry;
let folder: string;
let kubeconfig: string;

test.before(async (t) => {
  t.context = await startSignedWorld(TENANT);
  ({ registry, folder, kubeconfig } = t.context);
});
test.after.always(({ context }) => context.close?.());

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

/** Pushes the pack of the repository, or what `from` holds, as an artifact; the manifest that names it. */
function pushPack(version: string, spec: object = {}, from = SHIPPED): Promise<PackManifest> {
  const reference = `${registry.host}/packs/${PACK}:${version}`;
  const rollout = { shadowSeconds: 0 };
  return pushedPack({ folder, from, reference }, { version, rollout, ...spec });
}

function says({ admin }: SignedWorld, reason: string, status: string): Promise<ReadCondition> {
  return eventually(
    `the pack is Verified ${status}: ${reason}`,
    async () => {
      const found = await admin.condition('Verified', ...PACK_PLACE);
      if (found?.reason !== reason || found.status !== status) throw new Error(JSON.stringify(found));
      return found;
    },
    DEADLINE_MS,
  );
}

interface PackStatus {
  readonly activeRevision?: string;
  readonly candidateRevision?: string;
}

async function statusOf({ admin }: SignedWorld): Promise<PackStatus> {
  const pack = await admin.sees<{ readonly status?: PackStatus }>(...PACK_PLACE);
  return pack?.status ?? {};
}

async function activeRevision(place: SignedWorld): Promise<string | undefined> {
  return (await statusOf(place)).activeRevision;
}

/** What the pack says of where its versions are, once it is for that reason. */
function stands({ admin }: SignedWorld, reason: string): Promise<ReadCondition> {
  return eventually(
    `the pack stands: ${reason}`,
    async () => {
      const found = await admin.condition('Ready', ...PACK_PLACE);
      if (found?.reason !== reason) throw new Error(JSON.stringify(found));
      return found;
    },
    DEADLINE_MS,
  );
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
  await admin.applies(trusting(signer.pem));
  await admin.applies(await pushPack('1.0.0', { parameters: parameters() }));
  const { message } = await says(t.context, 'Verified', 'True');
  t.regex(message, /its artifact: as asked by ClusterImagePolicy packs-signed/);
  await admin.awaitsReady(...PACK_PLACE);
});

test('when its key is trusted no more a pack says so, and what decides goes on to', async (t) => {
  t.timeout(8 * 60_000);
  const { admin, signer, stranger } = t.context;
  const before = await activeRevision(t.context);
  await admin.applies(trusting(stranger.pem));
  t.regex((await says(t.context, 'ArtifactRefused', 'False')).message, /WrongKey/);
  t.is(await activeRevision(t.context), before);
  await admin.applies(trusting(signer.pem));
  await says(t.context, 'Verified', 'True');
  await admin.awaitsReady(...PACK_PLACE);
  t.is(await activeRevision(t.context), before);
});

/** Packs are to be signed by one of these. */
const trusting = (...pems: readonly string[]) =>
  policy('packs-signed', 'packs', { pem: pems.join('\n'), platforms: 'Each' });

test('a version whose signer is trusted no more is no way back, whatever the source names since', async (t) => {
  t.timeout(8 * 60_000);
  const { admin, signer, stranger } = t.context;
  await admin.applies(trusting(signer.pem, stranger.pem));
  const from = join(folder, 'next');
  await cp(SHIPPED, from, { recursive: true });
  await appendFile(join(from, 'policy/main.rego'), '\n# The next one.\n');
  const rollout = { shadowSeconds: 0, promote: 'Manual' };
  const next = await pushPack('2.0.0', { parameters: parameters(), rollout }, from);
  await stranger.sign(registry.host, `packs/${PACK}`, next.spec.source.oci.digest);
  await admin.applies(next);
  await stands(t.context, 'AwaitingPromotion');
  const { activeRevision: before, candidateRevision: rollbackTo } = await statusOf(t.context);
  t.truthy(rollbackTo);

  await admin.applies(trusting(signer.pem));
  await says(t.context, 'ArtifactRefused', 'False');
  await admin.applies({ ...next, spec: { ...next.spec, rollbackTo } });
  const refused = await stands(t.context, 'ArtifactRefused');
  t.regex(refused.message, /spec\.rollbackTo: supply-chain-\w+ has never been active/);
  t.is(await activeRevision(t.context), before);

  const first = await pushPack('1.0.0', { parameters: parameters() });
  await admin.applies({ ...first, spec: { ...first.spec, rollbackTo } });
  const { message } = await stands(t.context, 'NeverActive');
  t.true(message.includes(`was made of ${next.spec.source.oci.digest}, which spec.source does not name`));
  t.is(await activeRevision(t.context), before);
  await admin.applies(first);
  await stands(t.context, 'Enforced');
  t.is(await activeRevision(t.context), before);
});

async function pushApp({ signer }: SignedWorld, name: string, critical?: number): Promise<string> {
  const digest = await pushImage(registry.host, `team/${name}:1`, name);
  await signer.sign(registry.host, `team/${name}`, digest);
  const image = `${registry.host}/team/${name}@${digest}`;
  if (critical !== undefined) await signer.attest(image, 'vuln', scannerReport(critical));
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
function makes({ owner }: SignedWorld, object: object, wanted: (said: Said) => boolean): Promise<Said> {
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

/** It counts, and leaves it to the pack how many there may be. */
const counted = (pem: string) =>
  policy('counted', 'team', {
    pem,
    require: {
      signatures: { from: ['release'], threshold: 1 },
      vulnerabilities: { from: ['release'], threshold: 1, budget: {} },
    },
    enforcement: 'Warn',
  });

test('rules go by what scanners state, and refuse what nobody states anything of', async (t) => {
  t.timeout(8 * 60_000);
  const { admin, signer } = t.context;
  await admin.applies(counted(signer.pem));
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
function agentSays({ admin }: SignedWorld, agent: string, reason: string): Promise<ReadCondition> {
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

const reportedOf = ({ admin }: SignedWorld, name: string) =>
  saidInReports(admin, { namespace: NAMESPACE, kind: 'Pod', name });

test('Reports tell what is proved of the images that run, and tell it anew when something else is', async (t) => {
  t.timeout(8 * 60_000);
  const { admin, signer } = t.context;
  const pod = () => admin.sees<{ readonly metadata: { readonly uid: string } }>('-n', NAMESPACE, 'pod/clean');
  const before = await pod();
  t.deepEqual(await reportedOf(t.context, 'clean'), [], 'it passes');
  // Nobody asks any more what was stated of it, so that rules are told of nothing.
  await admin.applies(policy('counted', 'team', { pem: signer.pem, enforcement: 'Warn' }));
  const unasked =
    /team\/clean.* has no vulnerability report that is known: ClusterImagePolicy counted does not ask for it/;
  const said = await eventually(
    'it is in a Report',
    async () => {
      const all = await reportedOf(t.context, 'clean');
      const found = all.find(({ message }) => unasked.test(message));
      if (found === undefined) throw new Error(JSON.stringify(all));
      return found;
    },
    DEADLINE_MS,
  );
  t.like(said, { policy: `${PLATFORM_NAMESPACE}/${PACK}`, rule: 'vulnerabilities', result: 'fail' });
  t.is((await pod())?.metadata.uid, before?.metadata.uid, 'what runs is left alone');
  await admin.applies(counted(signer.pem));
  await eventually(
    'it passes again',
    async () => {
      const all = await reportedOf(t.context, 'clean');
      if (all.length > 0) throw new Error(JSON.stringify(all));
      return true;
    },
    DEADLINE_MS,
  );
});

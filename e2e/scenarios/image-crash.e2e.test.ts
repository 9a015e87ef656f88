// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { type Cluster, startCluster } from '#hack/cluster/cluster';
import { installChart } from '#hack/system/chart';
import { WebhookSystem } from '#hack/system/webhook-process';
import { eventually } from '#hack/tools/eventually';
import { startRegistry } from '#hack/tools/registry-process';
import type { SeenWrite } from '../crash-proxy.ts';
import { EndsAtWrites } from '../ends-at-writes.ts';
import { imagePolicy } from '../image-policies.ts';
import { imagesThatEverRan, type SeenVerdict, verdictsIn, wantsImage } from '../image-world.ts';
import { pushImage, Signer } from '../signing.ts';
import { tenantManifest, User } from '../user.ts';

/** Verdicts whose operator is ended at each of its writes: they become what they become in peace, and pods wait for that. */

const TENANT = 'imagecrash';
const NAMESPACE = `${TENANT}-main`;
const POLICY = 'crashed';
const DEADLINE_MS = 240_000;
const ENDS: (() => Promise<unknown>)[] = [];
let cluster: Cluster;
let ends: EndsAtWrites;
let webhooks: WebhookSystem;
let host: string;
let signer: Signer;
let digest: string;

test.before(async () => {
  const registry = await startRegistry();
  ENDS.unshift(() => registry.stop());
  host = registry.host;
  signer = await Signer.create();
  ENDS.push(() => signer.remove());
  digest = await pushImage(host, `${POLICY}/signed:1`, 'signed');
  await signer.sign(host, `${POLICY}/signed`, digest);
  await pushImage(host, `${POLICY}/bare:1`, 'bare');
  cluster = await startCluster({ audit: true, auditBodiesOf: [{ group: '', resources: ['pods'] }] });
  ENDS.unshift(() => cluster.stop());
  webhooks = await WebhookSystem.open(cluster);
  ENDS.unshift(() => webhooks.stop());
  const registries = [{ host, isPrivate: true, isPlainHttp: true }];
  const values = { webhooks: { ...webhooks.values, mutation: { enabled: true } }, platform: { registries } };
  await installChart(cluster, { values });
  ends = await EndsAtWrites.open(cluster, TENANT);
  ENDS.unshift(() => ends.close());
});
test.after.always(async () => {
  for (const end of ENDS) await end();
});

/** What would make one pod of an image. */
function makesPods(name: string): object {
  const object = wantsImage(NAMESPACE, name, `${host}/${POLICY}/${name}:1`) as { readonly spec: object };
  return { ...object, spec: { ...object.spec, replicas: 1 } };
}

function asks(more: object = {}): object {
  const authorities = [{ name: 'builder', key: { pem: signer.pem } }];
  const require = { signatures: { from: ['builder'] } };
  return imagePolicy(host, POLICY, { authorities, require, ...more });
}

async function isSaid(user: User, wanted: Readonly<Record<string, string>>): Promise<boolean> {
  const verdicts = await verdictsIn(user, NAMESPACE);
  return Object.entries(wanted).every(([name, outcome]) => {
    const found = verdicts.find(({ spec }) => spec.image === `${host}/${POLICY}/${name}:1`);
    return outcomeOf(found) === outcome;
  });
}

function outcomeOf(verdict: SeenVerdict | undefined): string {
  const [said] = verdict?.status?.policies ?? [];
  return said?.reason ?? said?.outcome ?? 'none';
}

async function podsOf(user: User, app: string): Promise<readonly string[]> {
  const list = await user.sees<{
    readonly items: readonly { readonly metadata: { readonly name: string } }[];
  }>('-n', NAMESPACE, 'pods', '-l', `app=${app}`);
  return (list?.items ?? []).map(({ metadata }) => metadata.name);
}

/** Counts of the policy are told when all else is. What runs is also looked at by the name that it runs by. */
async function counts(user: User, isVerified: boolean): Promise<boolean> {
  const seen = await user.sees<{ status?: { verified?: number; refused?: number } }>(
    `clusterimagepolicy/${POLICY}`,
  );
  const { verified = 0, refused = 0 } = seen?.status ?? {};
  return verified > 0 === isVerified && refused >= (isVerified ? 1 : 2);
}

function atVerdicts(writes: readonly SeenWrite[]): readonly SeenWrite[] {
  return writes.filter(({ path }) => path.includes('/imageverdicts'));
}

test('verdicts survive SIGKILL of the operator at every write, when images are new and when their key is given up', async (t) => {
  t.timeout(9 * 60_000);
  const user = new User(cluster);
  const prepared = await ends.start();
  await webhooks.start();
  await eventually(
    'a Tenant is taken',
    () => user.applies(tenantManifest(TENANT)).then(() => true),
    DEADLINE_MS,
  );
  await user.awaitsReady(`tenant/${TENANT}`);
  await prepared.stop();
  await user.applies(asks(), makesPods('signed'), makesPods('bare'));
  const made = await ends.until(
    async () =>
      (await isSaid(user, { signed: 'Verified', bare: 'NoSignature' })) && (await counts(user, true)),
  );
  t.true(atVerdicts(made).length >= 4, `two verdicts, and what they say: ${JSON.stringify(made)}`);
  const pod = await eventually(
    'a pod of what is signed',
    async () => (await podsOf(user, 'signed'))[0],
    DEADLINE_MS,
  );
  t.deepEqual(await podsOf(user, 'bare'), []);

  await user.applies(asks({ authorities: [{ name: 'builder', key: { pem: (await another()).pem } }] }));
  const withdrawn = await ends.until(
    async () =>
      (await isSaid(user, { signed: 'WrongKey', bare: 'NoSignature' })) && (await counts(user, false)),
  );
  t.true(atVerdicts(withdrawn).length >= 2, JSON.stringify(withdrawn));
  t.deepEqual(await podsOf(user, 'signed'), [pod], 'what runs is left alone');
  const ran = await imagesThatEverRan(cluster, NAMESPACE);
  t.deepEqual(ran, [`${host}/${POLICY}/signed:1@${digest}`], 'nothing else ever ran');
});

async function another(): Promise<Signer> {
  const other = await Signer.create();
  ENDS.push(() => other.remove());
  return other;
}

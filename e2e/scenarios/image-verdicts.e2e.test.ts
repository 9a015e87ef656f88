// SPDX-License-Identifier: Apache-2.0
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import anyTest, { type TestFn } from 'ava';
import { startCluster } from '#hack/cluster/cluster';
import { installChart } from '#hack/system/chart';
import { type OperatorProcess, startOperator } from '#hack/system/operator-process';
import { eventually } from '#hack/tools/eventually';
import { type RunningRegistry, startRegistry } from '#hack/tools/registry-process';
import { container } from '../guardrail-objects.ts';
import { pushImage, Signer } from '../signing.ts';
import { type ReadCondition, tenantManifest, User } from '../user.ts';

interface Verdict {
  readonly metadata: { readonly name: string; readonly resourceVersion: string };
  readonly spec: { readonly image: string };
  readonly status?: {
    readonly digest?: string;
    readonly proof?: string;
    readonly expiresAt?: string;
    readonly conditions?: readonly ReadCondition[];
    readonly policies?: readonly {
      readonly name: string;
      readonly outcome: string;
      readonly reason?: string;
      readonly message: string;
    }[];
  };
}

interface Place {
  readonly admin: User;
  readonly owner: User;
  readonly signer: Signer;
  /** Two people of the platform. */
  readonly asker: User;
  readonly approver: User;
  /** May write verdicts and keys by RBAC, and is nobody of the platform. */
  readonly meddler: User;
}

const test = anyTest.serial as TestFn<Place>;
const TENANT = 'verdictkeeper';
const NAMESPACE = `${TENANT}-main`;
const MEDDLER = 'verdict-meddler';
const ENDS: (() => Promise<unknown>)[] = [];
let operator: OperatorProcess;
let registry: RunningRegistry;
let again: () => Promise<void>;
let folder: string;

test.before(async (t) => {
  folder = await mkdtemp(join(tmpdir(), `nexusos-verdicts-${process.pid}-`));
  ENDS.push(() => rm(folder, { recursive: true, force: true }));
  registry = await startRegistry({ folder: join(folder, 'registry') });
  ENDS.unshift(() => registry.stop());
  const cluster = await startCluster();
  ENDS.unshift(() => cluster.stop());
  await installChart(cluster);
  const registries = [{ host: registry.host, isPrivate: true, isPlainHttp: true }];
  const env = { NEXUSOS_REGISTRIES: JSON.stringify(registries) };
  operator = await startOperator(cluster, { env });
  ENDS.unshift(() => operator.stop());
  again = async () => {
    await operator.stop();
    operator = await startOperator(cluster, { env });
  };
  const signer = await Signer.create();
  ENDS.push(() => signer.remove());
  const admin = new User(cluster);
  const owner = new User(cluster, await cluster.kubeconfigFor({ user: `${TENANT}-admin` }));
  await admin.applies(tenantManifest(TENANT));
  await admin.awaitsReady(`tenant/${TENANT}`);
  const groups = ['system:masters'];
  const person = async (user: string) => new User(cluster, await cluster.kubeconfigFor({ user, groups }));
  t.context = {
    admin,
    owner,
    signer,
    asker: await person('risk-asker'),
    approver: await person('risk-approver'),
    meddler: new User(cluster, await cluster.kubeconfigFor({ user: MEDDLER })),
  };
});
test.after.always(async () => {
  for (const end of ENDS) await end();
});

/** Asks for a signature by one key, of all images of the registry's folder. */
function policy(pem: string) {
  return {
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'ClusterImagePolicy',
    metadata: { name: 'signed' },
    spec: {
      images: [`${registry.host}/team/*`],
      authorities: [{ name: 'builder', key: { pem } }],
      require: { signatures: { from: ['builder'], threshold: 1 } },
    },
  };
}

/** What makes pods of an image; nothing does in this cluster, so that nothing but the template says what is wanted. */
function deployment(name: string, image: string): object {
  const labels = { app: name };
  const resources = { requests: { cpu: '10m', memory: '16Mi' }, limits: { cpu: '10m', memory: '16Mi' } };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: NAMESPACE },
    spec: {
      replicas: 1,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [container({ image, resources })] } },
    },
  };
}

async function verdictOn({ admin }: Place, image: string): Promise<Verdict | undefined> {
  const list = await admin.sees<{ readonly items: readonly Verdict[] }>('-n', NAMESPACE, 'imageverdicts');
  return list?.items.find(({ spec }) => spec.image === image);
}

function comesTo(
  place: Place,
  image: string,
  wanted: { outcome: string; reason?: string },
): Promise<Verdict> {
  return eventually(
    `${image} is ${wanted.outcome}`,
    async () => {
      const found = await verdictOn(place, image);
      const [said] = found?.status?.policies ?? [];
      if (found === undefined || said?.outcome !== wanted.outcome || said.reason !== wanted.reason)
        throw new Error(JSON.stringify(found?.status ?? 'no verdict'));
      return found;
    },
    120_000,
  );
}

test('images that workloads name are verified, each with the reason that is true of it', async (t) => {
  t.timeout(8 * 60_000);
  const { admin, signer } = t.context;
  const digest = await pushImage(registry.host, 'team/good:1', 'good');
  await signer.sign(registry.host, 'team/good', digest);
  await pushImage(registry.host, 'team/bare:1', 'bare');
  await pushImage(registry.host, 'other/free:1', 'free');
  await admin.applies(
    deployment('good', `${registry.host}/team/good:1`),
    deployment('bare', `${registry.host}/team/bare:1`),
    deployment('free', `${registry.host}/other/free:1`),
  );
  await admin.applies(policy(signer.pem));
  await admin.awaitsReady('clusterimagepolicy/signed');
  const good = await comesTo(t.context, `${registry.host}/team/good:1`, { outcome: 'Verified' });
  t.is(good.status?.digest, digest);
  t.regex(good.status?.proof ?? '', /"payloadType":"application\/vnd\.in-toto\+json"/);
  const bare = await comesTo(t.context, `${registry.host}/team/bare:1`, {
    outcome: 'Refused',
    reason: 'NoSignature',
  });
  t.like(
    bare.status?.conditions?.find(({ type }) => type === 'Verified'),
    { status: 'False', reason: 'NoSignature' },
  );
  t.is(await verdictOn(t.context, `${registry.host}/other/free:1`), undefined, 'no policy asks');
  await eventually('the policy counts', async () => {
    const seen = await admin.sees<{ status?: { verified?: number; refused?: number } }>(
      'clusterimagepolicy/signed',
    );
    if (seen?.status?.verified !== 1 || seen.status.refused !== 1)
      throw new Error(JSON.stringify(seen?.status));
    return seen;
  });
});

test('a signature that comes later, and a key that is another one, are noticed', async (t) => {
  t.timeout(8 * 60_000);
  const { admin, signer } = t.context;
  const image = `${registry.host}/team/bare:1`;
  const { status } = (await verdictOn(t.context, image)) ?? {};
  await signer.sign(registry.host, 'team/bare', status?.digest ?? '');
  const wrong = await Signer.create();
  t.teardown(() => wrong.remove());
  await admin.applies(policy(wrong.pem));
  const refused = await comesTo(t.context, image, { outcome: 'Refused', reason: 'WrongKey' });
  t.is(refused.status?.digest, status?.digest);
  await admin.applies(policy(signer.pem));
  const verified = await comesTo(t.context, image, { outcome: 'Verified' });
  t.not(verified.status?.proof, refused.status?.proof);
});

test('while the registry is down what is known stays, also after a new start, and what is not known is told as such', async (t) => {
  t.timeout(8 * 60_000);
  const { admin } = t.context;
  const image = `${registry.host}/team/good:1`;
  const before = await comesTo(t.context, image, { outcome: 'Verified' });
  await registry.stop();
  await again();
  await admin.applies(deployment('late', `${registry.host}/team/late:1`));
  // Another policy has all namespaces looked at.
  const { spec, ...rest } = policy(t.context.signer.pem);
  const images = [`${registry.host}/team/late`];
  await admin.applies({ ...rest, metadata: { name: 'another' }, spec: { ...spec, images } });
  await comesTo(t.context, `${registry.host}/team/late:1`, {
    outcome: 'Unknown',
    reason: 'RegistryUnreachable',
  });
  const after = await verdictOn(t.context, image);
  t.is(
    after?.metadata.resourceVersion,
    before.metadata.resourceVersion,
    'nothing was written of what is known',
  );
  registry = await startRegistry({ folder: join(folder, 'registry'), port: registry.port });
  await comesTo(t.context, `${registry.host}/team/late:1`, { outcome: 'Unknown', reason: 'ImageNotFound' });
});

const VECTOR = 'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H';

/** What a scanner found, in the frame of cosign: one vulnerability that is critical. */
function report(scannedAt: string): object {
  const found = {
    VulnerabilityID: 'CVE-2026-0001',
    PkgIdentifier: { PURL: 'pkg:npm/right@2.0.0' },
    Severity: 'CRITICAL',
    CVSS: { nvd: { V3Vector: VECTOR } },
  };
  return {
    invocation: { uri: '', event_id: '', 'builder.id': '' },
    scanner: {
      uri: 'pkg:github/aquasecurity/trivy@v0.70.0',
      version: '0.70.0',
      db: { uri: '', version: '' },
      result: { SchemaVersion: 2, Results: [{ Target: 'app', Vulnerabilities: [found] }] },
    },
    metadata: { scanStartedOn: scannedAt, scanFinishedOn: scannedAt },
  };
}

function waiver(namespace: string, approval?: object) {
  return {
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'ImageWaiver',
    metadata: { name: 'right', namespace, annotations: { 'nexusos.dev/created-by': 'risk-asker' } },
    spec: {
      policies: ['clean'],
      vulnerability: 'CVE-2026-0001',
      subjects: { images: [`${registry.host}/scanned/*`] },
      reason: 'nothing calls it',
      ticket: 'SEC-1',
      expiresAt: new Date(Date.now() + 86_400_000).toISOString(),
      ...(approval !== undefined && { approval }),
    },
  };
}

function decides(who: User, by: string) {
  const patch = JSON.stringify({ spec: { approval: { decision: 'Approved', by } } });
  return who.tries(['patch', '-n', 'nexusos-system', 'imagewaiver/right', '--type=merge', '-p', patch]);
}

test('a vulnerability is waived by two people, and counts again when the waiver goes', async (t) => {
  t.timeout(8 * 60_000);
  const { admin, signer, asker, approver } = t.context;
  const image = `${registry.host}/scanned/app:1`;
  const digest = await pushImage(registry.host, 'scanned/app:1', 'scanned');
  await signer.attest(`${registry.host}/scanned/app@${digest}`, 'vuln', report(new Date().toISOString()));
  await admin.applies(deployment('scanned', image));
  const { spec, ...rest } = policy(signer.pem);
  await admin.applies({
    ...rest,
    metadata: { name: 'clean' },
    spec: {
      images: [`${registry.host}/scanned/*`],
      authorities: spec.authorities,
      require: { vulnerabilities: { from: ['builder'], threshold: 1, budget: { critical: 0 } } },
    },
  });
  await comesTo(t.context, image, { outcome: 'Refused', reason: 'OverBudget' });

  const makes = (object: object) => asker.tries(['create', '-f', '-'], JSON.stringify(object));
  t.regex((await makes(waiver(NAMESPACE))).text, /allowed: nexusos-system/);
  const own = { decision: 'Approved', by: 'risk-asker' };
  t.regex((await makes(waiver('nexusos-system', own))).text, /somebody else decides when it is there/);
  const made = await makes(waiver('nexusos-system'));
  t.true(made.ok, made.text);
  t.regex((await decides(asker, 'risk-asker')).text, /approval by somebody else/);
  const approved = await decides(approver, 'risk-approver');
  t.true(approved.ok, approved.text);
  await comesTo(t.context, image, { outcome: 'Verified' });
  await admin.does(['delete', '-n', 'nexusos-system', 'imagewaiver/right']);
  const refused = await comesTo(t.context, image, { outcome: 'Refused', reason: 'OverBudget' });
  t.is(refused.status?.digest, digest);
});

test('a waiver of a policy that nobody has made says so, until there is one', async (t) => {
  const { admin, signer, asker } = t.context;
  const { spec, ...rest } = waiver('nexusos-system');
  const unborn = {
    ...rest,
    metadata: { name: 'unborn', namespace: 'nexusos-system' },
    spec: { ...spec, policies: ['unborn'] },
  };
  await asker.does(['create', '-f', '-'], JSON.stringify(unborn));
  const says = (reason: string) =>
    eventually(`the waiver says ${reason}`, async () => {
      const ready = await admin.condition('Ready', '-n', 'nexusos-system', 'imagewaiver/unborn');
      return ready?.reason === reason ? ready : undefined;
    });
  t.regex((await says('NotFound')).message, /found unborn, and no ClusterImagePolicy of that name/);
  const born = policy(signer.pem);
  // About images that nobody uses: what others are found to be stays as it is.
  const images = [`${registry.host}/unborn/*`];
  await admin.applies({ ...born, metadata: { name: 'unborn' }, spec: { ...born.spec, images } });
  t.is((await says('Undecided')).status, 'False');
  await admin.does(['delete', '-n', 'nexusos-system', 'imagewaiver/unborn', 'clusterimagepolicy/unborn']);
});

/** All that RBAC can give. */
function meddling(): readonly object[] {
  const rbac = 'rbac.authorization.k8s.io';
  const metadata = { name: MEDDLER };
  const rules = [
    {
      apiGroups: ['nexusos.dev'],
      resources: ['imageverdicts', 'imageverdicts/status'],
      verbs: ['get', 'create', 'update', 'patch', 'delete'],
    },
    {
      apiGroups: [''],
      resources: ['configmaps', 'secrets'],
      verbs: ['get', 'create', 'update', 'patch', 'delete'],
    },
  ];
  return [
    { apiVersion: `${rbac}/v1`, kind: 'ClusterRole', metadata, rules },
    {
      apiVersion: `${rbac}/v1`,
      kind: 'ClusterRoleBinding',
      metadata,
      roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: MEDDLER },
      subjects: [{ apiGroup: rbac, kind: 'User', name: MEDDLER }],
    },
  ];
}

test('nobody but the operator writes verdicts, or the key that they are signed with', async (t) => {
  const { owner, admin, meddler } = t.context;
  const image = `${registry.host}/team/good:1`;
  const found = await verdictOn(t.context, image);
  const name = found?.metadata.name ?? '';
  const verdict = ['-n', NAMESPACE, `imageverdict/${name}`];
  t.regex(await owner.does(['get', ...verdict]), /Verified/);
  const forged = JSON.stringify({ status: { proof: 'x' } });
  const writes = [
    ['delete', ...verdict],
    ['patch', ...verdict, '--subresource=status', '--type=merge', '-p', forged],
  ];
  for (const args of [...writes, ['get', '-n', 'nexusos-system', 'secret/nexusos-verdict-signing']]) {
    const said = await owner.tries(args);
    t.false(said.ok, args.join(' '));
  }
  // Whom RBAC lets is refused nonetheless.
  for (const object of meddling()) await admin.does(['create', '-f', '-'], JSON.stringify(object));
  const keys = ['configmap/nexusos-verdict-keys', 'secret/nexusos-verdict-signing'].flatMap((key) => [
    ['delete', '-n', 'nexusos-system', key],
    ['patch', '-n', 'nexusos-system', key, '--type=merge', '-p', '{"data":{"other":"eA=="}}'],
  ]);
  for (const args of [...writes, ...keys]) {
    const said = await eventually('RBAC lets them', async () => {
      const last = await meddler.tries([...args]);
      if (/cannot (get|patch|delete) resource/.test(last.text)) throw new Error(last.text);
      return last;
    });
    t.false(said.ok, args.join(' '));
    // Where two of our policies refuse, the API server names either.
    t.regex(
      said.text,
      /ValidatingAdmissionPolicy 'nexusos-(records|verdict-keys|managed-objects)'/,
      args.join(' '),
    );
  }
  const after = await admin.sees<Verdict>(...verdict);
  t.is(after?.status?.proof, found?.status?.proof);
});

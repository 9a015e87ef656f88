// SPDX-License-Identifier: Apache-2.0
import anyTest, { type ExecutionContext, type TestFn } from 'ava';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { request } from 'undici';
import { PLATFORM_NAMESPACE } from '#hack/system/chart';
import { dispatcherToAnybody, reviewOf } from '#hack/system/direct-review';
import type { WebhookOptions, WebhookProcess } from '#hack/system/webhook-process';
import { eventually } from '#hack/tools/eventually';
import { type AdmissionWorld, startAdmission, tenant } from '../admission-world.ts';
import { CutRelay } from '../cut-relay.ts';

/** A replica that reaches the API server by a way that can be cut, beside one that always does. */
interface World extends AdmissionWorld {
  readonly relay: CutRelay;
  readonly stateFolder: string;
  readonly options: WebhookOptions;
  /** The process that it is now: what tests put into their context, the next does not see. */
  readonly now: {
    replica: WebhookProcess;
    /** The revision that it decides by at first. */
    first?: string | undefined;
  };
}

interface Pack {
  readonly status?: { readonly activeRevision?: string; readonly candidateRevision?: string };
}

const test = anyTest.serial as TestFn<World>;

const ANYBODY = dispatcherToAnybody();

const NAME = 'nexusos-webhooks-cut-off';
const SECRET = `/api/v1/namespaces/${PLATFORM_NAMESPACE}/secrets/nexusos-webhooks-tls`;
const REPLICA = `/apis/nexusos.dev/v1alpha1/namespaces/${PLATFORM_NAMESPACE}/policyreplicas/${NAME}`;

/** Refuses images of one tag. */
function pack(version: string, tag: string) {
  const rego = `package images

deny contains sprintf("found %s", [container.image]) if {
  some container in input.review.object.spec.template.spec.containers
  endswith(container.image, ":${tag}")
}
`;
  return {
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'PolicyPack',
    metadata: { name: 'tags', namespace: PLATFORM_NAMESPACE },
    spec: {
      version,
      source: { inline: { modules: { 'rules.rego': rego } } },
      rollout: { shadowSeconds: 0 },
    },
  };
}

function deployment(namespace: string, tag: string) {
  const labels = { app: 'web' };
  const containers = [{ name: 'c', image: `registry.example.com/web:${tag}` }];
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace },
    spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec: { containers } } },
  };
}

interface Answered {
  readonly allowed: boolean;
  readonly status?: { readonly message: string; readonly code: number };
  readonly auditAnnotations?: Readonly<Record<string, string>>;
}

/** What the replica itself answers, past the API server. */
async function asks({ context }: ExecutionContext<World>, namespace: string, tag: string): Promise<Answered> {
  const { body } = await request(`https://127.0.0.1:${context.now.replica.port}/validate?timeout=3s`, {
    method: 'POST',
    dispatcher: ANYBODY,
    headers: { 'content-type': 'application/json' },
    body: reviewOf({ object: deployment(namespace, tag), plural: 'deployments' }),
  });
  return ((await body.json()) as { readonly response: Answered }).response;
}

/** Serial number of the certificate that the replica serves. */
async function serialOf({ now: { replica } }: World): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port: replica.port, rejectUnauthorized: false });
  const serial = await new Promise<string>((resolve, reject) => {
    socket.once('secureConnect', () => resolve(socket.getPeerCertificate().serialNumber));
    socket.once('error', reject);
  });
  socket.destroy();
  return serial;
}

async function figure({ now: { replica } }: World, name: string): Promise<number> {
  const line = (await replica.process.metrics()).split('\n').find((one) => one.startsWith(`${name} `));
  return Number(line?.split(' ')[1]);
}

/** What the Secret with the certificate has, in base64. */
async function certificateIn({
  admin,
}: AdmissionWorld['cluster']): Promise<Readonly<Record<string, string>>> {
  const secret = await admin.get(SECRET);
  return (secret?.['data'] ?? {}) as Readonly<Record<string, string>>;
}

/** As the kubelet puts a Secret into a volume. */
async function writeCertificate(world: AdmissionWorld, folder: string): Promise<void> {
  const data = await certificateIn(world.cluster);
  await mkdir(folder, { recursive: true });
  for (const name of ['tls.crt', 'tls.key'])
    await writeFile(join(folder, name), Buffer.from(data[name] ?? '', 'base64'));
}

/** All that is kept, as one text. */
async function keptIn({ stateFolder }: World): Promise<string> {
  const names = (await readdir(stateFolder)).filter((name) => name.startsWith('last-known'));
  const texts = await Promise.all(names.map((name) => readFile(join(stateFolder, name), 'utf8')));
  return texts.join('\n');
}

async function restartsCutOff(
  t: ExecutionContext<World>,
  env: Record<string, string> = {},
  readyTimeoutMs = 120_000,
): Promise<void> {
  const { relay, now, webhooks, options } = t.context;
  relay.cut();
  await now.replica.process.kill();
  now.replica = await webhooks.start({
    ...options,
    readyTimeoutMs,
    env: { ...options.env, ...env },
  });
}

test.before(async (t) => {
  const world = await startAdmission({ replicas: 1 });
  const relay = await CutRelay.to(world.cluster.url);
  const folder = join(world.cluster.description.dataDir, 'cut-off');
  const [stateFolder, certificateFolder] = [join(folder, 'state'), join(folder, 'certificate')];
  await writeCertificate(world, certificateFolder);
  const options = {
    apiServer: relay.url,
    env: {
      NEXUSOS_IDENTITY: NAME,
      NEXUSOS_STATE_FOLDER: stateFolder,
      NEXUSOS_CERTIFICATE_FOLDER: certificateFolder,
      NEXUSOS_LAST_KNOWN_AFTER_MS: '1000',
    },
  };
  const replica = await world.webhooks.start(options);
  const close = async () => {
    await world.close();
    await relay.close();
  };
  t.context = { ...world, relay, stateFolder, options, now: { replica }, close };
  const { user } = world;
  await user.applies(tenant('known'), pack('1.0.0', 'latest'));
  await user.awaitsReady('tenant/known');
  await user.awaitsReady('-n', PLATFORM_NAMESPACE, 'policypack/tags');
  const known = await user.sees<Pack>('-n', PLATFORM_NAMESPACE, 'policypack/tags');
  t.context.now.first = known?.status?.activeRevision;
});
test.after.always(({ context }) => context.close?.());

test('what a replica knows is kept, and no key', async (t) => {
  const { cluster, stateFolder } = t.context;
  const kept = await eventually('the pack and the tenant are kept', async () => {
    const text = await keptIn(t.context);
    return /"activeRevision":"tags-/.test(text) && text.includes('"name":"known-main"') && text;
  });
  const key = (await certificateIn(cluster))['tls.key'] ?? '';
  t.true(key.length > 100);
  for (const text of [key, Buffer.from(key, 'base64').toString()]) t.false(kept.includes(text.slice(0, 200)));
  t.deepEqual(
    (await readdir(stateFolder)).filter((name) => name.startsWith('last-known')).length,
    2,
    'one file, and what is said of it',
  );
  t.true((await figure(t.context, 'nexusos_admission_kept_timestamp_seconds')) > 0);
});

test('killed, and begun again without an API server, it answers by the rule as before', async (t) => {
  const before = await asks(t, 'known-main', 'latest');
  t.false(before.allowed);
  t.is(before.auditAnnotations?.['last-known'], undefined);
  const serial = await serialOf(t.context);

  await restartsCutOff(t);
  const after = await asks(t, 'known-main', 'latest');
  t.false(after.allowed);
  t.is(after.status?.message, before.status?.message);
  t.regex(after.status?.message ?? '', /^policy_blocked: nexusos-system\/tags 1\.0\.0/);
  const allowed = await asks(t, 'known-main', '1');
  t.true(allowed.allowed, JSON.stringify(allowed));
  t.regex(allowed.auditAnnotations?.['last-known'] ?? '', /^\d{4}-.*Z$/);
  t.is(await serialOf(t.context), serial);
  t.true((await figure(t.context, 'nexusos_admission_last_known_age_seconds')) > 0);
  t.true(
    t.context.now.replica.process.log
      .tail(200)
      .includes('the API server cannot be reached: deciding by what was kept'),
  );
});

test('what has come since is refused, with a word why', async (t) => {
  const { user } = t.context;
  await user.applies(tenant('newcomer'), pack('2.0.0', 'old'));
  await user.awaitsReady('tenant/newcomer');
  const { allowed, status } = await asks(t, 'newcomer-main', '1');
  t.false(allowed);
  t.is(status?.code, 503);
  t.regex(
    status?.message ?? '',
    /^dependency_unavailable: this replica cannot reach the API server, and decides by what it knew at .*: namespace newcomer-main is not among what was kept; try again$/,
  );
});

test('once the API server can be reached, what it tells is decided by', async (t) => {
  const { relay, cluster, user } = t.context;
  relay.mend();
  // Nothing is asked before: while it is on trial, questions that both versions answer differently count against it.
  await eventually('the changed pack is active', async () => {
    const pack = await user.sees<Pack>('-n', PLATFORM_NAMESPACE, 'policypack/tags');
    const { activeRevision, candidateRevision } = pack?.status ?? {};
    if (activeRevision === t.context.now.first || candidateRevision !== undefined)
      throw new Error(JSON.stringify(pack?.status));
    return true;
  });
  await eventually('this replica decides by it', async () => {
    const [old, latest] = [await asks(t, 'known-main', 'old'), await asks(t, 'known-main', 'latest')];
    if (old.allowed || !latest.allowed) throw new Error(JSON.stringify({ old, latest }));
    return true;
  });
  const answer = await asks(t, 'newcomer-main', '1');
  t.true(answer.allowed, JSON.stringify(answer));
  t.is(answer.auditAnnotations?.['last-known'], undefined);
  t.is(await figure(t.context, 'nexusos_admission_last_known_age_seconds'), 0);
  const told = await eventually('it says how it began', async () => {
    const replica = await cluster.admin.get(REPLICA);
    const metadata = replica?.['metadata'] as
      | { readonly annotations?: Readonly<Record<string, string>> }
      | undefined;
    return metadata?.annotations?.['nexusos.dev/last-known'];
  });
  t.regex(told, /^\d{4}-.*Z$/);
  await user.awaitsReady('-n', PLATFORM_NAMESPACE, 'policypack/tags');
});

/** For what is never ready: long enough for a start from its sources on a machine that others keep busy. */
const IN_VAIN_MS = 45_000;

test('what is too old is not begun from', async (t) => {
  const error = await t.throwsAsync(() =>
    restartsCutOff(t, { NEXUSOS_LAST_KNOWN_MAX_AGE_SECONDS: '1' }, IN_VAIN_MS),
  );
  t.regex(error.message, /was not ready after 45 s/);
});

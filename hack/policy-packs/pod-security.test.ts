// SPDX-License-Identifier: Apache-2.0
import { join } from 'node:path';
import test from 'ava';
import { attachCluster } from '../cluster/attach.ts';
import type { AttachedCluster } from '../cluster/attached-cluster.ts';
import { ensureTools } from '../tools/build.ts';
import { eventually } from '../tools/eventually.ts';
import { isJsonObject, type JsonObject } from '#operator/core/policy/review';
import { openCompiler } from '#nexusctl/pack/compiler';
import { readPack } from '#nexusctl/pack/folder';
import { reviewOfObject } from '#nexusctl/pack/review-of';
import { judge, openPack, type ReadyPack } from '#nexusctl/pack/verdict';
import { PACKS_FOLDER } from './packs.ts';
import { type PodVariant, podVariants } from './testing/pod-variants.ts';

const ROOT = join(import.meta.dirname, '../..');
const LEVELS = ['baseline', 'restricted'] as const;
const PREFIX = 'pod-security-twin';
const AT_ONCE = 8;

interface World {
  readonly cluster: AttachedCluster;
  readonly pack: ReadyPack;
}

let world: World;

test.before(async () => {
  const { opa } = await ensureTools(['opa']);
  const call = { args: [], flags: { opa }, env: {}, cwd: ROOT };
  const pack = await openPack(await readPack(join(ROOT, PACKS_FOLDER, 'baseline')), await openCompiler(call));
  const cluster = await attachCluster();
  for (const level of ['privileged', ...LEVELS]) {
    const labels = { 'pod-security.kubernetes.io/enforce': level };
    const metadata = { name: `${PREFIX}-${level}`, labels };
    await cluster.admin.send('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata });
    await eventually(`pods can be made in ${metadata.name}`, async () => {
      const { status, text } = await create(
        cluster,
        level,
        podOf({ name: '', spec: PLAIN, annotations: {} }),
      );
      // Until the ServiceAccount of the namespace is there.
      if (status !== 201 && !text.includes('violates PodSecurity')) throw new Error(text);
      return true;
    });
  }
  world = { cluster, pack };
});

const PLAIN = { containers: [{ name: 'main', image: 'a:1' }] };

function podOf({ spec, annotations }: PodVariant): JsonObject {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'pod', annotations }, spec };
}

function create(cluster: AttachedCluster, level: string, pod: JsonObject) {
  return cluster.admin.send('POST', `/api/v1/namespaces/${PREFIX}-${level}/pods?dryRun=All`, pod);
}

/** What the pack says of a pod as the API server passes it on: with its defaults. */
function ours(pack: ReadyPack, pod: JsonObject, level: string) {
  const read = reviewOfObject(pod);
  if (read.kind === 'refused') throw new Error(read.message);
  return judge(pack, read.review, {
    facts: { tenant: undefined, namespace: { name: 'any', labels: {} } },
    now: new Date(0),
    trust: 'Platform',
    point: 'webhook',
    parameters: { level },
  });
}

/** Where the pack and the labels of Kubernetes differ on a variant. */
async function difference({ cluster, pack }: World, variant: PodVariant): Promise<readonly string[]> {
  const defaulted = await create(cluster, 'privileged', podOf(variant));
  if (defaulted.status !== 201) return [`${variant.name}: is no pod: ${defaulted.text}`];
  const pod: unknown = JSON.parse(defaulted.text);
  if (!isJsonObject(pod)) throw new Error(defaulted.text);
  const found = LEVELS.map(async (level) => {
    const { status, text } = await create(cluster, level, podOf(variant));
    const theirs = status === 201 ? 'Allowed' : 'Denied';
    if (theirs === 'Denied' && !text.includes('violates PodSecurity')) return `${variant.name}: ${text}`;
    const { verdict, texts } = ours(pack, pod, level);
    if (verdict === theirs) return '';
    return `${variant.name}, ${level}: ${verdict}, and ${theirs} by Kubernetes; ${[...texts, text].join('; ')}`;
  });
  return (await Promise.all(found)).filter((one) => one !== '');
}

test('the pack refuses what the labels of Kubernetes refuse, and nothing else', async (t) => {
  t.timeout(3 * 60_000);
  const variants = podVariants();
  t.true(variants.length * LEVELS.length >= 240, `${variants.length} variants`);
  t.is(new Set(variants.map(({ name }) => name)).size, variants.length);
  const wrong: string[] = [];
  for (let at = 0; at < variants.length; at += AT_ONCE) {
    const some = variants.slice(at, at + AT_ONCE).map((one) => difference(world, one));
    wrong.push(...(await Promise.all(some)).flat());
  }
  t.deepEqual(wrong, []);
});

test('both verdicts are reached by many', (t) => {
  const verdicts = podVariants().map((one) => ours(world.pack, podOf(one), 'baseline').verdict);
  for (const verdict of ['Allowed', 'Denied'])
    t.true(verdicts.filter((one) => one === verdict).length >= 40, verdict);
});

const DEBUG_CONTEXTS: readonly JsonObject[] = [
  {},
  { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
  { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'], add: ['SYS_PTRACE'] } },
  { privileged: true },
  { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] }, runAsUser: 0 },
  { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] }, runAsNonRoot: false },
  {
    allowPrivilegeEscalation: false,
    capabilities: { drop: ['ALL'] },
    seccompProfile: { type: 'Unconfined' },
  },
];

test('containers for debugging are judged as Kubernetes judges them', async (t) => {
  const { cluster, pack } = world;
  const [strict] = podVariants().filter(({ name }) => name === 'strict, nothing');
  if (strict === undefined) throw new Error('no such variant');
  const wrong: string[] = [];
  for (const level of LEVELS) {
    const path = `/api/v1/namespaces/${PREFIX}-${level}/pods`;
    const metadata = { name: 'debugged' };
    const made = await cluster.admin.send('POST', path, { ...podOf(strict), metadata });
    t.true([201, 409].includes(made.status), made.text);
    for (const securityContext of DEBUG_CONTEXTS) {
      const pod = JSON.parse((await cluster.admin.send('GET', `${path}/debugged`)).text) as JsonObject;
      const debug = { name: 'debug', image: 'a:1', securityContext };
      const changed = { ...pod, spec: { ...(pod['spec'] as JsonObject), ephemeralContainers: [debug] } };
      const { status, text } = await cluster.admin.send(
        'PATCH',
        `${path}/debugged/ephemeralcontainers?dryRun=All&fieldManager=debugger`,
        { apiVersion: 'v1', kind: 'Pod', metadata, spec: { ephemeralContainers: [debug] } },
      );
      const theirs = status === 200 ? 'Allowed' : 'Denied';
      if (theirs === 'Denied') t.regex(text, /violates PodSecurity/);
      const { verdict, texts } = ours(pack, changed, level);
      if (verdict !== theirs)
        wrong.push(`${level} ${JSON.stringify(securityContext)}: ${verdict}, ${theirs}; ${texts.join('; ')}`);
    }
  }
  t.deepEqual(wrong, []);
});

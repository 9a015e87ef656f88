// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { type Cluster, startCluster } from '#hack/cluster/cluster';
import { installChart, PLATFORM_NAMESPACE } from '#hack/system/chart';
import { eventually } from '#hack/tools/eventually';
import type { SeenWrite } from '../crash-proxy.ts';
import { EndsAtWrites } from '../ends-at-writes.ts';
import { PlayedReplica } from '../policy-player.ts';
import { tenantManifest, User } from '../user.ts';

const REGISTRATION = '/apis/admissionregistration.k8s.io/v1';
const KINDS = ['validatingadmissionpolicies', 'validatingadmissionpolicybindings'] as const;
const TRIES = '/api/v1/namespaces/floorcrash-main/configmaps?dryRun=All';
const PACK = ['-n', PLATFORM_NAMESPACE, 'policypack/unfelled'];

let cluster: Cluster;
let ends: EndsAtWrites;
let replica: PlayedReplica;
test.before(async () => {
  cluster = await startCluster();
  await installChart(cluster);
  // What is to be a floor is tried first, by an object that goes again: whoever is ended there has found nothing out yet.
  ends = await EndsAtWrites.open(cluster, 'floorcrash', /\/nexusos-floor-trial$/);
  replica = new PlayedReplica(cluster, 'floorcrash');
  await replica.start();
});
test.after.always(async () => {
  await replica?.stop();
  await ends?.close();
  await cluster?.stop();
});

/** A pack whose versions all refuse the same, each in its own words. */
function pack(version: string) {
  const rego = `package keys\n\ndeny contains {"rule": "keys", "msg": "a key of ${version}"} if startswith(input.review.object.data.token, "sk-")\n`;
  const rule = {
    rule: 'keys',
    expression: "!has(object.data) || !('token' in object.data) || !object.data.token.startsWith('sk-')",
    message: `a key of ${version}`,
  };
  return {
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'PolicyPack',
    metadata: { name: 'unfelled', namespace: PLATFORM_NAMESPACE },
    spec: {
      version,
      source: { inline: { modules: { 'keys.rego': rego }, floor: { rules: [rule] } } },
      binding: { rules: [{ apiGroups: [''], resources: ['configmaps'] }] },
      rollout: { shadowSeconds: 0, steps: [{ percent: 100, soakSeconds: 0 }] },
    },
  };
}

interface Registered {
  readonly metadata: { readonly name: string; readonly annotations?: Readonly<Record<string, string>> };
  readonly spec: { readonly policyName?: string };
}

async function registered(kind: (typeof KINDS)[number]): Promise<readonly Registered[]> {
  const { items } = (await cluster.admin.get(`${REGISTRATION}/${kind}`)) as unknown as {
    readonly items: readonly Registered[];
  };
  return items.filter(({ metadata }) => metadata.name.startsWith('nexusos-floor-'));
}

/** What is bound: one policy, of the revision that decides. */
async function isHeld(user: User): Promise<boolean> {
  const seen = await user.sees<{ readonly status?: { readonly activeRevision?: string } }>(...PACK);
  const [bindings, policies] = [await registered(KINDS[1]), await registered(KINDS[0])];
  const [binding] = bindings;
  const bound = policies.find(({ metadata }) => metadata.name === binding?.spec.policyName);
  const of = [binding, bound].map((one) => one?.metadata.annotations?.['nexusos.dev/floor-of']);
  return bindings.length === 1 && of.every((one) => one === seen?.status?.activeRevision);
}

async function refusal(): Promise<string | undefined> {
  const body = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'try', namespace: 'floorcrash-main' },
    data: { token: 'sk-1' },
  };
  const { status, text } = await cluster.admin.send('POST', TRIES, body);
  return status === 201 ? undefined : text;
}

/** Asks again and again for what every version forbids, until it is stopped; in which rounds it was let pass. */
async function gapsUntil(signal: AbortSignal): Promise<readonly number[]> {
  const passed: number[] = [];
  for (let round = 0; !signal.aborted; round += 1) {
    if ((await refusal()) === undefined) passed.push(round);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return passed;
}

function isOfFloor({ path }: SeenWrite): boolean {
  return /\/nexusos-floor-\d/.test(path);
}

/** Names that were made more than once in a row of writes, without having been taken away between. */
function madeTwice(writes: readonly SeenWrite[]): readonly string[] {
  const made = writes.filter(({ verb, status }) => verb === 'POST' && status === 201);
  const paths = made.map(({ path }) => path).filter((path) => path.endsWith('/policypackrevisions'));
  return paths.slice(1);
}

test('a floor survives SIGKILL of the operator at every write: made, handed on without a gap, and taken away', async (t) => {
  t.timeout(12 * 60_000);
  const user = new User(cluster);
  const prepared = await ends.start();
  await user.applies(tenantManifest('floorcrash'));
  await user.awaitsReady('tenant/floorcrash');
  await prepared.stop();

  await user.applies(pack('1.0.0'));
  const made = await ends.until(async () => {
    const ready = await user.condition('Ready', ...PACK);
    return ready?.status === 'True' && (await isHeld(user));
  });
  const ofFloor = made.filter(isOfFloor);
  t.true(ofFloor.length >= 2, `a policy and a binding: ${made.map(({ path }) => path).join(' ')}`);
  t.deepEqual(madeTwice(made), []);
  await eventually('it holds', async () => (await refusal())?.includes('a key of 1.0.0'));

  const watching = new AbortController();
  const gaps = gapsUntil(watching.signal);
  const { status } = (await user.sees<{ readonly status: { readonly activeRevision: string } }>(...PACK))!;
  await user.applies(pack('2.0.0'));
  const handedOn = await ends.until(async () => {
    const seen = await user.sees<{ readonly status: { readonly activeRevision?: string } }>(...PACK);
    const isOther = seen?.status.activeRevision !== status.activeRevision;
    const ready = await user.condition('Ready', ...PACK);
    return isOther && ready?.status === 'True' && (await isHeld(user));
  });
  t.true(handedOn.filter(isOfFloor).length >= 2, 'policy, and binding');
  t.deepEqual(madeTwice(handedOn), []);
  await eventually('the other holds', async () => (await refusal())?.includes('a key of 2.0.0'));
  watching.abort();
  t.deepEqual(await gaps, [], 'what both forbid was never let pass');
  const names = (await registered(KINDS[0])).map(({ metadata }) => metadata.name);
  t.true(names.length <= 2 && !names.includes('nexusos-floor-trial'), names.join(' '));

  await user.does(['delete', 'policypack', 'unfelled', '-n', PLATFORM_NAMESPACE, '--wait=false']);
  await ends.until(async () => {
    const left = await Promise.all([user.sees(...PACK), ...KINDS.map(registered)]);
    return left.every((one) => one === undefined || (Array.isArray(one) && one.length === 0));
  });
  await eventually('nothing holds', async () => (await refusal()) === undefined);
});

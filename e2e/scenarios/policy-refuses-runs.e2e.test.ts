// SPDX-License-Identifier: Apache-2.0
import { readFile } from 'node:fs/promises';
import anyTest, { type ExecutionContext, type TestFn } from 'ava';
import { PLATFORM_NAMESPACE } from '#hack/system/chart';
import { eventually } from '#hack/tools/eventually';
import { type AdmissionWorld, startAdmission } from '../admission-world.ts';
import { agent, run, type Run } from '../run-world.ts';
import { tenantManifest } from '../user.ts';

const test = anyTest.serial as TestFn<AdmissionWorld>;
const NAMESPACE = 'declining-main';
const PODS = `/api/v1/namespaces/${NAMESPACE}/pods`;

test.before(async (t) => {
  t.context = await startAdmission({ replicas: 2 });
  const { user } = t.context;
  await user.applies(tenantManifest('declining'));
  await user.awaitsReady('tenant/declining');
  await user.applies(agent(NAMESPACE));
  await user.awaitsReady('-n', NAMESPACE, 'agent/worker');
});
test.after.always(({ context }) => context.close?.());

/** A pack of the platform that refuses pods whose name begins with a word. */
function pack(version: string, refused: string) {
  const rego = `package pods

deny contains {"rule": "names", "msg": sprintf("%s is not wanted here", [input.review.name])} if startswith(input.review.name, "${refused}")
`;
  return {
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'PolicyPack',
    metadata: {
      name: 'pods',
      namespace: PLATFORM_NAMESPACE,
      annotations: { 'nexusos.dev/contact': '#policy' },
    },
    spec: {
      version,
      source: { inline: { modules: { 'pods.rego': rego } } },
      binding: { rules: [{ apiGroups: [''], resources: ['pods'] }] },
      rollout: { shadowSeconds: 0, maxNewlyAllowedPercent: 100 },
    },
  };
}

async function decides(
  { context: { user } }: ExecutionContext<AdmissionWorld>,
  manifest: object,
): Promise<void> {
  await user.does(['apply', '-f', '-'], JSON.stringify(manifest));
  await user.awaitsReady('-n', PLATFORM_NAMESPACE, 'policypack/pods');
}

async function seen({ context: { user } }: ExecutionContext<AdmissionWorld>, name: string) {
  return (await user.sees<Run>('-n', NAMESPACE, `run/${name}`))?.status ?? {};
}

/** How often the API server was asked for a pod of a Run. */
async function asked(
  { context: { cluster } }: ExecutionContext<AdmissionWorld>,
  name: string,
): Promise<number> {
  const lines = (await readFile(cluster.auditLog ?? '', 'utf8')).split('\n');
  return lines.filter(
    (line) =>
      line.includes(`"${PODS}`) && line.includes(`"name":"${name}-`) && line.includes('"verb":"create"'),
  ).length;
}

test('a Run whose pod a pack refuses says so, in its words, and goes on when the pack is changed', async (t) => {
  t.timeout(4 * 60_000);
  const { user } = t.context;
  await decides(t, pack('1.0.0', 'unwanted'));
  await user.applies(run(NAMESPACE, 'unwanted'), run(NAMESPACE, 'wanted'));
  const ready = await eventually('it says why', async () => {
    const found = await user.condition('Ready', '-n', NAMESPACE, 'run/unwanted');
    return found?.reason === 'WorkloadRefused' ? found : undefined;
  });
  t.regex(
    ready.message,
    /policy_blocked: nexusos-system\/pods 1\.0\.0, rule names: unwanted-\S+ is not wanted here/,
  );
  t.regex(ready.message, /ask #policy/);
  t.is((await seen(t, 'unwanted')).phase, 'Admitted', 'it keeps its place');
  await eventually('others run on', async () => (await seen(t, 'wanted')).phase === 'Succeeded');
  await decides(t, pack('1.1.0', 'nobody'));
  await eventually('it runs', async () => (await seen(t, 'unwanted')).phase === 'Succeeded');
  t.is((await seen(t, 'unwanted')).attempt ?? 1, 1, 'it is the same attempt');
});

test('a Run whose pod is refused for a minute fails, and nobody is asked without end', async (t) => {
  t.timeout(5 * 60_000);
  const { user } = t.context;
  await decides(t, pack('1.2.0', 'hopeless'));
  await user.applies(run(NAMESPACE, 'hopeless'));
  const startedAt = performance.now();
  const { error } = await eventually('it is given up', async () => {
    const status = await seen(t, 'hopeless');
    return status.phase === 'Failed' ? status : undefined;
  });
  const seconds = (performance.now() - startedAt) / 1000;
  t.is(error?.code, 'policy_blocked');
  t.regex(error?.message ?? '', /rule names: hopeless-\S+ is not wanted here/);
  t.is((await user.condition('Ready', '-n', NAMESPACE, 'run/hopeless'))?.reason, 'WorkloadRefused');
  const times = await asked(t, 'hopeless');
  t.log(`asked ${times} times in ${Math.round(seconds)} s`);
  t.true(times >= 2 && times <= seconds, `${times} times in ${seconds} s`);
});

test('while no replica answers, a Run whose pod has to be judged waits, and says for whom', async (t) => {
  t.timeout(4 * 60_000);
  const { user, webhooks } = t.context;
  await decides(t, pack('1.3.0', 'orphan'));
  await user.applies(run(NAMESPACE, 'orphan'));
  const says = (words: RegExp) =>
    eventually(`it says ${words}`, async () => {
      const found = await user.condition('Ready', '-n', NAMESPACE, 'run/orphan');
      return words.test(found?.message ?? '');
    });
  await says(/is not wanted here/);
  for (const { process } of webhooks.processes) await process.kill();
  await says(/failed calling webhook/);
  await webhooks.start();
  await decides(t, pack('1.4.0', 'nobody'));
  await eventually('it runs', async () => (await seen(t, 'orphan')).phase === 'Succeeded');
  t.is((await seen(t, 'orphan')).attempt ?? 1, 1);
});

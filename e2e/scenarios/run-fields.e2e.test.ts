// SPDX-License-Identifier: Apache-2.0
import anyTest, { type TestFn } from 'ava';
import { attachSystem } from '#hack/system/attach';
import { pod } from '../guardrail-objects.ts';
import { run } from '../run-world.ts';
import { tenantManifest, User } from '../user.ts';

const test = anyTest as TestFn<{ readonly admin: User }>;
const NAMESPACE = 'fields-main';

interface Recorded {
  readonly metadata: {
    readonly annotations?: Readonly<Record<string, string>>;
    readonly managedFields?: readonly { readonly manager: string; readonly operation: string }[];
  };
}

test.before(async (t) => {
  const admin = new User(await attachSystem());
  await admin.applies(tenantManifest('fields'));
  await admin.awaitsReady('tenant/fields');
  t.context = { admin };
});

interface Pods {
  readonly items: readonly Recorded[];
}

/** A Run that waits for an Agent that there will never be. */
function manifest(name: string, spec: object = {}): string {
  const made = run(NAMESPACE, name) as { readonly spec: object };
  return JSON.stringify({ ...made, spec: { ...made.spec, ...spec } });
}

async function recordOf(admin: User, name: string): Promise<readonly string[]> {
  const found = await admin.sees<Recorded>('-n', NAMESPACE, `run/${name}`);
  return (found?.metadata.managedFields ?? []).map(({ manager, operation }) => `${operation} by ${manager}`);
}

test('of a Run that is created nothing is recorded about who wrote which field, at later writes neither', async (t) => {
  const { admin } = t.context;
  await admin.does(['create', '-f', '-'], manifest('created'));
  const name = ['-n', NAMESPACE, 'run/created'];
  const found = await admin.sees<Recorded>(...name);
  t.is(found?.metadata.annotations?.['nexusos.dev/created-by'], 'kubernetes-admin');
  await admin.does(['wait', ...name, '--for=jsonpath={.status.phase}=Queued', '--timeout=60s']);
  await admin.does(['patch', ...name, '--type=merge', '-p', '{"spec":{"suspend":true}}']);
  t.deepEqual(await recordOf(admin, 'created'), []);
});

test('who applies a Run keeps its record, and is told of conflicts', async (t) => {
  const { admin } = t.context;
  const apply = (text: string, manager: string) =>
    admin.tries(['apply', '--server-side', `--field-manager=${manager}`, '-f', '-'], text);
  t.true((await apply(manifest('applied'), 'gitops')).ok);
  t.true((await recordOf(admin, 'applied')).includes('Apply by gitops'));
  const theirs = await apply(manifest('applied', { suspend: true }), 'somebody');
  t.true(theirs.ok, theirs.text);
  const conflict = await apply(manifest('applied', { suspend: false }), 'gitops');
  t.false(conflict.ok);
  t.regex(conflict.text, /conflict with "somebody"/);
});

test('who applies a Run that was created finds its fields to be of whoever came before', async (t) => {
  const { admin } = t.context;
  await admin.does(['create', '-f', '-'], manifest('taken', { ttlSecondsAfterFinished: 60 }));
  const change = manifest('taken', { ttlSecondsAfterFinished: 30 });
  const apply = ['apply', '--server-side', '--field-manager=gitops', '-f', '-'];
  const refused = await admin.tries(apply, change);
  t.false(refused.ok);
  t.regex(refused.text, /conflict with "before-first-apply"/);
  await admin.does([...apply, '--force-conflicts'], change);
  const record = await recordOf(admin, 'taken');
  t.true(record.includes('Apply by gitops'), record.join());
});

test('who applies by kubectl alone keeps the record as well', async (t) => {
  const { admin } = t.context;
  await admin.does(['apply', '-f', '-'], manifest('by-kubectl'));
  const record = await recordOf(admin, 'by-kubectl');
  t.true(record.includes('Update by kubectl-client-side-apply'), record.join());
});

test('of the pod of a Run nothing is recorded either, whatever its node says of it', async (t) => {
  const { admin } = t.context;
  await admin.applies(agent());
  await admin.awaitsReady('-n', NAMESPACE, 'agent/short');
  const made = run(NAMESPACE, 'podded', { annotations: { 'kwok.nexusos.dev/duration': '10ms' } });
  await admin.does(['create', '-f', '-'], JSON.stringify({ ...made, spec: { agentRef: { name: 'short' } } }));
  const phase = '--for=jsonpath={.status.phase}=Succeeded';
  await admin.does(['wait', '-n', NAMESPACE, 'run/podded', phase, '--timeout=60s']);
  const said = await admin.does([
    'get',
    'pods',
    '-n',
    NAMESPACE,
    '-l',
    'nexusos.dev/run=podded',
    '-o',
    'json',
  ]);
  const { items } = JSON.parse(said) as Pods;
  t.is(items.length, 1);
  t.deepEqual(
    items.flatMap(({ metadata }) => metadata.managedFields ?? []),
    [],
  );
});

test('pods that others make keep their record', async (t) => {
  const { admin } = t.context;
  await admin.does(['create', '-f', '-'], JSON.stringify(pod({}, { name: 'plain', namespace: NAMESPACE })));
  const found = await admin.sees<Recorded>('-n', NAMESPACE, 'pod/plain');
  t.true((found?.metadata.managedFields ?? []).some(({ manager }) => manager === 'kubectl-create'));
});

function agent(): object {
  return {
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'Agent',
    metadata: { name: 'short', namespace: NAMESPACE },
    spec: { container: { image: 'registry.example.com/agent:1' } },
  };
}

// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import anyTest, { type TestFn } from 'ava';
import { parse } from 'yaml';
import { PLATFORM_NAMESPACE } from '#hack/system/chart';
import { eventually } from '#hack/tools/eventually';
import { type AdmissionWorld, startAdmission, tenant } from '../admission-world.ts';

const test = anyTest.serial as TestFn<AdmissionWorld>;

const POLICIES = '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies';
const BINDINGS = '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings';

/** No glass of the house is open to who breaks it: the process is asked about nothing that these do, and the floor still holds. */
const BREAK_GLASS = ['--as=anna', '--as-group=system:masters', '--as-group=nexusos:break-glass'];

test.before(async (t) => {
  t.context = await startAdmission({ replicas: 2 });
  await t.context.user.applies(tenant('floored'));
  await t.context.user.awaitsReady('tenant/floored');
});
test.after.always(({ context }) => context.close?.());

const REGO = `package secrets

deny contains {"rule": "no-plain-keys", "msg": sprintf("data.%v looks like a key", [name])} if {
  some name, value in input.review.object.data
  startswith(value, input.parameters.prefix)
}

deny contains {"rule": "owner", "msg": "metadata.labels.owner is missing"} if not input.review.object.metadata.labels.owner
`;

/** The twin of the first rule alone: the second is for the process to hold. */
const FLOOR = {
  variables: [{ name: 'data', expression: "has(object.data) ? object.data : {'': ''}" }],
  rules: [
    {
      rule: 'no-plain-keys',
      expression: 'variables.data.all(name, !variables.data[name].startsWith(variables.parameters.prefix))',
      message: 'data holds a key',
      messageExpression:
        "'data.' + variables.data.filter(name, variables.data[name].startsWith(variables.parameters.prefix)).map(name, name).join(', ') + ' looks like a key'",
    },
  ],
};

function pack(name: string, spec: object = {}, floor: object | undefined = FLOOR) {
  return {
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'PolicyPack',
    metadata: { name, namespace: PLATFORM_NAMESPACE, annotations: { 'nexusos.dev/contact': '#keys' } },
    spec: {
      version: '1.0.0',
      source: { inline: { modules: { 'secrets.rego': REGO }, ...(floor && { floor }) } },
      binding: { rules: [{ apiGroups: [''], resources: ['configmaps'] }] },
      parameters: { prefix: 'sk-' },
      rollout: { shadowSeconds: 0 },
      ...spec,
    },
  };
}

function configMap(name: string, value: string, namespace = 'floored-main') {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace, labels: { owner: 'anna' } },
    data: { token: value },
  });
}

const HERE = ['-n', PLATFORM_NAMESPACE];

interface Registered {
  readonly metadata: {
    readonly name: string;
    readonly resourceVersion: string;
    readonly annotations?: Record<string, string>;
  };
  readonly spec: { readonly policyName?: string; readonly validationActions?: readonly string[] };
}

async function registered({ cluster }: AdmissionWorld, path: string): Promise<readonly Registered[]> {
  const { items } = (await cluster.admin.get(path)) as unknown as { readonly items: readonly Registered[] };
  return items.filter(({ metadata }) => metadata.name.startsWith('nexusos-floor-'));
}

async function both(world: AdmissionWorld): Promise<readonly Registered[]> {
  const [policies, bindings] = [await registered(world, POLICIES), await registered(world, BINDINGS)];
  return policies.concat(bindings);
}

/** What a person who is asked about nothing meets, once the API server has seen what there is. */
async function meets({ user }: AdmissionWorld, value: string, wanted: RegExp): Promise<string> {
  return eventually(`a ConfigMap of ${value} meets ${wanted}`, async () => {
    const said = await user.tries(
      ['create', '--dry-run=server', '-f', '-', ...BREAK_GLASS],
      configMap('try', value),
    );
    if (!wanted.test(said.text)) throw new Error(said.text);
    return said.text;
  });
}

test('a floor holds what its pack says, in the words of the pack, where the process is not asked', async (t) => {
  const { user } = t.context;
  await user.applies(pack('keys'));
  await user.awaitsReady(...HERE, 'policypack/keys');
  const condition = await user.condition('FloorBound', ...HERE, 'policypack/keys');
  t.like(condition, { status: 'True', reason: 'FloorHeld' });
  const said = await meets(t.context, 'sk-123', /denied request/);
  t.regex(
    said,
    /policy_blocked: nexusos-system\/keys 1\.0\.0, rule no-plain-keys: data\.token looks like a key; ask #keys/,
  );
  await meets(t.context, 'harmless', /created/);
});

test('who is refused by the floor is told so once', async (t) => {
  const { user } = t.context;
  const said = await user.tries(['create', '-f', '-'], configMap('once', 'sk-123'));
  t.false(said.ok);
  t.is(said.text.match(/looks like a key/g)?.length, 1, said.text);
  t.is(said.text.match(/policy_blocked/g)?.length, 1, said.text);
});

test('namespaces of nobody, of the platform and of the cluster are none of its business', async (t) => {
  const { user } = t.context;
  for (const namespace of ['default', 'kube-system', PLATFORM_NAMESPACE]) {
    const said = await user.tries(
      ['create', '--dry-run=server', '-f', '-'],
      configMap('free', 'sk-1', namespace),
    );
    t.true(said.ok, `${namespace}: ${said.text}`);
  }
});

test('what is changed by hand is put right', async (t) => {
  const { cluster } = t.context;
  const [binding] = await registered(t.context, BINDINGS);
  await cluster.admin.send('DELETE', `${BINDINGS}/${binding!.metadata.name}`);
  await eventually('it is bound again', async () => (await registered(t.context, BINDINGS)).length === 1);
  const name = binding!.spec.policyName!;
  const drift = {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingAdmissionPolicy',
    metadata: { name },
    spec: { failurePolicy: 'Ignore' },
  };
  const { status, text } = await cluster.admin.send(
    'PATCH',
    `${POLICIES}/${name}?fieldManager=somebody&force=true`,
    drift,
  );
  t.is(status, 200, text);
  await eventually('it fails closed again', async () => {
    const policy = (await cluster.admin.get(`${POLICIES}/${name}`)) as unknown as {
      spec: { failurePolicy: string };
    };
    return policy.spec.failurePolicy === 'Fail';
  });
  await meets(t.context, 'sk-123', /denied request/);
});

test('another version is bound by one write, and never is there none', async (t) => {
  const { user } = t.context;
  const [before] = await registered(t.context, BINDINGS);
  let unbound = 0;
  const watching = new AbortController();
  const watched = (async () => {
    while (!watching.signal.aborted) {
      const [bindings, policies] = [
        await registered(t.context, BINDINGS),
        await registered(t.context, POLICIES),
      ];
      const isBound = bindings.some(({ spec }) =>
        policies.some(({ metadata }) => metadata.name === spec.policyName),
      );
      const wasRefused = await user.tries(
        ['create', '--dry-run=server', '-f', '-', ...BREAK_GLASS],
        configMap('gap', 'sk-pk-1'),
      );
      if (!isBound || wasRefused.ok) unbound += 1;
    }
  })();
  await user.applies(pack('keys', { version: '2.0.0', parameters: { prefix: 'sk-p' } }));
  await meets(t.context, 'sk-123', /created/);
  await user.awaitsReady(...HERE, 'policypack/keys');
  watching.abort();
  await watched;
  t.is(unbound, 0);
  const [after] = await registered(t.context, BINDINGS);
  t.not(after!.spec.policyName, before!.spec.policyName);
  await meets(t.context, 'sk-pk-1', /keys 2\.0\.0, rule no-plain-keys/);
});

test('one that the API server will not have refuses its pack, and not what decides', async (t) => {
  const { user } = t.context;
  const cases = {
    'object.data.exists(': /FloorRefused.*floor\.yaml:.*compilation failed/s,
    'object.dataa.size() == 0': /FloorRefused.*rule no-plain-keys: .*undefined field 'dataa'.*dyn\(object\)/s,
  };
  for (const [expression, wanted] of Object.entries(cases)) {
    const floor = { rules: [{ rule: 'no-plain-keys', expression, message: 'x' }] };
    await user.applies(pack('keys', { version: '3.0.0' }, floor));
    await eventually(`${expression} is refused`, async () => {
      const found = await user.condition('Verified', ...HERE, 'policypack/keys');
      const text = `${found?.reason} ${found?.message}`;
      if (!wanted.test(text)) throw new Error(text);
      return true;
    });
  }
  await meets(t.context, 'sk-pk-1', /keys 2\.0\.0, rule no-plain-keys/);
  await user.applies(pack('keys', { version: '2.0.0', parameters: { prefix: 'sk-p' } }));
  await user.awaitsReady(...HERE, 'policypack/keys');
  t.false((await registered(t.context, POLICIES)).some(({ metadata }) => metadata.name.endsWith('-trial')));
});

test('a pack of a tenant has none', async (t) => {
  const { user } = t.context;
  const { metadata, ...rest } = pack('own');
  await user.applies({ ...rest, metadata: { ...metadata, namespace: 'floored-main' } });
  const verified = await eventually('it is refused', async () => {
    const found = await user.condition('Verified', '-n', 'floored-main', 'policypack/own');
    return found?.reason === 'FloorNotAllowed' ? found : undefined;
  });
  t.like(verified, { status: 'False', reason: 'FloorNotAllowed' });
});

test('who is exempt is let go by the floor as well, and only he', async (t) => {
  const { user } = t.context;
  const exemption = {
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'PolicyExemption',
    metadata: { name: 'migration', namespace: PLATFORM_NAMESPACE },
    spec: {
      packRef: { namespace: PLATFORM_NAMESPACE, name: 'keys' },
      rules: ['no-plain-keys'],
      subjects: { tenants: ['floored'], names: ['try*'] },
      reason: 'it is migrated',
      ticket: 'SEC-1',
      expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
    },
  };
  const asking = ['--as=asker', '--as-group=system:masters'];
  await user.does(['create', '-f', '-', ...asking], JSON.stringify(exemption));
  await meets(t.context, 'sk-pk-1', /denied request/);
  const approval = { spec: { approval: { decision: 'Approved', by: 'approver' } } };
  await user.does([
    'patch',
    'policyexemption',
    'migration',
    ...HERE,
    '--type=merge',
    '-p',
    JSON.stringify(approval),
    '--as=approver',
    '--as-group=system:masters',
  ]);
  await meets(t.context, 'sk-pk-1', /created/);
  const other = await user.tries(
    ['create', '--dry-run=server', '-f', '-', ...BREAK_GLASS],
    configMap('other', 'sk-pk-1'),
  );
  t.regex(other.text, /rule no-plain-keys/);
  await user.does(['delete', 'policyexemption', 'migration', ...HERE]);
  await meets(t.context, 'sk-pk-1', /denied request/);
});

test('in steady state nothing is written', async (t) => {
  const seen = async () =>
    (await both(t.context)).map(({ metadata }) => `${metadata.name} ${metadata.resourceVersion}`);
  const before = await seen();
  const { user } = t.context;
  await user.applies(tenant('floored-too'));
  await user.awaitsReady('tenant/floored-too');
  t.deepEqual(await seen(), before);
});

test('enforcement is that of the pack', async (t) => {
  const { user, cluster } = t.context;
  for (const [enforcement, action] of Object.entries({ Warn: 'Warn', DryRun: 'Audit' })) {
    const name = enforcement.toLowerCase();
    await user.applies(pack(name, { parameters: { prefix: 'pk-' }, enforcement }));
    await user.awaitsReady(...HERE, `policypack/${name}`);
    const [found] = (await registered(t.context, BINDINGS)).filter(({ metadata }) =>
      metadata.annotations?.['nexusos.dev/floor-of']?.startsWith(`${name}-`),
    );
    t.deepEqual(found?.spec.validationActions, [action]);
  }
  const asked = JSON.parse(configMap('told', 'pk-1')) as Readonly<Record<string, unknown>>;
  const told = await eventually('who makes it is warned', async () => {
    const path = '/api/v1/namespaces/floored-main/configmaps?dryRun=All';
    const { status, warnings } = await cluster.admin.send('POST', path, asked);
    const found = warnings.filter((one) => one.includes("ValidatingAdmissionPolicy 'nexusos-floor-"));
    if (status !== 201 || found.length === 0) throw new Error(`${status} ${warnings.join('; ')}`);
    return found;
  });
  t.is(told.length, 1, 'of a dry run nobody is told');
  t.regex(told[0] ?? '', /nexusos-system\/warn 1\.0\.0, rule no-plain-keys: data\.token looks like a key/);
  for (const name of ['warn', 'dryrun']) await user.does(['delete', 'policypack', name, ...HERE]);
});

const BASELINE = join(import.meta.dirname, '../../charts/nexusos-policy-packs/packs/baseline.yaml');

test('the API server takes the floor of the pack that is shipped', async (t) => {
  const { user } = t.context;
  const shipped = parse(readFileSync(BASELINE, 'utf8')) as ReturnType<typeof pack>;
  const { metadata, spec } = shipped;
  await user.applies({
    ...shipped,
    metadata: { ...metadata, namespace: PLATFORM_NAMESPACE },
    spec: { ...spec, rollout: { shadowSeconds: 0 } },
  });
  await user.awaitsReady(...HERE, 'policypack/baseline');
  const found = await user.condition('FloorBound', ...HERE, 'policypack/baseline');
  t.regex(found?.message ?? '', /privileged, capabilities, host-path/);
  await user.does(['delete', 'policypack', 'baseline', ...HERE]);
});

test('it holds when every replica is dead', async (t) => {
  const { webhooks, user } = t.context;
  for (const { process } of webhooks.processes) if (!process.hasEnded) await process.kill();
  await meets(t.context, 'sk-pk-1', /policy_blocked: nexusos-system\/keys 2\.0\.0, rule no-plain-keys/);
  await meets(t.context, 'harmless', /created/);
  const asked = await user.tries(['create', '-f', '-'], configMap('dead', 'sk-pk-1'));
  t.regex(asked.text, /rule no-plain-keys/, 'its words come before those of a process that is not there');
});

test('a pack that goes takes its floor with it', async (t) => {
  const { user } = t.context;
  await user.does(['delete', 'policypack', 'keys', ...HERE, '--timeout=60s']);
  await eventually('there is none', async () => {
    const left = await both(t.context);
    return left.length === 0;
  });
  t.regex(await meets(t.context, 'sk-pk-1', /created/), /created/);
});

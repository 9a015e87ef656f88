// SPDX-License-Identifier: Apache-2.0
import anyTest, { type TestFn } from 'ava';
import { eventually } from '#hack/tools/eventually';
import { type AdmissionWorld, startAdmission, tenant } from '../admission-world.ts';

const test = anyTest as TestFn<AdmissionWorld>;

test.before(async (t) => {
  t.context = await startAdmission();
  const { user } = t.context;
  const quotas = { compute: { 'requests.cpu': '4' }, gpus: [{ class: 'judged-h100', count: 2 }] };
  await user.applies(gpuClass('judged-h100'), gpuClass('judged-spare'));
  await user.applies(
    tenant('judged', {
      quotas,
      entitlements: { registries: ['registry.example.com'], tools: ['search'] },
      residency: { primaryRegion: 'eu', maxDataClassification: 'internal' },
      branding: { supportContact: 'help@judged.example' },
    }),
  );
  await user.awaitsReady('tenant/judged');
  await user.does(['create', 'namespace', 'judge-taken']);
});
test.after.always(({ context }) => context.close?.());

function gpuClass(name: string) {
  return {
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'GPUClass',
    metadata: { name },
    spec: { resourceName: 'nvidia.com/gpu', nodeSelector: { 'nvidia.com/gpu.product': name } },
  };
}

function agent(name: string, spec: object) {
  const container = { image: 'registry.example.com/agent:1', resources: { requests: { cpu: '100m' } } };
  return {
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'Agent',
    metadata: { name, namespace: 'judged-main' },
    spec: { container, ...spec },
  };
}

function run(name: string, spec: object) {
  return {
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'Run',
    metadata: { name, namespace: 'judged-main' },
    spec,
  };
}

interface Refused {
  readonly object: object;
  readonly want: RegExp;
}

const DENIED = 'admission webhook "kinds.nexusos.dev" denied the request: ';
const denied = (text: string) => new RegExp(`${DENIED}${text}`.replaceAll(/[.()]/g, '\\$&'));

const REFUSED: Readonly<Record<string, Refused>> = {
  'a Tenant that wants a namespace of another': {
    object: tenant('judged-main', {
      namespaces: [{ suffix: 'x' }],
      adoptNamespaces: [{ name: 'judged-main' }],
    }),
    want: denied(
      'conflict: spec.adoptNamespaces: namespace judged-main is wanted by tenant judged as well; choose another suffix, or another name of the tenant',
    ),
  },
  'a Tenant whose namespace exists and is of nobody': {
    object: tenant('judge', { namespaces: [{ suffix: 'taken' }] }),
    want: denied(
      'conflict: spec.namespaces: namespace judge-taken exists and belongs to no tenant; choose another suffix, or have it adopted',
    ),
  },
  'an Agent that wants tools which its tenant has not': {
    object: agent('armed', { entitlements: { tools: ['search', 'shell'] } }),
    want: denied(
      'policy_blocked: spec.entitlements.tools: found shell, which the tenant is not entitled to; allowed are search. Ask help@judged.example.',
    ),
  },
  'an Agent that works on data which its tenant may not have': {
    object: agent('curious', { dataClassification: 'restricted' }),
    want: denied(
      'policy_blocked: spec.dataClassification: found restricted; the highest that the tenant may work on is internal (residency.maxDataClassification). Ask help@judged.example.',
    ),
  },
  'an Agent with an image from elsewhere': {
    object: agent('elsewhere', { container: { image: 'docker.io/evil:1' } }),
    want: denied(
      'policy_blocked: spec.container.image: docker.io/evil is not allowed; allowed are registry.example.com. Ask help@judged.example.',
    ),
  },
  'an Agent with a GPU class that its tenant has no quota of': {
    object: agent('classless', { gpu: { class: 'judged-spare', count: 1 } }),
    want: denied(
      "quota_exceeded: spec.gpu.class: judged-spare is not in the tenant's quota; allowed are judged-h100 (2). Ask help@judged.example.",
    ),
  },
  'an Agent of which no Run would ever fit': {
    object: agent('huge', {
      container: { image: 'registry.example.com/agent:1', resources: { requests: { cpu: '5' } } },
    }),
    want: /quota_exceeded: spec\.container\.resources: one Run takes 5 of requests\.cpu; at most 4 are allowed for the whole tenant\. Ask help@judged\.example\./,
  },
};

for (const [title, { object, want }] of Object.entries(REFUSED)) {
  test(`refused: ${title}`, async (t) => {
    const said = await t.context.user.tries(['apply', '-f', '-'], JSON.stringify(object));
    t.false(said.ok);
    t.regex(said.text, want);
  });
}

test('what may still come is a warning, and passes', async (t) => {
  const { cluster } = t.context;
  const { code, stderr, stdout } = await cluster.kubectl(['create', '-f', '-'], {
    stdin: JSON.stringify(run('early', { agentRef: { name: 'not-yet' } })),
  });
  t.is(code, 0, stderr);
  t.regex(stdout, /run\.nexusos\.dev\/early created/);
  t.regex(
    stderr,
    /Warning: spec\.agentRef\.name: namespace judged-main has no Agent not-yet; the Run waits until there is one/,
  );
});

test('a Run whose parameters do not fit is refused, with the words that it would have failed with', async (t) => {
  const { user } = t.context;
  await user.applies(
    agent('picky', { parameters: [{ name: 'size', enum: ['small', 'large'], required: true }] }),
  );
  const refusal = await eventually('the Agent is known', async () => {
    const object = run('misfit', { agentRef: { name: 'picky' }, parameters: { size: 'huge' } });
    const said = await user.tries(['create', '--dry-run=server', '-f', '-'], JSON.stringify(object));
    return said.ok ? undefined : said.text;
  });
  t.regex(refusal, /invalid_request: spec\.parameters\.size: found "huge"; allowed are small, large/);
});

test('a GPU class goes only when no Agent names it any more', async (t) => {
  const { user } = t.context;
  await user.applies(agent('user-of-class', { gpu: { class: 'judged-h100', count: 1 } }));
  const refusal = await eventually('the Agent is known', async () => {
    const said = await user.tries(['delete', 'gpuclass', 'judged-h100', '--dry-run=server']);
    return said.ok ? undefined : said.text;
  });
  t.regex(
    refusal,
    /conflict: GPU class judged-h100 is in use by Agent judged-main\/user-of-class; change or delete these first/,
  );
  t.regex(await user.does(['delete', 'gpuclass', 'judged-spare']), /deleted/);
});

test('quota below what is in use is a warning', async (t) => {
  const { user, cluster } = t.context;
  await user.applies(tenant('shrinks', { quotas: { objects: { configmaps: 50 } } }));
  await user.awaitsReady('tenant/shrinks');
  const patch = JSON.stringify({ spec: { quotas: { objects: { configmaps: 1 } } } });
  await eventually('what is in use is told', async () => {
    const args = ['patch', 'tenant', 'shrinks', '--type=merge', '--dry-run=server', '-p', patch];
    const { stderr } = await cluster.kubectl(args);
    return /spec\.quotas: configmaps is 1, and \d+ is in use; nothing new starts until that is less/.test(
      stderr,
    );
  });
  t.pass();
});

test('who breaks the glass is not asked about', async (t) => {
  const { cluster } = t.context;
  const args = ['--as=anna', '--as-group=system:masters', '--as-group=nexusos:break-glass'];
  const { code, stderr } = await cluster.kubectl(['apply', ...args, '--dry-run=server', '-f', '-'], {
    stdin: JSON.stringify(REFUSED['an Agent with an image from elsewhere']!.object),
  });
  t.is(code, 0, stderr);
});

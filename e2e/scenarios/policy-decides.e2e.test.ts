// SPDX-License-Identifier: Apache-2.0
import anyTest, { type ExecutionContext, type TestFn } from 'ava';
import { PLATFORM_NAMESPACE } from '#hack/system/chart';
import type { LogEntry } from '#hack/system/operator-log';
import { eventually } from '#hack/tools/eventually';
import { type AdmissionWorld, startAdmission, tenant } from '../admission-world.ts';

const test = anyTest.serial as TestFn<AdmissionWorld>;

/** What the processes have logged of decisions. */
const DECISIONS: LogEntry[] = [];

test.before(async (t) => {
  t.context = await startAdmission({
    values: { mutation: { enabled: true }, policy: { decisionLogAllowedPercent: 100 } },
  });
  for (const { process } of t.context.webhooks.processes)
    process.log.onEntry((entry) => {
      if (entry['type'] === 'openpolicyagent.org/decision_logs') DECISIONS.push(entry);
    });
  const { user } = t.context;
  await user.applies(tenant('policed'), tenant('unpoliced'));
  await user.awaitsReady('tenant/policed');
  await user.awaitsReady('tenant/unpoliced');
});
test.after.always(({ context }) => context.close?.());

const NO_LATEST = `package images

deny contains finding if {
  some i, container in input.review.object.spec.template.spec.containers
  endswith(container.image, ":latest")
  finding := {
    "msg": sprintf("found %s; name a version", [container.image]),
    "field": sprintf("spec.template.spec.containers[%d].image", [i]),
  }
}

deny contains sprintf("found %s in a template", [container.image]) if {
  some container in input.review.object.template.spec.containers
  endswith(container.image, ":latest")
}
`;
const OWN = `package names

deny contains sprintf("%s: names begin with web", [input.review.name]) if not startswith(input.review.name, "web")
`;
const FEW = `package replicas

deny contains sprintf("found %d; at most 3", [input.review.object.spec.replicas]) if {
  input.review.subResource == "scale"
  input.review.object.spec.replicas > 3
}
`;
const TEAM = `package team

mutate contains {"path": "/metadata/annotations/team", "value": "core"}
`;
const LOOP = `package loop

deny contains "never" if {
  input.review.object.metadata.labels.loop
  list := numbers.range(1, 500)
  count([1 | some a in list; some b in list; some c in list; a + b + c == 0]) > 0
}
`;

function pack(
  name: string,
  rego: string,
  more: { readonly namespace?: string; readonly spec?: object } = {},
) {
  const { namespace = PLATFORM_NAMESPACE, spec } = more;
  return {
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'PolicyPack',
    metadata: { name, namespace, annotations: { 'nexusos.dev/contact': '#policy' } },
    spec: {
      version: '1.0.0',
      source: { inline: { modules: { 'rules.rego': rego } } },
      rollout: { shadowSeconds: 0 },
      ...spec,
    },
  };
}

function deployment(
  name: string,
  namespace: string,
  more: { readonly image?: string; readonly labels?: object } = {},
) {
  const { image = 'registry.example.com/web:1', labels = {} } = more;
  const selector = { app: name };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace, labels },
    spec: {
      selector: { matchLabels: selector },
      template: {
        metadata: { labels: selector },
        spec: { containers: [{ name: 'c', image, imagePullPolicy: 'Always' }] },
      },
    },
  };
}

type Case = ExecutionContext<AdmissionWorld>;

async function creates(t: Case, object: object) {
  const args = ['create', '--dry-run=server', '-o', 'json', '-f', '-'];
  const { code, stdout, stderr } = await t.context.cluster.kubectl(args, { stdin: JSON.stringify(object) });
  return { ok: code === 0, stdout, stderr };
}

async function enforces(t: Case, manifest: ReturnType<typeof pack>): Promise<void> {
  await t.context.user.applies(manifest);
  const { name, namespace } = manifest.metadata;
  await t.context.user.awaitsReady('-n', namespace, `policypack/${name}`);
}

test('what a pack refuses is refused, in its words, and nothing else is', async (t) => {
  await enforces(t, pack('images', NO_LATEST));
  const { ok, stderr } = await creates(t, deployment('web', 'policed-main', { image: 'web:latest' }));
  t.false(ok);
  t.true(
    stderr.includes(
      'policy_blocked: nexusos-system/images 1.0.0, rule images: found web:latest; name a version (at spec.template.spec.containers[0].image); ask #policy',
    ),
    stderr,
  );
  t.true((await creates(t, deployment('web', 'policed-main'))).ok);
});

function template(image: string) {
  return {
    apiVersion: 'v1',
    kind: 'PodTemplate',
    metadata: { name: 'kept', namespace: 'policed-main' },
    template: { spec: { containers: [{ name: 'c', image, imagePullPolicy: 'Always' }] } },
  };
}

test('what a pack is bound to without saying so is asked about: templates of pods as well', async (t) => {
  const { ok, stderr } = await creates(t, template('web:latest'));
  t.false(ok);
  t.true(stderr.includes('rule images: found web:latest in a template'), stderr);
  const fine = await creates(t, template('registry.example.com/web:1'));
  t.true(fine.ok, fine.stderr);
});

test('who scales is judged as well', async (t) => {
  const { user } = t.context;
  const spec = {
    binding: {
      rules: [{ apiGroups: ['apps'], resources: ['deployments/scale'] }],
      tenants: { names: ['policed'] },
    },
  };
  await enforces(t, pack('replicas', FEW, { spec }));
  await user.applies(deployment('scaled', 'policed-main'), deployment('scaled', 'unpoliced-main'));
  const scale = (namespace: string, replicas: number) =>
    user.tries(['-n', namespace, 'scale', 'deployment/scaled', `--replicas=${replicas}`]);
  const refused = await scale('policed-main', 9);
  t.false(refused.ok);
  t.regex(
    refused.text,
    /policy_blocked: nexusos-system\/replicas 1\.0\.0, rule replicas: found 9; at most 3/,
  );
  t.true((await scale('policed-main', 2)).ok);
  t.true((await scale('unpoliced-main', 9)).ok);
  // What is left would be in the reports of others.
  for (const namespace of ['policed-main', 'unpoliced-main'])
    await user.does([
      '-n',
      namespace,
      'delete',
      'deployment',
      'scaled',
      '--wait=true',
      '--cascade=foreground',
    ]);
});

test('a new version that only warns replaces it, on every replica', async (t) => {
  await enforces(t, pack('images', NO_LATEST, { spec: { version: '1.1.0', enforcement: 'Warn' } }));
  for (let i = 0; i < 10; i += 1) {
    const { ok, stderr } = await creates(t, deployment('web', 'policed-main', { image: 'web:latest' }));
    t.true(ok, stderr);
    t.regex(stderr, /Warning: nexusos-system\/images 1\.1\.0, rule images: found web:latest/);
  }
  await enforces(t, pack('images', NO_LATEST, { spec: { version: '1.2.0' } }));
  t.false((await creates(t, deployment('web', 'policed-main', { image: 'web:latest' }))).ok);
});

interface Listed {
  readonly items: readonly {
    readonly metadata: { readonly name: string };
    readonly spec: { readonly packRef: { readonly name: string } };
  }[];
}

/** What kubectl says of going back to `target`, which nobody does. */
async function goesBack(t: Case, target: string): Promise<string> {
  const patch = JSON.stringify({ spec: { rollbackTo: target } });
  const where = ['-n', PLATFORM_NAMESPACE, 'policypack/images', '--dry-run=server'];
  const { code, stderr } = await t.context.cluster.kubectl(['patch', ...where, '--type=merge', '-p', patch]);
  t.is(code, 0, stderr);
  return stderr;
}

test('who goes back is told of revisions of that pack alone, also beside others of its namespace', async (t) => {
  const path = `/apis/nexusos.dev/v1alpha1/namespaces/${PLATFORM_NAMESPACE}/policypackrevisions`;
  const { items } = (await t.context.cluster.admin.get(path)) as unknown as Listed;
  const of = (pack: string) =>
    items.filter(({ spec }) => spec.packRef.name === pack).map(({ metadata }) => metadata.name);
  const [own, [other = '']] = [of('images'), of('replicas')];
  t.true(own.length > 1 && other !== '', JSON.stringify(items.map(({ metadata }) => metadata.name)));
  const [, there = ''] =
    /is no PolicyPackRevision of nexusos-system\/images, .*newest first: (.*)/.exec(
      await goesBack(t, other),
    ) ?? [];
  t.deepEqual(there.split(', ').toSorted(), own.toSorted());
  for (const one of own) t.is(await goesBack(t, one), '', one);
});

test('an exemption counts once somebody else has approved it, and for whom it names', async (t) => {
  const { cluster, user } = t.context;
  const metadata = { name: 'old-web', namespace: PLATFORM_NAMESPACE };
  const spec = {
    packRef: { namespace: PLATFORM_NAMESPACE, name: 'images' },
    subjects: { namespaces: ['policed-main'], names: ['web'] },
    reason: 'built before there were versions',
    ticket: 'OPS-7',
    expiresAt: new Date(Date.now() + 86_400_000).toISOString(),
  };
  await user.applies({ apiVersion: 'nexusos.dev/v1alpha1', kind: 'PolicyExemption', metadata, spec });
  const latest = deployment('web', 'policed-main', { image: 'web:latest' });
  t.false((await creates(t, latest)).ok);
  const approval = JSON.stringify({ spec: { approval: { decision: 'Approved', by: 'anna' } } });
  const args = [
    '-n',
    PLATFORM_NAMESPACE,
    'patch',
    'policyexemption',
    'old-web',
    '--type=merge',
    '-p',
    approval,
  ];
  const { code, stderr } = await cluster.kubectl([...args, '--as=anna', '--as-group=system:masters']);
  t.is(code, 0, stderr);
  const said = await eventually('it counts', async () => {
    const { ok, stderr: text } = await creates(t, latest);
    return ok ? text : undefined;
  });
  t.regex(said, /Warning: exempt until .* by old-web \(OPS-7\): nexusos-system\/images 1\.2\.0/);
  t.false((await creates(t, deployment('web', 'unpoliced-main', { image: 'web:latest' }))).ok);
  t.false((await creates(t, deployment('web2', 'policed-main', { image: 'web:latest' }))).ok);
});

test("a tenant's pack restricts the tenant, and nobody else", async (t) => {
  await enforces(t, pack('names', OWN, { namespace: 'policed-main' }));
  const { ok, stderr } = await creates(t, deployment('db', 'policed-main'));
  t.false(ok);
  t.regex(stderr, /policy_blocked: policed-main\/names 1\.0\.0, rule names: db: names begin with web/);
  t.true((await creates(t, deployment('db', 'unpoliced-main'))).ok);
  t.true((await creates(t, deployment('web', 'policed-main'))).ok);
  // What NexusOS makes in the namespace is not for the tenant to refuse.
  await t.context.user.applies(tenant('policed', { displayName: 'Policed' }));
  await t.context.user.awaitsReady('tenant/policed');
});

test('defaults are filled in', async (t) => {
  await enforces(t, pack('team', TEAM));
  const { ok, stdout, stderr } = await creates(t, deployment('web', 'policed-main'));
  t.true(ok, stderr);
  const made = JSON.parse(stdout) as { metadata: { annotations?: Record<string, string> } };
  t.is(made.metadata.annotations?.['team'], 'core');
});

test("a tenant's pack that does not end is stopped, and no other tenant waits for it", async (t) => {
  // It takes memory as it goes on: time is to be what it runs out of.
  const spec = { evaluation: { deadlineMs: 20, memoryMiB: 64 } };
  await enforces(t, pack('loop', LOOP, { namespace: 'policed-main', spec }));
  const looping = deployment('web', 'policed-main', { labels: { loop: 'yes' } });
  const flood = Promise.all(Array.from({ length: 6 }, () => creates(t, looping)));
  const others = await Promise.all(
    Array.from({ length: 6 }, () => creates(t, deployment('web', 'unpoliced-main'))),
  );
  t.deepEqual(
    others.filter(({ ok }) => !ok).map(({ stderr }) => stderr),
    [],
  );
  for (const { ok, stderr } of await flood) {
    t.false(ok);
    t.regex(
      stderr,
      /policed-main\/loop 1\.0\.0, rule evaluation: cannot be evaluated \((Timeout|Quarantined|Overloaded)/,
    );
  }
  await t.context.user.does(['-n', 'policed-main', 'delete', 'policypack', 'loop']);
  await eventually('it is gone', async () => (await creates(t, looping)).ok);
});

test('what packs decide is told in the log, without what is secret', async (t) => {
  const secret = deployment('web', 'policed-main', { image: 'web:latest' });
  const { spec } = secret.spec.template;
  const containers = spec.containers.map((one) => ({
    ...one,
    env: [{ name: 'KEY', value: 'hunter2-hunter2' }],
  }));
  const object = { ...secret, metadata: { ...secret.metadata, namespace: 'unpoliced-main' } };
  const template = { ...secret.spec.template, spec: { ...spec, containers } };
  t.false((await creates(t, { ...object, spec: { ...secret.spec, template } })).ok);
  const event = await eventually('it is logged', () =>
    Promise.resolve(DECISIONS.find((one) => JSON.stringify(one).includes('/env/0/value'))),
  );
  t.like(event, { path: 'nexusos/admission', result: { allowed: false, deny: [{ rule: 'images' }] } });
  t.false(DECISIONS.some((one) => JSON.stringify(one).includes('hunter2')));
});

test('a replica writes of itself, and takes no Lease from anybody else', async (t) => {
  const { cluster } = t.context;
  const kubeconfig = await cluster.serviceAccountKubeconfig(PLATFORM_NAMESPACE, 'nexusos-webhooks');
  const lease = {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name: 'nexusos-operator', namespace: PLATFORM_NAMESPACE },
    spec: { holderIdentity: 'evil' },
  };
  const { code, stderr } = await cluster.kubectl(['create', '-f', '-'], {
    kubeconfig,
    stdin: JSON.stringify(lease),
  });
  t.not(code, 0);
  t.regex(stderr, /found nexusos-operator; allowed: names that do not start with nexusos-operator/);
});

test('each replica tells what it decides by', async (t) => {
  const { user } = t.context;
  const read = async () => {
    const args = ['-n', PLATFORM_NAMESPACE, 'get', 'policyreplicas', '-o', 'json'];
    const { items } = JSON.parse(await user.does(args)) as {
      readonly items: readonly { readonly status: { readonly enforcing: readonly string[] } }[];
    };
    return items;
  };
  // A replica that is kept from the processors loads and tells later.
  const replicas = await eventually('both tell the same', async () => {
    const all = await read();
    const told = new Set(all.map(({ status }) => JSON.stringify(status.enforcing)));
    if (all.length !== 2 || told.size !== 1) throw new Error([...told].join(' '));
    return all;
  });
  for (const { status } of replicas) {
    t.true(status.enforcing.some((one) => one.startsWith(`${PLATFORM_NAMESPACE}/images-`)));
    t.true(status.enforcing.some((one) => one.startsWith('policed-main/names-')));
  }
});

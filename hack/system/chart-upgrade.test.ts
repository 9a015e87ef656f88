// SPDX-License-Identifier: Apache-2.0
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { parse } from 'yaml';
import { ensureTools } from '../tools/build.ts';
import { runProgram } from '../tools/run-program.ts';
import { temporaryFolder } from '../tools/testing/temporary-folder.ts';
import { type ChartValues, helmEnvironment } from './chart.ts';

const CHART = join(import.meta.dirname, '../../charts/nexusos');
const GROUP = 'nexusos.dev/v1alpha1';

interface Policy {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly authorities?: readonly object[] };
}

function policy(name: string, authorities: readonly object[]): Policy {
  return { metadata: { name }, spec: { authorities } };
}

function bySecret(name: string): object {
  return { name: 'a', key: { secretRef: { name } } };
}

const POLICIES: readonly Policy[] = [
  policy('builders', [bySecret('builder-key'), { name: 'b', key: { pem: 'x' } }, bySecret('scanner-key')]),
  policy('scanners', [bySecret('scanner-key')]),
  policy('people', [{ name: 'c', keyless: { identities: [] } }]),
  { metadata: { name: 'none' }, spec: {} },
];

const RESOURCES = [
  {
    name: 'clusterimagepolicies',
    kind: 'ClusterImagePolicy',
    namespaced: false,
    singularName: '',
    verbs: ['list'],
  },
];

/** What Helm asks an API server that knows of these policies, or of none of our kinds. */
function answers(policies: readonly Policy[] | undefined): Readonly<Record<string, object>> {
  const version = { groupVersion: GROUP, version: 'v1alpha1' };
  const groups =
    policies === undefined ? [] : [{ name: 'nexusos.dev', versions: [version], preferredVersion: version }];
  return {
    '/version': { major: '1', minor: '36', gitVersion: 'v1.36.3' },
    '/api': { kind: 'APIVersions', versions: ['v1'] },
    '/api/v1': { kind: 'APIResourceList', groupVersion: 'v1', resources: [] },
    '/apis': { kind: 'APIGroupList', apiVersion: 'v1', groups },
    ...(policies !== undefined && {
      [`/apis/${GROUP}`]: { kind: 'APIResourceList', groupVersion: GROUP, resources: RESOURCES },
      [`/apis/${GROUP}/clusterimagepolicies`]: {
        kind: 'ClusterImagePolicyList',
        apiVersion: GROUP,
        metadata: {},
        items: policies.map((one) => ({ apiVersion: GROUP, kind: 'ClusterImagePolicy', ...one })),
      },
    }),
  };
}

/** Renders the chart as an upgrade does: Helm looks up what is there. */
async function rendered(
  t: ExecutionContext,
  { policies, platform }: { readonly policies?: readonly Policy[]; readonly platform: ChartValues },
) {
  const known = answers(policies);
  const asked: string[] = [];
  const server = createServer(({ url = '' }, response) => {
    const [path = ''] = url.split('?');
    asked.push(path);
    const found = known[path];
    response.writeHead(found === undefined ? 404 : 200, { 'content-type': 'application/json' });
    response.end(
      JSON.stringify(found ?? { kind: 'Status', status: 'Failure', reason: 'NotFound', code: 404 }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const folder = await temporaryFolder(t, 'helm');
  const kubeconfig = join(folder, 'kubeconfig');
  const { port } = server.address() as AddressInfo;
  const cluster = { name: 'a', cluster: { server: `http://127.0.0.1:${port}` } };
  const context = { name: 'a', context: { cluster: 'a', user: '' } };
  const config = { clusters: [cluster], contexts: [context], 'current-context': 'a' };
  // What is JSON is YAML.
  await writeFile(kubeconfig, JSON.stringify({ apiVersion: 'v1', kind: 'Config', ...config }));
  const { helm } = await ensureTools(['helm']);
  const where = ['--namespace=platform', `--kubeconfig=${kubeconfig}`, '--dry-run=server', '--values=-'];
  const result = await runProgram(helm, {
    args: ['template', 'nexusos', CHART, ...where],
    stdin: JSON.stringify({ platform }),
    env: helmEnvironment(folder),
  });
  return { ...result, asked };
}

const MISSING = /platform\.imageKeySecrets: .* missing are: (.*)\. Add them/;

test('an upgrade that would keep keys of policies from the operator fails, and names them', async (t) => {
  const hub = { pullSecretNamespace: 'hub' };
  const all = await rendered(t, { policies: POLICIES, platform: hub });
  t.not(all.code, 0);
  const [, names] = MISSING.exec(all.stderr) ?? [];
  t.is(
    names,
    'builder-key (ClusterImagePolicy builders), scanner-key (ClusterImagePolicy builders), scanner-key (ClusterImagePolicy scanners)',
    all.stderr,
  );
  const one = await rendered(t, {
    policies: POLICIES,
    platform: { ...hub, imageKeySecrets: ['scanner-key'] },
  });
  t.is(MISSING.exec(one.stderr)?.[1], 'builder-key (ClusterImagePolicy builders)', one.stderr);
});

const PASSES: Readonly<
  Record<string, { readonly policies?: readonly Policy[]; readonly platform: ChartValues }>
> = {
  'all are named': {
    policies: POLICIES,
    platform: { pullSecretNamespace: 'hub', imageKeySecrets: ['builder-key', 'scanner-key'] },
  },
  'pull secrets are where the keys are': { policies: POLICIES, platform: {} },
  'that is said by its name': { policies: POLICIES, platform: { pullSecretNamespace: 'platform' } },
  'no policy takes a key from a Secret': {
    policies: POLICIES.slice(2),
    platform: { pullSecretNamespace: 'hub' },
  },
  'there are no policies': { policies: [], platform: { pullSecretNamespace: 'hub' } },
  'nothing of ours is there yet': { platform: { pullSecretNamespace: 'hub' } },
};

for (const [title, world] of Object.entries(PASSES)) {
  test(`an upgrade goes on where ${title}`, async (t) => {
    const { stderr, asked } = await rendered(t, world);
    t.true(asked.includes('/apis'), 'it has asked this server');
    // All is rendered: what comes next, this server knows nothing of.
    t.regex(stderr, /unable to build kubernetes objects from release manifest/);
    t.notRegex(stderr, /imageKeySecrets/);
  });
}

/** What Helm tells whoever installs. */
async function notes(t: ExecutionContext, platform: ChartValues): Promise<string> {
  const { helm } = await ensureTools(['helm']);
  const { code, stdout, stderr } = await runProgram(helm, {
    args: [
      'install',
      'nexusos',
      CHART,
      '--namespace=platform',
      '--dry-run=client',
      '--values=-',
      '-o',
      'yaml',
    ],
    stdin: JSON.stringify({ platform }),
    env: helmEnvironment(await temporaryFolder(t, 'helm')),
  });
  t.is(code, 0, stderr);
  return (parse(stdout) as { readonly info: { readonly notes: string } }).info.notes;
}

test('who installs is told which Secrets the operator reads', async (t) => {
  const keys = /imageKeySecrets is empty: the operator may read no Secret of platform/;
  const every = /may read every Secret of platform/;
  const open = await notes(t, {});
  t.regex(open, every);
  t.notRegex(open, keys);
  const own = await notes(t, { pullSecretNamespace: 'hub' });
  t.regex(own, keys);
  t.notRegex(own, every);
  const named = await notes(t, { pullSecretNamespace: 'hub', imageKeySecrets: ['builder-key'] });
  t.notRegex(named, keys);
  t.notRegex(named, every);
});

// SPDX-License-Identifier: Apache-2.0
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import anyTest, { type TestFn } from 'ava';
import { parse, parseAllDocuments } from 'yaml';
import { readConfig } from '#operator/config';
import type { KubeObject } from '#operator/core/object';
import { ensureTools } from '../tools/build.ts';
import { runProgram } from '../tools/run-program.ts';
import { temporaryFolder } from '../tools/testing/temporary-folder.ts';
import { type ChartValues, helmEnvironment } from './chart.ts';

/** What upgrades come to that go on with the values of before: Helm itself says, of a release that it finds in a cluster. */

const test = anyTest.serial as TestFn;
const ROOT = join(import.meta.dirname, '../..');
const CHART = join(ROOT, 'charts/nexusos');
const SECRETS = '/api/v1/namespaces/platform/secrets';
const ENDS: (() => Promise<unknown>)[] = [];
/** What the API server answers with, by path. */
const answers = new Map<string, object>();
let folder: string;
let kubeconfig: string;
/** What the chart has by itself. */
let chart: ChartValues & { readonly platform: ChartValues };

test.before(async () => {
  folder = await temporaryFolder({ teardown: (end) => void ENDS.push(end) }, 'helm');
  kubeconfig = join(folder, 'kubeconfig');
  chart = parse(await readFile(join(CHART, 'values.yaml'), 'utf8')) as typeof chart;
  discover(objectsIn(await helm(['template', 'nexusos', CHART])));
  const server = createServer(({ url = '' }, response) => {
    const found = answers.get(url.split('?')[0] ?? '');
    response.writeHead(found === undefined ? 404 : 200, { 'content-type': 'application/json' });
    response.end(
      JSON.stringify(found ?? { kind: 'Status', status: 'Failure', reason: 'NotFound', code: 404 }),
    );
  });
  ENDS.unshift(() => new Promise((resolve) => server.close(resolve)));
  await writeFile(kubeconfig, JSON.stringify(await configOf(server)));
});
test.after.always(async () => {
  for (const end of ENDS) await end();
});

async function configOf(server: Server): Promise<object> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const clusters = [{ name: 'a', cluster: { server: `http://127.0.0.1:${port}` } }];
  const contexts = [{ name: 'a', context: { cluster: 'a', user: '' } }];
  return { apiVersion: 'v1', kind: 'Config', clusters, contexts, 'current-context': 'a' };
}

/** The API server knows the kinds of these. */
function discover(objects: readonly KubeObject[]): void {
  const kinds = Map.groupBy(objects, ({ apiVersion }) => apiVersion ?? '');
  const groups = [...kinds.keys()].filter((one) => one.includes('/')).map(groupOf);
  answers.set('/version', { major: '1', minor: '36', gitVersion: 'v1.36.3' });
  answers.set('/api', { kind: 'APIVersions', versions: ['v1'] });
  answers.set('/apis', { kind: 'APIGroupList', apiVersion: 'v1', groups });
  for (const [groupVersion, those] of kinds) {
    const names = [...new Set(those.map(({ kind }) => kind ?? ''))];
    const resources = names.map((kind) => {
      return { name: `${kind.toLowerCase()}s`, kind, namespaced: true, singularName: '', verbs: ['get'] };
    });
    const path = groupVersion === 'v1' ? '/api/v1' : `/apis/${groupVersion}`;
    answers.set(path, { kind: 'APIResourceList', groupVersion, resources });
  }
}

function groupOf(groupVersion: string): object {
  const [name, version] = groupVersion.split('/');
  const versions = [{ groupVersion, version }];
  return { name, versions, preferredVersion: versions[0] };
}

function objectsIn(text: string): readonly KubeObject[] {
  const all = parseAllDocuments(text).map((document) => document.toJS() as KubeObject | null);
  return all.filter((object) => object !== null);
}

async function helm(args: readonly string[], values: ChartValues = {}): Promise<string> {
  const { helm: program } = await ensureTools(['helm']);
  const env = helmEnvironment(folder);
  const ran = await runProgram(program, {
    args: [...args, '--values=-'],
    stdin: JSON.stringify(values),
    env,
  });
  if (ran.code !== 0) throw new Error(ran.stderr);
  return ran.stdout;
}

/** A release as it is kept: what its chart has, and what was said beside that. */
interface Before {
  readonly chart: ChartValues;
  readonly said?: ChartValues;
}

function secretOf({ chart: values, said = {} }: Before): object {
  const [first_deployed, last_deployed] = ['2026-11-22T00:00:00Z', '2026-11-22T00:00:00Z'];
  const release = {
    name: 'nexusos',
    namespace: 'platform',
    version: 1,
    info: { first_deployed, last_deployed, status: 'deployed' },
    chart: { metadata: { apiVersion: 'v2', name: 'nexusos', version: '0.0.9' }, values },
    config: said,
    manifest: '',
  };
  const text = gzipSync(JSON.stringify(release)).toString('base64');
  const labels = { name: 'nexusos', owner: 'helm', status: 'deployed', version: '1' };
  const metadata = { name: 'sh.helm.release.v1.nexusos.v1', namespace: 'platform', labels };
  return { metadata, type: 'helm.sh/release.v1', data: { release: Buffer.from(text).toString('base64') } };
}

interface Upgraded {
  /** What is kept as said, for the next upgrade. */
  readonly said: ChartValues;
  readonly settings: Readonly<Record<string, string>>;
}

/** What an upgrade would come to. */
async function upgrade(before: Before, how: string, values: ChartValues = {}): Promise<Upgraded> {
  answers.set(SECRETS, {
    kind: 'SecretList',
    apiVersion: 'v1',
    metadata: {},
    items: [secretOf(before)],
  });
  const where = ['--namespace=platform', `--kubeconfig=${kubeconfig}`];
  const only = ['--dry-run=client', '--disable-openapi-validation', '-o', 'json'];
  const text = await helm(['upgrade', 'nexusos', CHART, how, ...where, ...only], values);
  const { manifest, config } = JSON.parse(text) as {
    readonly manifest: string;
    readonly config?: ChartValues;
  };
  const found = objectsIn(manifest).find(
    ({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === 'nexusos-operator',
  );
  return { said: config ?? {}, settings: found?.['data'] as Readonly<Record<string, string>> };
}

/** Values of the platform that charts of before have not had. */
const NEW = [
  'imageKeySecrets',
  'planWeights',
  'policyInventory',
  'policyMebibytesPerTenant',
  'policyPacksPerTenant',
  'policyScanSeconds',
  'policySourceCa',
  'policySourceHosts',
  'prices',
  'registries',
];

test('what the chart of before has not had is as the operator has it by itself', async (t) => {
  for (const name of NEW) t.true(name in chart.platform, name);
  const platform = Object.fromEntries(Object.entries(chart.platform).filter(([name]) => !NEW.includes(name)));
  const [reused, fresh] = [
    await upgrade({ chart: { ...chart, platform, metrics: { service: {} } } }, '--reuse-values'),
    await upgrade({ chart }, '--reset-values'),
  ];
  t.deepEqual(readConfig(reused.settings, []), readConfig(fresh.settings, []));
  t.is(reused.settings['NEXUSOS_PRICES'], '{}');
});

const PRICES = {
  currency: 'USD',
  default: { runUnits: '1', inputTokens: '2' },
  plans: { gold: { runUnits: '9' }, tin: { runUnits: '8' } },
};
const RESET = '--reset-then-reuse-values';

async function prices(how: string, changed: unknown): Promise<{ now: unknown; said: unknown }> {
  const before = { chart, said: { platform: { prices: PRICES, policyScanSeconds: 30 } } };
  const { settings, said } = await upgrade(before, how, { platform: { prices: changed } });
  if (settings['NEXUSOS_POLICY_SCAN_SECONDS'] !== '30') throw new Error('other values are kept');
  return { now: JSON.parse(settings['NEXUSOS_PRICES'] ?? ''), said };
}

const CHANGES: Readonly<Record<string, { changed: unknown; now: unknown }>> = {
  'another price takes the place of that of before, and what is left out stays': {
    changed: { currency: 'USD', default: { runUnits: '3' }, plans: { gold: { runUnits: '7' } } },
    now: {
      ...PRICES,
      default: { runUnits: '3', inputTokens: '2' },
      plans: { ...PRICES.plans, gold: { runUnits: '7' } },
    },
  },
  'a price and a plan go by null': {
    changed: { default: { inputTokens: null }, plans: { gold: null } },
    now: { ...PRICES, default: { runUnits: '1' }, plans: { tin: { runUnits: '8' } } },
  },
  'all prices go by null': { changed: null, now: {} },
};

for (const [title, { changed, now }] of Object.entries(CHANGES)) {
  test(`prices in an upgrade: ${title}`, async (t) => {
    const after = await prices(RESET, changed);
    t.deepEqual(after.now, now);
    t.notRegex(JSON.stringify(after.said), /null/, 'the next upgrade is as good as this one');
  });
}

test('the page of prices has the option that takes values away: with the other nothing goes', async (t) => {
  const page = await readFile(join(ROOT, 'docs/how-to/set-prices.md'), 'utf8');
  t.deepEqual(
    [...page.matchAll(/helm upgrade .* (--re\S+) -f prices\.yaml/g)].map(([, how]) => how),
    [RESET],
  );
  t.deepEqual((await prices('--reuse-values', { plans: { gold: null } })).now, PRICES);
});

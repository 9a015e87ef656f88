// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import * as fc from 'fast-check';
import { PRICED } from '#crds/v1alpha1/price';
import { SETTINGS, type SettingName } from './config.ts';
import { MAX_FOREIGN_KINDS } from './core/policy/foreign-kinds.ts';
import { variableOf } from './settings.ts';

/** What the chart lets through must let the operator start, and what the operator allows the chart must not refuse. */

const CHART = join(import.meta.dirname, '../charts/nexusos');

interface Schema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly propertyNames?: Schema;
  readonly additionalProperties?: Schema;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxLength?: number;
  readonly maxItems?: number;
  readonly pattern?: string;
}

const SCHEMA = JSON.parse(readFileSync(join(CHART, 'values.schema.json'), 'utf8')) as Schema;

/** Settings that values of the chart become, by the path of the value. */
const VALUES = {
  pullSecretNamespace: 'platform.pullSecretNamespace',
  serviceAccount: 'serviceAccount.name',
  archiveUrl: 'archive.url',
  logLevel: 'operator.logLevel',
  concurrency: 'operator.concurrency',
  shards: 'operator.shards',
  leaseDurationMs: 'operator.leaseDurationMs',
  namedTenants: 'metrics.namedTenants',
  reservedRanges: 'platform.reservedRanges',
  planWeights: 'platform.planWeights',
  prices: 'platform.prices',
  kueue: 'kueue.mode',
  kueueCheckMs: 'kueue.checkMs',
  kueueCohort: 'kueue.cohort',
  kueueGuaranteedPercent: 'kueue.guaranteedPercent',
  kueueDefaultFlavor: 'kueue.defaultFlavor',
  kueueFlavors: 'kueue.flavors',
  kueuePriorityClasses: 'kueue.priorityClasses',
  remoteImage: 'remoteAgents.image',
  policyInventory: 'platform.policyInventory',
  policyResources: 'webhooks.policy.resources',
  policySourceCa: 'platform.policySourceCa',
  policySourceHosts: 'platform.policySourceHosts',
  registries: 'platform.registries',
  policyScanSeconds: 'platform.policyScanSeconds',
  policyPacksPerTenant: 'platform.policyPacksPerTenant',
  policyMebibytesPerTenant: 'platform.policyMebibytesPerTenant',
  webhookCertificates: 'webhooks.certificates.mode',
  webhookCertificateSecret: 'webhooks.certificates.secretName',
  webhookCertificateSeconds: 'webhooks.certificates.seconds',
} as const satisfies Partial<Record<SettingName, string>>;

function schemaOf(name: keyof typeof VALUES): Schema {
  const found = VALUES[name]
    .split('.')
    .reduce<Schema | undefined>((at, key) => at?.properties?.[key], SCHEMA);
  if (found === undefined) throw new Error(`the chart has no value ${VALUES[name]}`);
  return found;
}

/** Whether the operator starts with it; an empty text is none, as in the chart. */
function isAllowed(name: SettingName, text: string): boolean {
  return text === '' || SETTINGS[name].parse(text) !== undefined;
}

function fits({ maxLength = Number.POSITIVE_INFINITY, pattern = '' }: Schema, text: string): boolean {
  return text.length <= maxLength && new RegExp(pattern).test(text);
}

test('every setting that the chart gives is compared here; the namespace is that of the release', (t) => {
  const template = readFileSync(join(CHART, 'templates/settings.yaml'), 'utf8');
  const given = [...template.matchAll(/^ {2}(NEXUSOS_\w+):/gm)].map((match) => match[1] ?? '');
  t.deepEqual(given.toSorted(), ['namespace', ...Object.keys(VALUES)].map(variableOf).toSorted());
});

for (const name of [
  'concurrency',
  'leaseDurationMs',
  'policyScanSeconds',
  'policyPacksPerTenant',
  'policyMebibytesPerTenant',
  'namedTenants',
  'kueueCheckMs',
  'kueueGuaranteedPercent',
  'webhookCertificateSeconds',
] as const) {
  test(`${name}: both have the same limits`, (t) => {
    const { type, minimum, maximum } = schemaOf(name);
    t.is(type, 'integer');
    for (const [value, want] of [
      [minimum! - 1, false],
      [minimum!, true],
      [maximum!, true],
      [maximum! + 1, false],
    ] as const) {
      t.is(isAllowed(name, String(value)), want, String(value));
    }
  });
}

test('logLevel: both know the same levels', (t) => {
  t.is(SETTINGS.logLevel.allowed, `one of ${schemaOf('logLevel').enum?.join(', ')}`);
});

for (const name of ['pullSecretNamespace', 'serviceAccount'] as const) {
  test(`${name}: both allow the same names`, (t) => {
    const schema = schemaOf(name);
    const isSame = (text: string): void => {
      // A ServiceAccount must have a name in the chart; as a setting, without one the default stands.
      if (text !== '') t.is(fits(schema, text), isAllowed(name, text), JSON.stringify(text));
    };
    for (const length of [1, 62, 63, 64]) isSame('a'.repeat(length));
    const characters = fc.constantFrom('a', 'z', '0', '9', '-', '.', 'A', '_', '/', ' ');
    fc.assert(fc.property(fc.string({ unit: characters, maxLength: 70 }), isSame));
  });
}

test('remoteImage: both allow the same references', (t) => {
  const schema = schemaOf('remoteImage');
  const characters = fc.constantFrom('a', 'Z', '0', '.', '_', ':', '@', '/', '-', "'", '"', ' ', '{', '\n');
  const isSame = (text: string): void => {
    t.is(fits(schema, text), isAllowed('remoteImage', text), JSON.stringify(text));
  };
  for (const length of [511, 512, 513]) isSame('a'.repeat(length));
  fc.assert(fc.property(fc.string({ unit: characters, maxLength: 20 }), isSame));
});

test('planWeights: both allow the same plans and weights', (t) => {
  const { propertyNames, additionalProperties } = schemaOf('planWeights');
  const plan = fc.string({ unit: fc.constantFrom('a', 'z', '0', '-', '.', 'A', '_'), maxLength: 66 });
  const weight = fc.integer({ min: -1, max: 1002 });
  fc.assert(
    fc.property(plan, weight, (name, value) => {
      const isInChart =
        fits(propertyNames!, name) &&
        value >= additionalProperties!.minimum! &&
        value <= additionalProperties!.maximum!;
      t.is(isInChart, isAllowed('planWeights', `${name}=${value}`), `${name}=${value}`);
    }),
  );
});

const allows = (prices: object): boolean => isAllowed('prices', JSON.stringify(prices));

test('prices: both allow the same currencies, plans and decimals', (t) => {
  const { currency, default: others, plans } = schemaOf('prices').properties!;
  const price = { runUnits: '1' };
  const plan = fc.string({ unit: fc.constantFrom('a', 'z', '0', '-', '.', 'A', '_'), maxLength: 66 });
  fc.assert(
    fc.property(plan, (name) => {
      const isInOperator = allows({ currency: 'USD', plans: { [name]: price } });
      t.is(fits(plans!.propertyNames!, name), isInOperator, JSON.stringify(name));
    }),
  );
  const decimal = fc.string({ unit: fc.constantFrom('0', '1', '9', '.', '-', 'e', ' '), maxLength: 18 });
  fc.assert(
    fc.property(fc.oneof(decimal, fc.constantFrom('0', '0.000001', '999999999.999999', '01')), (text) => {
      const isInOperator = allows({ currency: 'USD', default: { toolCalls: text } });
      for (const one of [others, plans!.additionalProperties])
        t.is(fits(one!.additionalProperties!, text), isInOperator, JSON.stringify(text));
    }),
  );
  const name = fc.string({ unit: fc.constantFrom('A', 'Z', '0', 'a', ' '), maxLength: 12 });
  fc.assert(
    fc.property(name, (text) => {
      t.is(fits(currency!, text), allows({ currency: text, default: price }), JSON.stringify(text));
    }),
  );
  for (const one of [others, plans!.additionalProperties]) t.deepEqual(one!.propertyNames!.enum, [...PRICED]);
  t.is(Object.keys(schemaOf('prices').properties!).length, 3);
});

test('reservedRanges: both allow the same ranges', (t) => {
  const schema = schemaOf('reservedRanges').items!;
  const octet = fc.integer({ min: 0, max: 300 });
  const ipV4 = fc.tuple(octet, octet, octet, octet).map((parts) => parts.join('.'));
  const range = fc.oneof(
    fc.tuple(fc.oneof(ipV4, fc.ipV4()), fc.integer({ min: 0, max: 40 })),
    fc.tuple(fc.ipV6(), fc.integer({ min: 0, max: 200 })),
  );
  fc.assert(
    fc.property(range, ([ip, bits]) => {
      const text = `${ip}/${bits}`;
      t.is(fits(schema, text), isAllowed('reservedRanges', text), text);
    }),
  );
});

test('policySourceHosts: both allow the same hosts', (t) => {
  const schema = schemaOf('policySourceHosts').items!;
  const unit = fc.constantFrom('a', 'z', '0', '9', '-', '.', ':', '[', ']', 'A', '_', '/', '*', ' ');
  const isSame = (text: string): void => {
    // Blanks around a name in a list are no part of it.
    if (text.trim() === text)
      t.is(fits(schema, text), isAllowed('policySourceHosts', text) && text !== '', text);
  };
  for (const text of ['git.corp.example', '10.0.0.7:8443', '[fd00::7]:443', 'a:0', 'https://a', 'a.', '-a'])
    isSame(text);
  fc.assert(fc.property(fc.string({ unit, maxLength: 20 }), isSame));
});

test('policyResources: both allow the same names of groups, kinds and resources, as many of them', (t) => {
  const { items, maxItems } = schemaOf('policyResources');
  const { apiVersion, kind, resource } = items!.properties!;
  const good = { apiVersion: 'a.io/v1', kind: 'K', resource: 'ks' };
  const isSame = (changed: Partial<typeof good>): void => {
    const one = { ...good, ...changed };
    const isInChart =
      fits(apiVersion!, one.apiVersion) && fits(kind!, one.kind) && fits(resource!, one.resource);
    const text = `${one.apiVersion}/${one.resource}=${one.kind}`;
    // Blanks around an entry of a list are no part of it.
    if (text.trim() === text) t.is(isInChart, isAllowed('policyResources', text), text);
  };
  const unit = fc.constantFrom('a', 'z', '0', '9', '-', '.', '/', 'v', 'A', 'Z', '_', '*', ' ', '=');
  const text = fc.string({ unit, maxLength: 12 });
  fc.assert(fc.property(text, (group) => isSame({ apiVersion: `${group}.io/v1` })));
  fc.assert(fc.property(text, (version) => isSame({ apiVersion: `a.io/v1${version}` })));
  fc.assert(fc.property(text, (name) => isSame({ kind: `K${name}` })));
  fc.assert(fc.property(text, (name) => isSame({ resource: `k${name}` })));
  for (const length of [62, 63, 64]) {
    isSame({ apiVersion: `${'a'.repeat(length)}.io/v1` });
    isSame({ resource: 'k'.repeat(length) });
    isSame({ kind: 'K'.repeat(length) });
  }
  t.is(maxItems, MAX_FOREIGN_KINDS);
});

const one = (content: object): boolean => isAllowed('registries', JSON.stringify([content]));

test('registries: both allow the same hosts, mirrors and fields', (t) => {
  const schema = schemaOf('registries').items!;
  const { host, mirrors } = schema.properties!;
  const isSame = (text: string): void => {
    t.is(fits(host!, text), one({ host: text }), `host ${JSON.stringify(text)}`);
    t.is(fits(mirrors!.items!, text), one({ host: 'a', mirrors: [text] }), `mirror ${JSON.stringify(text)}`);
  };
  const hosts = [
    'registry.corp.example:5000',
    '[fd00::7]:443',
    'a:0',
    'a:65535',
    'a:65536',
    'a:99999',
    'https://a',
    'a.',
    '',
  ];
  for (const text of [...hosts, 'm.io/hub/x', 'm.io/', 'm.io/A', '*.io', `${'a'.repeat(64)}.io`])
    isSame(text);
  const unit = fc.constantFrom('a', 'z', '0', '9', '-', '.', ':', '[', ']', 'A', '_', '/', '*', ' ');
  fc.assert(fc.property(fc.string({ unit, maxLength: 20 }), isSame));
  t.deepEqual(Object.keys(schema.properties!), [
    'host',
    'isPrivate',
    'isPlainHttp',
    'ca',
    'mirrors',
    'trustsMirrors',
  ]);
});

test('kueue: both know the same modes', (t) => {
  t.is(SETTINGS.kueue.allowed, `one of ${schemaOf('kueue').enum?.join(', ')}`);
});

const NAME = fc.string({ unit: fc.constantFrom('a', 'z', '0', '-', '.', 'A', '_', '=', ','), maxLength: 66 });

/** Whether it would be more than one entry in the list that the chart writes of it, such as `a=a,z=a`: an operator allows that, the chart never may. */
function isSeparated(text: string): boolean {
  return /[=,]/.test(text);
}

for (const name of ['kueueCohort', 'kueueDefaultFlavor'] as const) {
  test(`${name}: both allow the same names`, (t) => {
    const isSame = (text: string): void => {
      // Without a cohort the default stands, and the chart wants one.
      if (text !== '') t.is(fits(schemaOf(name), text), isAllowed(name, text), JSON.stringify(text));
    };
    for (const length of [1, 252, 253, 254]) isSame('a'.repeat(length));
    fc.assert(fc.property(NAME, isSame));
  });
}

test('kueueFlavors: both allow the same classes and flavors', (t) => {
  const { propertyNames, additionalProperties } = schemaOf('kueueFlavors');
  fc.assert(
    fc.property(NAME, NAME, (gpuClass, flavor) => {
      const isInChart = fits(propertyNames!, gpuClass) && fits(additionalProperties!, flavor);
      if (isSeparated(gpuClass + flavor)) t.false(isInChart, `${gpuClass}=${flavor}`);
      else t.is(isInChart, isAllowed('kueueFlavors', `${gpuClass}=${flavor}`), `${gpuClass}=${flavor}`);
    }),
  );
});

test('kueuePriorityClasses: both allow the same classes and priorities', (t) => {
  const { propertyNames, additionalProperties } = schemaOf('kueuePriorityClasses');
  fc.assert(
    fc.property(NAME, fc.integer({ min: -1002, max: 1002 }), (name, least) => {
      const isInChart =
        fits(propertyNames!, name) &&
        least >= additionalProperties!.minimum! &&
        least <= additionalProperties!.maximum!;
      if (isSeparated(name)) t.false(isInChart, name);
      else t.is(isInChart, isAllowed('kueuePriorityClasses', `${name}=${least}`), `${name}=${least}`);
    }),
  );
});

test('archiveUrl: what the chart lets through lets the operator start', (t) => {
  const schema = schemaOf('archiveUrl');
  const good = ['', 'https://archive.example.com', 'https://archive.example.com:8443/runs?stream=1'];
  for (const url of good) t.true(fits(schema, url) && isAllowed('archiveUrl', url), url);
  const bad = [
    'http://archive.example.com',
    'archive.example.com',
    'https://',
    'file:///etc/passwd',
    'https://a b',
  ];
  for (const url of bad) t.false(fits(schema, url), url);
  for (const url of bad.slice(0, 4)) t.false(isAllowed('archiveUrl', url), url);
});

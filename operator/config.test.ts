// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { readConfig } from './config.ts';
import { ConfigError, flagOf, variableOf } from './settings.ts';

test('without anything the defaults stand', (t) => {
  const config = readConfig({}, []);
  t.is(config.namespace, 'nexusos-system');
  t.is(config.apiServer, undefined);
  t.is(config.leaderElection, true);
  t.deepEqual(config.listen, { host: '0.0.0.0', port: 8080 });
  t.deepEqual(config.reservedRanges, []);
});

test('a flag wins over its variable, in both spellings', (t) => {
  const env = { NEXUSOS_CONCURRENCY: '3', NEXUSOS_LOG_LEVEL: 'warn' };
  t.is(readConfig(env, []).concurrency, 3);
  t.is(readConfig(env, ['--concurrency=5']).concurrency, 5);
  t.is(readConfig(env, ['--concurrency', '6']).concurrency, 6);
  t.is(readConfig(env, ['--concurrency', '6']).logLevel, 'warn');
});

test('an empty variable is none', (t) => {
  t.is(readConfig({ NEXUSOS_API_SERVER: '', NEXUSOS_LOG_LEVEL: '' }, []).logLevel, 'info');
});

test('plain http is for loopback', (t) => {
  const env = { NEXUSOS_API_SERVER: 'http://127.0.0.1:8001', NEXUSOS_TOKEN_FILE: '/t' };
  t.is(readConfig(env, []).apiServer, 'http://127.0.0.1:8001');
});

test('names follow from the name in code', (t) => {
  t.is(flagOf('leaseDurationMs'), '--lease-duration-ms');
  t.is(variableOf('leaseDurationMs'), 'NEXUSOS_LEASE_DURATION_MS');
});

test('weights are read plan by plan', (t) => {
  const config = readConfig({ NEXUSOS_PLAN_WEIGHTS: 'gold=4,silver=2' }, []);
  t.deepEqual(Object.fromEntries(config.planWeights), { gold: 4, silver: 2 });
  t.is(readConfig({}, []).planWeights.size, 0);
});

test('what Kueue is to do is read pair by pair, and it is off by itself', (t) => {
  const env = {
    NEXUSOS_KUEUE_FLAVORS: 'h100=reserved.h100,a100=a',
    NEXUSOS_KUEUE_PRIORITY_CLASSES: 'low=-1000,high=5',
  };
  const config = readConfig(env, []);
  t.is(config.kueue, 'Off');
  t.deepEqual(Object.fromEntries(config.kueueFlavors), { h100: 'reserved.h100', a100: 'a' });
  t.deepEqual(Object.fromEntries(config.kueuePriorityClasses), { low: -1000, high: 5 });
});

test('ranges are read one by one', (t) => {
  const config = readConfig({ NEXUSOS_RESERVED_RANGES: '10.0.0.0/8, fd00::/8,' }, []);
  t.deepEqual(config.reservedRanges, ['10.0.0.0/8', 'fd00::/8']);
});

const REFUSED: Readonly<Record<string, { args: readonly string[]; want: RegExp }>> = {
  'an unknown flag': { args: ['--verbose=1'], want: /--verbose: unknown; allowed are --namespace/ },
  'a flag without value': { args: ['--concurrency'], want: /--concurrency: found nothing after it/ },
  'a number out of range': {
    args: ['--concurrency=0'],
    want: /found "0"; allowed is an integer from 1 to 256/,
  },
  'a number with a fraction': { args: ['--concurrency=1.5'], want: /found "1\.5"/ },
  'a namespace with capitals': { args: ['--namespace=Nexus'], want: /--namespace: found "Nexus"/ },
  'an address in clear': {
    args: ['--api-server=http://10.0.0.1', '--token-file=/t'],
    want: /--api-server: found "http:\/\/10\.0\.0\.1"; allowed is an https URL/,
  },
  'an address without token': { args: ['--api-server=https://a'], want: /found only one; both are needed/ },
  'a kubeconfig and an address': {
    args: ['--api-server=https://a', '--token-file=/t', '--kubeconfig=/k'],
    want: /found both; allowed is one/,
  },
  'a port that is none': { args: ['--listen=0.0.0.0:70000'], want: /--listen: found/ },
  'a host name to listen on': { args: ['--listen=localhost:80'], want: /--listen: found/ },
  'a range without mask': { args: ['--reserved-ranges=10.0.0.0'], want: /--reserved-ranges: found/ },
  'a range with a mask too long': {
    args: ['--reserved-ranges=10.0.0.0/33'],
    want: /--reserved-ranges: found/,
  },
  'another mode of Kueue': { args: ['--kueue=On'], want: /--kueue: found "On"; allowed is one of Off, Auto/ },
  'a flavor of two classes': { args: ['--kueue-flavors=a=x,b=x'], want: /--kueue-flavors: found "a=x,b=x"/ },
  'a flavor of a class and of cores': {
    args: ['--kueue-flavors=a=x', '--kueue-default-flavor=x'],
    want: /--kueue-default-flavor and --kueue-flavors: found x in both; allowed is one/,
  },
  'a priority that no Run has': {
    args: ['--kueue-priority-classes=a=1001'],
    want: /--kueue-priority-classes: found "a=1001"/,
  },
  'a plan twice': { args: ['--plan-weights=a=1,a=2'], want: /--plan-weights: found "a=1,a=2"/ },
  'a plan without weight': { args: ['--plan-weights=a'], want: /allowed is plan=weight separated by commas/ },
  'a weight of none': { args: ['--plan-weights=a=0'], want: /--plan-weights: found/ },
  'a single shard, which nobody could share': {
    args: ['--shards=1'],
    want: /--shards: found "1"; allowed is 0, or an integer from 2 to 32/,
  },
  'more shards than the Role has Leases for': { args: ['--shards=33'], want: /--shards: found "33"/ },
  'shards without Leases': {
    args: ['--shards=12', '--leader-election=false'],
    want: /--shards: found 12 without --leader-election; it is needed/,
  },
  'a price that is no text': {
    args: ['--prices={"currency":"USD","default":{"runUnits":11.5}}'],
    want: /^ {2}--prices: \.default\.runUnits: found 11\.5; wanted is a decimal as text/m,
  },
  'prices that are no JSON': {
    args: ['--prices=11.5'],
    want: /^ {2}--prices: found no JSON object; wanted/m,
  },
  'a registry with a field that is none': {
    args: ['--registries=[{"host":"r.io","insecure":true}]'],
    want: /^ {2}--registries: \[0\]\.insecure: there is no such field/m,
  },
  'an authority that is none': {
    args: ['--policy-source-ca=-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'],
    want: /--policy-source-ca: found .*allowed is certificates as PEM/s,
  },
  'a level that is none': { args: ['--log-level=loud'], want: /allowed is one of trace, debug/ },
};

for (const [title, { args, want }] of Object.entries(REFUSED)) {
  test(`refused: ${title}`, (t) => {
    const error = t.throws(() => readConfig({}, args), { instanceOf: ConfigError });
    t.regex(error.message, want);
  });
}

test('a refusal names the variable when that was used, and every problem at once', (t) => {
  const env = { NEXUSOS_CONCURRENCY: 'many', NEXUSOS_LISTEN: 'x' };
  const error = t.throws(() => readConfig(env, ['--nope=1']), { instanceOf: ConfigError });
  t.regex(error.message, /NEXUSOS_CONCURRENCY: found "many"/);
  t.regex(error.message, /NEXUSOS_LISTEN: found "x"/);
  t.regex(error.message, /--nope: unknown/);
});

test('of prices every field that is wrong has its line', (t) => {
  const prices = { currency: 'usd', default: { tokens: '1' }, plans: { gold: {} } };
  const env = { NEXUSOS_PRICES: JSON.stringify(prices) };
  const error = t.throws(() => readConfig(env, []), { instanceOf: ConfigError });
  const fields = [...error.message.matchAll(/^ {2}NEXUSOS_PRICES: (\.[\w.]+): /gm)].map(([, field]) => field);
  t.deepEqual(fields, ['.currency', '.default.tokens', '.plans.gold']);
});

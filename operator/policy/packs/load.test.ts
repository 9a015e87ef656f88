// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { gzipSync } from 'node:zlib';
import { makeRevision } from '../../core/policy/testing/make.ts';
import { evaluateHere, HereSession } from '../evaluate-here.ts';
import { compileRego } from '../testing/compile.ts';
import { askPack } from './ask.ts';
import { assembleBlob } from './blob.ts';
import { loadRevision, type LoadOutcome } from './load.ts';
import { pack, type Packed } from './testing/packed.ts';

const REGO = `package nexusos.main
  decision := {"deny": deny}
  deny contains {"msg": sprintf("no %s", [input.name]), "rule": "names"} if input.name in data.names
  silent := {} if input.name == "nobody"`;
const ENTRYPOINTS = [{ path: 'nexusos/main/decision', role: 'decision' }] as const;
const utf8 = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const rego = compileRego({ rego: REGO, entrypoints: ['nexusos/main/decision', 'nexusos/main/silent'] });

function load(
  module: Packed,
  data?: Packed,
  entrypoints: readonly { path: string; role: 'decision' }[] = ENTRYPOINTS,
) {
  const parts = new Map([...module.parts, ...(data?.parts ?? [])]);
  const spec = {
    module: module.blob,
    ...(data !== undefined && { data: data.blob }),
    entrypoints: [...entrypoints],
  };
  return loadRevision(spec, (chunk) => parts.get(chunk));
}

const reasonOf = (outcome: LoadOutcome) => (outcome.kind === 'failed' ? outcome.reason : 'ok');

test('a revision of many parts is loaded, and asked', async (t) => {
  const module = pack('module', await rego, 10_000);
  t.true(module.parts.size > 3);
  const outcome = load(module, pack('data', utf8({ names: ['web'] })));
  t.is(outcome.kind, 'ok');
  if (outcome.kind !== 'ok') return;
  const session = new HereSession();
  const ask = (name: string, path = 'nexusos/main/decision') =>
    askPack((one) => Promise.resolve(evaluateHere(one, session)), {
      revision: makeRevision({ entrypoints: [{ path, role: 'decision' }] }),
      loaded: outcome.loaded,
      input: utf8({ name }),
      nowNs: 0n,
      leftMs: () => 1000,
      tenant: undefined,
    });
  t.like((await ask('web')).result, {
    kind: 'answer',
    answer: { deny: [{ rule: 'names', message: 'no web' }] },
  });
  t.like((await ask('db')).result, { kind: 'answer', answer: { deny: [] } });
  t.like((await ask('web', 'nexusos/main/silent')).result, { kind: 'failed', reason: 'Undefined' });
});

const never = () => Promise.reject(new Error('nothing is evaluated'));

test('what is not loaded, and what there is no time for, is a failure', async (t) => {
  const asked = {
    revision: makeRevision(),
    input: utf8({}),
    nowNs: 0n,
    leftMs: () => 0.4,
    tenant: undefined,
  };
  t.like((await askPack(never, { ...asked, loaded: undefined })).result, {
    kind: 'failed',
    reason: 'NotLoaded',
  });
  const outcome = load(pack('module', await rego));
  t.is(outcome.kind, 'ok');
  if (outcome.kind !== 'ok') return;
  t.like((await askPack(never, { ...asked, loaded: outcome.loaded })).result, {
    kind: 'failed',
    reason: 'Timeout',
  });
});

test('what is left of a request is what rules are given, and not what they are judged by', async (t) => {
  const outcome = load(pack('module', await rego));
  if (outcome.kind !== 'ok') return t.fail(outcome.reason);
  const given: unknown[] = [];
  await askPack(
    ({ deadlineMs, ownDeadlineMs }) => {
      given.push([deadlineMs, ownDeadlineMs]);
      return Promise.resolve({ kind: 'undefined', micros: 1 });
    },
    {
      revision: makeRevision({ entrypoints: [...ENTRYPOINTS], deadlineMs: 50 }),
      loaded: outcome.loaded,
      input: utf8({}),
      nowNs: 0n,
      leftMs: () => 2.5,
      tenant: undefined,
    },
  );
  t.deepEqual(given, [[2, 50]]);
  return undefined;
});

const constraint = (spec: object) => ({
  gatekeeper: { constraints: [{ kind: 'K8sNames', metadata: { name: 'n' }, name: 'n', spec }] },
});

test('constraints are found among the data, and are read strictly', async (t) => {
  const module = pack('module', await rego);
  const outcome = load(module, pack('data', utf8(constraint({ enforcementAction: 'warn' }))));
  const found = outcome.kind === 'ok' ? outcome.loaded.constraints : undefined;
  t.deepEqual(
    found?.map(({ kind, name }) => [kind, name]),
    [['K8sNames', 'n']],
  );
  t.is(reasonOf(load(module, pack('data', utf8(constraint({ match: { kinds: 'Pod' } }))))), 'Constraint');
});

test('what is not what the revision names is not loaded', async (t) => {
  const bytes = await rego;
  const whole = pack('module', bytes);
  const lacking = { ...whole, blob: { ...whole.blob, chunks: ['module-0', 'module-1'] } };
  t.is(reasonOf(load(lacking)), 'ChunkMissing');
  const other = { blob: whole.blob, parts: pack('module', utf8({})).parts };
  t.is(reasonOf(load(other)), 'DigestMismatch');
  const garbage = { blob: whole.blob, parts: new Map([['module-0', utf8('garbage')]]) };
  t.is(reasonOf(load(garbage)), 'Corrupt');
  t.is(reasonOf(load({ ...whole, blob: { ...whole.blob, size: bytes.length - 1 } })), 'TooLarge');
  t.not(reasonOf(load(pack('module', utf8({ no: 'module' })))), 'ok');
  t.is(reasonOf(load(whole, undefined, [{ path: 'nexusos/main/other', role: 'decision' }])), 'Entrypoint');
  t.is(reasonOf(load(whole, pack('data', utf8([])))), 'Corrupt');
  t.is(reasonOf(load(whole, pack('data', new Uint8Array([0x22, 0xff, 0x22])))), 'Corrupt');
});

test('what would unpack to gigabytes is not unpacked', (t) => {
  const bomb = gzipSync(Buffer.alloc(256 * 1024 * 1024));
  const blob = { digest: `sha256:${'0'.repeat(64)}`, size: 1024, chunks: ['a'] };
  const before = process.memoryUsage().rss;
  const found = assembleBlob(blob, () => bomb);
  t.is(found.kind === 'refused' ? found.reason : found.kind, 'TooLarge');
  t.true(process.memoryUsage().rss - before < 64 * 1024 * 1024);
  const many = { ...blob, chunks: Array.from({ length: 20 }, (_, index) => `c-${index}`) };
  t.is(assembleBlob(many, () => new Uint8Array(1024 * 1024)).kind, 'refused');
});

test('a pack of the platform that was stopped is asked once more, where there is time', async (t) => {
  const outcome = load(pack('module', await rego));
  t.is(outcome.kind, 'ok');
  if (outcome.kind !== 'ok') return;
  const { loaded } = outcome;
  const asked = async (parts: { tenant?: string; leftMs?: number; reason?: 'Timeout' | 'Abort' }) => {
    const { tenant, leftMs = 1000, reason = 'Timeout' } = parts;
    let times = 0;
    const reply = await askPack(
      () => {
        times += 1;
        return Promise.resolve({ kind: 'failed', reason, message: 'stopped', micros: 10 });
      },
      { revision: makeRevision(), loaded, input: utf8({}), nowNs: 0n, leftMs: () => leftMs, tenant },
    );
    return [times, reply.micros];
  };
  t.deepEqual(await asked({}), [2, 20]);
  t.deepEqual(await asked({ tenant: 'acme' }), [1, 10], 'whose author may want it to be stopped');
  t.deepEqual(await asked({ leftMs: 60 }), [1, 10]);
  t.deepEqual(await asked({ reason: 'Abort' }), [1, 10], 'what it does by itself it would do again');
});

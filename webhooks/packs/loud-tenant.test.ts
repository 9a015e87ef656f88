// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { KubeObject } from '#operator/core/object';
import { bytesOf, type Evaluation } from '#operator/policy/evaluate-here';
import type { Verdict } from '#operator/policy/verdict';
import {
  FakeCache,
  hostHere,
  makePack,
  makeRequest,
  makeRevision,
  makeTenant,
  type PackParts,
  startWorld,
} from '../testing/pack-world.ts';
import type { PackHost } from './modules.ts';

// What a tenant that asks for much, by many packs, takes of the thread that answers everybody: counted, not timed.

const RULE = `package own
deny contains input.parameters.name if input.review.object.spec.isBad`;
const PACKS = 30;
const REFUSED: Verdict = { kind: 'failed', reason: 'Overloaded', message: 'no time left', micros: 0 };
const NOTHING: Verdict = { kind: 'value', value: { deny: [] }, micros: 1 };

async function ownPacks(namespace: string, count: number): Promise<readonly KubeObject[]> {
  const packs = Array.from({ length: count }, async (_, index) => {
    const revision = { parameters: { name: `rule-${index}` } } as PackParts['revision'];
    const parts: PackParts = { namespace, name: `own-${index}`, ...(revision && { revision }) };
    const { name, object, chunks } = await makeRevision(RULE, parts);
    return [makePack({ activeRevision: name, phase: 'Active' }, parts), object, ...chunks];
  });
  return (await Promise.all(packs)).flat();
}

/** A process that judges for a tenant with many packs and for one with one. */
async function start(evaluate: PackHost['evaluate']) {
  const cache = new FakeCache();
  cache.put(...makeTenant('loud', 'loud-dev'), ...makeTenant('calm', 'calm-dev'));
  cache.put(...(await ownPacks('loud-dev', PACKS)), ...(await ownPacks('calm-dev', 1)));
  return startWorld({ cache, host: { ...hostHere(), evaluate } });
}

/** An object that counts how often it is made JSON of. */
function counted() {
  const count = { written: 0 };
  const spec = {
    toJSON: () => {
      count.written += 1;
      return { isBad: true, text: 'ä'.repeat(1000) };
    },
  };
  const object = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web', namespace: 'loud-dev' }, spec };
  return { count, request: makeRequest({ namespace: 'loud-dev', object }) };
}

test('for packs that are refused their time, no input is made at all', async (t) => {
  let asked = 0;
  const { ask } = await start(() => {
    asked += 1;
    return Promise.resolve(REFUSED);
  });
  const { count, request } = counted();
  const { allowed, refusals } = await ask(request);
  t.false(allowed);
  t.is(refusals.length, PACKS);
  t.is(asked, PACKS);
  t.is(count.written, 0);
});

test('packs that see the same of a request share what is written of it, and have bytes of their own', async (t) => {
  const inputs: Uint8Array[] = [];
  const { ask } = await start(({ input }: Evaluation) => {
    inputs.push(bytesOf(input));
    return Promise.resolve(NOTHING);
  });
  const { count, request } = counted();
  t.true((await ask(request)).allowed);
  t.is(count.written, 1);
  t.is(new Set(inputs.map(({ buffer }) => buffer)).size, PACKS);
  t.true(inputs.every(({ buffer, byteLength }) => buffer.byteLength === byteLength));
  const read = inputs.map((one) => JSON.parse(new TextDecoder().decode(one)));
  const names = Array.from({ length: PACKS }, (_, index) => `rule-${index}`);
  const told = new Set(read.map(({ parameters }) => parameters.name));
  t.is(read.length, PACKS);
  t.deepEqual(
    names.filter((name) => !told.has(name)),
    [],
  );
  t.true(read.every(({ review }) => review.object.spec.text === 'ä'.repeat(1000)));
});

test('what packs of the platform and of a tenant see alike of a request is written once', async (t) => {
  const inputs: string[] = [];
  const evaluate: PackHost['evaluate'] = ({ input }) => {
    inputs.push(new TextDecoder().decode(bytesOf(input)));
    return Promise.resolve(NOTHING);
  };
  const { cache, ask, settled } = await start(evaluate);
  const { name, object, chunks } = await makeRevision(RULE);
  cache.put(makePack({ activeRevision: name, phase: 'Active' }), object, ...chunks);
  await settled();
  const { count, request } = counted();
  const extra = { 'example.com/credential': ['a'] };
  t.true((await ask({ ...request, userInfo: { ...request.userInfo, extra } })).allowed);
  t.is(inputs.length, PACKS + 1);
  t.is(
    inputs.filter((text) => text.includes('example.com/credential')).length,
    1,
    'the platform alone sees it',
  );
  t.is(count.written, 1);
});

test('of twenty-one requests at once, that of another tenant is the third that is judged, though it came last', async (t) => {
  const tenants: (string | undefined)[] = [];
  const { ask } = await start(({ tenant }: Evaluation) => {
    tenants.push(tenant);
    return Promise.resolve(NOTHING);
  });
  const answers = Array.from({ length: 20 }, () => ask({ namespace: 'loud-dev' }));
  answers.push(ask({ namespace: 'calm-dev' }));
  for (const { allowed } of await Promise.all(answers)) t.true(allowed);
  t.is(tenants.length, 20 * PACKS + 1);
  t.is(tenants.indexOf('calm'), 2 * PACKS);
});

test('a request whose time is over takes no turn, asks no pack and blames none', async (t) => {
  let asked = 0;
  const { ask, factory } = await start(() => {
    asked += 1;
    return Promise.resolve(NOTHING);
  });
  const over = new AbortController();
  const first = ask({ namespace: 'calm-dev' });
  const late = Array.from({ length: 50 }, () => ask({ namespace: 'loud-dev' }, { signal: over.signal }));
  // It has a signal that nobody gives, and no time all the same.
  const spent = ask({ namespace: 'loud-dev' }, { deadlineAt: performance.now() });
  over.abort();
  for (const { allowed, refusals } of await Promise.all([...late, spent])) {
    t.false(allowed);
    t.deepEqual(
      refusals.map(({ code }) => code),
      ['dependency_unavailable'],
    );
  }
  t.true((await first).allowed);
  t.is(asked, 1, 'the one pack of the other tenant');
  t.regex(await factory.registry.metrics(), /decisions_total\{outcome="unavailable"\} 51/);
});

// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { eventually } from '#hack/tools/eventually';
import type { PolicyPackRevisionSpec } from '#crds/v1alpha1/policy-pack-revision';
import { createLog } from '#operator/telemetry/log';
import { hostHere, makeRevision } from '../testing/pack-world.ts';
import { type PackHost, PackModules } from './modules.ts';
import { StateFolder } from './state-folder.ts';

const DENY = 'package rules\ndeny contains {"msg": "no"} if input.review.name == "x"';

type Preparation = Parameters<PackHost['prepare']>[0];

/** Modules in a host that prepares when it is told to. */
async function played(
  prepare: (one: Preparation) => ReturnType<PackHost['prepare']>,
  more: Partial<PackHost> = {},
) {
  const { object, chunks } = await makeRevision(DENY);
  const parts = new Map(chunks.map((one) => [one.metadata.name, partOf(one)]));
  const changed: number[] = [];
  const log = createLog({ level: 'silent' });
  const modules = new PackModules({
    host: { ...hostHere(), prepare, ...more },
    state: new StateFolder(undefined, log),
    hasPart: (chunk) => parts.has(chunk),
    readPart: (chunk) => Promise.resolve(parts.get(chunk)),
    onChange: () => changed.push(performance.now()),
    log,
  });
  const wanted = (key: string, tenant: string | undefined) => [key, { object, tenant }] as const;
  return { modules, wanted, object, changed };
}

function partOf(chunk: object): Uint8Array {
  const { binaryData } = chunk as { readonly binaryData: { readonly part: string } };
  return Buffer.from(binaryData.part, 'base64');
}

test('a tenant whose modules take long to load holds up neither the platform nor a neighbour', async (t) => {
  const gate = Promise.withResolvers<void>();
  let underWay = 0;
  let most = 0;
  const { modules, wanted } = await played(async ({ tenant }) => {
    if (tenant !== 'slow') return { kind: 'ready' };
    underWay += 1;
    most = Math.max(most, underWay);
    await gate.promise;
    underWay -= 1;
    return { kind: 'ready' };
  });
  const slow = Array.from({ length: 50 }, (_, i) => wanted(`slow/p-${i}`, 'slow'));
  const others = [wanted('calm/p', 'calm'), wanted('nexusos-system/p', undefined)];
  modules.want(new Map([...slow, ...others]));
  await eventually('others are loaded', async () => (modules.prepared.length === 2 ? true : undefined));
  t.deepEqual([...modules.prepared].toSorted(), ['calm/p', 'nexusos-system/p']);
  t.is(most, 1, 'one of a tenant at a time');
  gate.resolve();
  await eventually('all are loaded', async () => (modules.isSettled ? true : undefined));
  t.is(modules.prepared.length, 52);
  modules.close();
});

test('what cannot be loaded is tried again later and later, however often something changes', async (t) => {
  const triedAt: number[] = [];
  const { modules, wanted, changed } = await played(async () => {
    triedAt.push(performance.now());
    return { kind: 'refused', reason: 'Trap', message: 'it does not begin' };
  });
  const all = new Map([wanted('a/p', 'a')]);
  await eventually('it is tried three times', async () => {
    modules.want(all);
    return triedAt.length === 3 ? true : undefined;
  });
  const [first = 0, second = 0, third = 0] = triedAt;
  const [soon, later] = [second - first, third - second];
  t.true(soon > 700 && later > 1500, `after ${soon} ms, and ${later} ms`);
  t.true(changed.length >= 2, 'who holds snapshots is told');
  t.like(modules.faults, [{ revision: 'a/p', reason: 'Trap' }]);
  modules.close();
});

test('the host is told which entry points are asked: those of the revision, and no others', async (t) => {
  const asked: (readonly string[])[] = [];
  const { modules, wanted, object } = await played(async ({ entrypoints }) => {
    asked.push(entrypoints);
    return { kind: 'ready' };
  });
  modules.want(new Map([wanted('a/p', 'a')]));
  await eventually('it is loaded', async () => (modules.isSettled ? true : undefined));
  t.deepEqual(asked, [(object['spec'] as PolicyPackRevisionSpec).entrypoints.map(({ path }) => path)]);
  modules.close();
});

test('where the host keeps what it has prepared, nobody else does, and it gets what it asks for', async (t) => {
  const { modules, wanted, object } = await played(async () => ({ kind: 'ready' }), { keeps: true });
  modules.want(new Map([wanted('a/p', 'a')]));
  await eventually('it is loaded', () => modules.isSettled);
  const { module } = modules.loaded('a/p') ?? {};
  t.is((module?.bytes.length ?? -1) + (module?.metered.length ?? -1), 0);
  const { digest, size } = (object['spec'] as PolicyPackRevisionSpec).module;
  t.is(module?.digest, digest);
  t.is((await modules.fetch(digest))?.length, size);
  t.is(await modules.fetch('sha256:of-nobody'), undefined);
  modules.want(new Map());
  t.is(await modules.fetch(digest), undefined, 'nobody names it any more');
  modules.close();
});

test('the host lets go of what nobody names any more, be it that it could not be loaded, or not yet', async (t) => {
  const released: string[] = [];
  let isBegun = false;
  const gate = Promise.withResolvers<void>();
  const { modules, wanted, object } = await played(
    async ({ tenant }) => {
      if (tenant === 'a') return { kind: 'refused', reason: 'Trap', message: 'it does not begin' };
      isBegun = true;
      await gate.promise;
      return { kind: 'ready' };
    },
    { release: (digest) => released.push(digest) },
  );
  const { digest } = (object['spec'] as PolicyPackRevisionSpec).module;
  modules.want(new Map([wanted('a/p', 'a')]));
  await eventually('it is refused', () => modules.faults.length === 1);
  modules.want(new Map());
  t.deepEqual(released, [digest]);
  modules.want(new Map([wanted('b/p', 'b')]));
  await eventually('it is being loaded', () => isBegun);
  modules.want(new Map());
  gate.resolve();
  await eventually('what came too late is let go as well', () => released.length === 3);
  t.deepEqual(modules.prepared, []);
  modules.close();
});

// SPDX-License-Identifier: Apache-2.0
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import test from 'ava';
import { attachCluster } from '#hack/cluster/attach';
import { collectionPath } from './resource.ts';
import { eventually } from '#hack/tools/eventually';
import { becomesReady, createWidget, passesOf, type Rig, startRig, sumOf, widgetOf } from './testing/rig.ts';

const ROUNDS = 4;
const EVENTS_PER_ROUND = 25_000;
const OBJECTS = 100;
const MEGABYTE = 1024 * 1024;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Memory in bytes: what objects and buffers take, and what is resident outside V8's heap. */
interface Sample {
  readonly inUse: number;
  readonly outside: number;
}

/**
 * Memory after a full collection. How much V8 keeps free for later is left out; it differs from run to run.
 */
function memory(): Sample {
  collectGarbage();
  collectGarbage();
  const { heapUsed, heapTotal, external, rss } = process.memoryUsage();
  return { inUse: heapUsed + external, outside: rss - heapTotal };
}

test.serial('memory stays flat over 100,000 watch events', async (t) => {
  t.timeout(600_000);
  const { kubeconfigPath } = await attachCluster();
  const rig = await startRig({ kubeconfigPath });
  t.teardown(() => rig.close());
  await createWidget(rig, 'a', { copies: 0, text: 'x'.repeat(500) });
  await becomesReady(rig, 'a');
  const model = await widgetOf(rig, 'a');
  const forge = forger(rig, JSON.stringify({ type: 'MODIFIED', object: model }), {
    name: '"name":"a"',
    version: `"resourceVersion":"${model?.metadata.resourceVersion}"`,
  });

  const startedAt = performance.now();
  const samples: Sample[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    await forge(EVENTS_PER_ROUND);
    samples.push(memory());
  }
  const seconds = (performance.now() - startedAt) / 1000;
  t.log(`${Math.round((ROUNDS * EVENTS_PER_ROUND) / seconds)} events/s; ${samples.map(inWords).join('; ')}`);

  const grown = samples.at(-1)!.inUse - samples[0]!.inUse;
  t.true(grown < 4 * MEGABYTE, `memory in use grew by ${inMegabytes(grown)}`);
  // Buffers are freed late, and never in the same rounds: but what leaks half a kilobyte for each event
  // grows in all.
  const steps = samples.slice(1).map((sample, i) => sample.outside - samples[i]!.outside);
  t.true(Math.min(...steps) < 12 * MEGABYTE, 'memory outside the heap grew in every round');
  t.true((await passesOf(rig.metrics)) > 0);
});

/**
 * Tells the manager of made-up widgets that come, change and go, as many events as asked for. They are all
 * being deleted and hold no finalizer, so that a pass over one writes nothing.
 */
function forger(rig: Rig, line: string, parts: { name: string; version: string }) {
  const path = collectionPath(rig.world.widgets, rig.world.namespace);
  let version = Number(parts.version.replaceAll(/\D/g, '').slice(0, 15));
  let told = 0;
  return async (count: number) => {
    const target = (await sumOf(rig.metrics, 'nexusos_watch_events_total', 'widgets')) + count;
    for (let i = 0; i < count; i += 1) {
      version += 1;
      const id = told % OBJECTS;
      // Every seventh is gone, and comes again.
      const type = told % 7 === 6 ? 'DELETED' : 'MODIFIED';
      const object = line
        .replace('"MODIFIED"', `"${type}"`)
        .replace(parts.name, `"name":"forged-${id}"`)
        .replace('"metadata":{', `"metadata":{"deletionTimestamp":"2026-01-01T00:00:00Z",`)
        .replace(parts.version, `"resourceVersion":"${version}"`);
      rig.proxy.watches.forge(path, object);
      told += 1;
      if (told % 200 === 0) await rig.proxy.watches.drained(path);
    }
    await eventually(
      'all events arrived',
      async () => (await sumOf(rig.metrics, 'nexusos_watch_events_total', 'widgets')) >= target,
    );
    await eventually('the queue is empty', async () => (await sumOf(rig.metrics, 'workqueue_depth')) === 0);
  };
}

function inWords({ inUse, outside }: Sample): string {
  return `in use ${inMegabytes(inUse)}, outside ${inMegabytes(outside)}`;
}

function inMegabytes(bytes: number): string {
  return `${(bytes / MEGABYTE).toFixed(1)} MB`;
}

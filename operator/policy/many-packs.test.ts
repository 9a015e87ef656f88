// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import test from 'ava';
import { createMetrics } from '../telemetry/metrics.ts';
import { PolicyHost } from './host.ts';
import { verifyModule } from './module.ts';
import { compileRego } from './testing/compile.ts';

const MIB = 1024 * 1024;
const KEPT_BYTES = 48 * MIB;
const RESIDENT_BYTES = 24 * MIB;
const TENANTS = 80;
const PADDING_BYTES = 1.5 * MIB;
const DATA_BYTES = 2 * MIB;
/** What fetching makes on the heap of this thread, and what allocators hold on to: it does not grow with the number of packs. */
const SLACK_MB = 60;
/** So often, and so many times in a row without less, is looked. */
const LOOK_MS = 200;
const QUIET_LOOKS = 10;
const AWAY = new Uint8Array();

/** What this process has resident, in MB (10^6 bytes). */
async function residentMegabytes(): Promise<number> {
  const status = await readFile('/proc/self/status', 'utf8');
  return (Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024) / 1e6;
}

/** The same when nothing more goes back: threads beside V8's own give memory back, on a busy machine seconds after it was let go. */
async function settled(collect: () => void): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let quiet = 0; quiet < QUIET_LOOKS; quiet += 1) {
    collect();
    await setTimeout(LOOK_MS);
    const now = await residentMegabytes();
    if (now < least - 1) quiet = 0;
    least = Math.min(least, now);
  }
  return least;
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** The same module with a custom section, which nobody reads and V8 keeps: as large, and with as many digests, as one likes. */
function padded(module: Uint8Array, index: number): Uint8Array {
  const name = new TextEncoder().encode('padding');
  const size = 1 + name.length + PADDING_BYTES;
  const header = [
    0,
    ...[0, 7, 14, 21, 28].map((by) => ((size >> by) & 127) | (by < 28 ? 128 : 0)),
    name.length,
  ];
  const padding = new Uint8Array(PADDING_BYTES).fill(index + 1);
  return Buffer.concat([module, new Uint8Array(header), name, padding]);
}

test('this process lets go of memory as those of the image do', async (t) => {
  const dockerfile = await readFile(join(import.meta.dirname, '../../Dockerfile'), 'utf8');
  const said = /^ENV MALLOC_MMAP_THRESHOLD_=(\d+)$/m.exec(dockerfile.split(/^FROM /m).at(-1) ?? '');
  t.is(process.env['MALLOC_MMAP_THRESHOLD_'], said?.[1]);
});

test('many large packs take no more memory than there is room for, and all of them answer', async (t) => {
  const wasm = await compileRego({ rego: 'package p\nx := data.list[0]', entrypoints: ['p/x'] });
  const blobs = (index: number) => ({
    module: padded(wasm, index),
    data: Buffer.from(JSON.stringify({ list: [index, 'x'.repeat(DATA_BYTES)] })),
  });
  const packs = new Map(
    Array.from({ length: TENANTS + 1 }, (_, index) => {
      const { module, data } = blobs(index);
      const verified = verifyModule(module);
      if (verified.kind === 'refused') throw new Error(verified.faults[0]?.message);
      return [
        index,
        {
          module: { ...verified.module, bytes: AWAY, metered: AWAY },
          data: { digest: digestOf(data), bytes: AWAY },
        },
      ];
    }),
  );
  const fetched: number[] = [];
  const host = new PolicyHost({
    platformWorkers: 1,
    tenantWorkers: 1,
    spareWorkers: 0,
    metrics: createMetrics(),
    limits: {
      keptBytes: KEPT_BYTES,
      residentBytes: RESIDENT_BYTES,
      maxMemoryMiB: 16,
      maxDeadlineMs: 60_000,
      loadDeadlineMs: 60_000,
      maxWaitMs: 60_000,
      budget: { msPerSecond: 1000, burstMs: 1e9 },
    },
    fetch: (digest) => {
      const [index, { module }] = [...packs].find(([, one]) =>
        [one.module.digest, one.data.digest].includes(digest),
      )!;
      fetched.push(index);
      const { module: bytes, data } = blobs(index);
      return Promise.resolve(module.digest === digest ? bytes : data);
    },
  });
  t.teardown(() => host.close());
  await host.ready();
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const askAll = async () => {
    for (const [index, pack] of packs) {
      const tenant = index === 0 ? undefined : `tenant-${index}`;
      const asked = { ...pack, entrypoint: 'p/x', nowNs: 0n, deadlineMs: 60_000, memoryMiB: 16, tenant };
      const verdict = await host.evaluate({ ...asked, input: new TextEncoder().encode('{}') });
      t.is(verdict.kind === 'value' ? verdict.value : JSON.stringify(verdict), index);
      t.true(host.keptBytes <= KEPT_BYTES);
    }
    return settled(collect);
  };
  const asked = packs.get(0)!;
  await host.evaluate({
    ...asked,
    entrypoint: 'p/x',
    nowNs: 0n,
    deadlineMs: 60_000,
    memoryMiB: 16,
    tenant: undefined,
    input: new TextEncoder().encode('{}'),
  });
  const before = await settled(collect);
  const rounds = [await askAll(), await askAll()];
  const grew = rounds.map((after) => after - before);
  // What all of them are, as they lie in memory: each module once, data once and once in each instance.
  const all = (TENANTS * (PADDING_BYTES + 3 * DATA_BYTES)) / 1e6;
  t.true(
    Math.max(...grew) < (KEPT_BYTES + 2 * RESIDENT_BYTES) / 1e6 + SLACK_MB,
    `grew by ${grew.join(' and ')} MB; all are ${all} MB`,
  );
  t.is(fetched.filter((index) => index === 0).length, 2, 'the platform makes way for nobody');
  t.true(fetched.length > 3 * TENANTS, 'tenants do for each other');
  t.log(
    `grew by ${grew.map(Math.round).join(' and ')} MB; all are ${Math.round(all)} MB; ${fetched.length} fetched`,
  );
});

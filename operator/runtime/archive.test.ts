// SPDX-License-Identifier: Apache-2.0
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { eventually } from '#hack/tools/eventually';
import type { KubeObject } from '../core/object.ts';
import { createLog } from '../telemetry/log.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { Archive } from './archive.ts';
import { type ArchiveTarget, createArchiveClient } from './archive-client.ts';

interface Seen {
  readonly lines: readonly string[];
  readonly headers: IncomingMessage['headers'];
}

/** How the archive of a test answers a request; undefined: never. */
type Answers = (seen: Seen) => number | undefined;

interface World {
  readonly archive: Archive;
  readonly seen: Seen[];
  /** Names of objects that were removed, in order. */
  readonly removed: string[];
  readonly metrics: ReturnType<typeof createMetrics>;
  readonly logged: string[];
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/runs`;
}

async function bodyOf(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

async function worldOf(
  t: ExecutionContext,
  answers: Answers,
  target: Partial<ArchiveTarget> = {},
): Promise<World> {
  const seen: Seen[] = [];
  const answer = async (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const lines = (await bodyOf(incoming)).split('\n').filter((line) => line !== '');
    seen.push({ lines, headers: incoming.headers });
    const status = answers({ lines, headers: incoming.headers });
    if (status !== undefined)
      outgoing.writeHead(status, { location: '/elsewhere' }).end('x'.repeat(1_000_000));
  };
  const server = createServer((incoming, outgoing) => void answer(incoming, outgoing));
  const url = await listen(server);
  const logged: string[] = [];
  const log = createLog({ level: 'warn', destination: { write: (line) => void logged.push(line) } });
  const metrics = createMetrics();
  const client = createArchiveClient({ url, ...target });
  const archive = new Archive({ client, metrics, log, backoff: { baseMs: 10, maxMs: 50 } });
  t.teardown(async () => {
    server.closeAllConnections();
    server.close();
    await archive.stop();
  });
  return { archive, seen, removed: [], metrics, logged };
}

function objectOf(name: string, more: object = {}): KubeObject {
  return { apiVersion: 'nexusos.dev/v1alpha1', kind: 'Run', metadata: { name, uid: name }, ...more };
}

function add({ archive, removed }: World, name: string, more: object = {}): void {
  archive.add({
    record: objectOf(name, more),
    remove: async () => {
      removed.push(name);
    },
  });
}

function untilRemoved({ removed }: World, ...names: readonly string[]): Promise<unknown> {
  return eventually(`${names.join(', ')} are removed`, async () =>
    names.every((name) => removed.includes(name)),
  );
}

test('an object is sent whole, as a line of JSON, and removed when the archive has it', async (t) => {
  const world = await worldOf(t, () => 204);
  add(world, 'a', { status: { phase: 'Succeeded' } });
  await untilRemoved(world, 'a');
  t.deepEqual(
    world.seen[0]?.lines.map((line) => JSON.parse(line) as object),
    [objectOf('a', { status: { phase: 'Succeeded' } })],
  );
  t.is(world.seen[0]?.headers['content-type'], 'application/x-ndjson');
  t.is(world.seen[0]?.headers.authorization, undefined);
  t.regex(await world.metrics.text(), /nexusos_archived_total\{outcome="taken"\} 1/);
});

test('nothing is removed while the archive does not take it, and everything when it does', async (t) => {
  let status: number | undefined = 503;
  const world = await worldOf(t, () => status);
  for (const name of ['a', 'b', 'c']) add(world, name);
  await eventually('it is tried again', async () => world.seen.length >= 4);
  t.deepEqual(world.removed, []);
  t.true(world.logged.some((line) => line.includes('it answered 503')));
  status = 200;
  await untilRemoved(world, 'a', 'b', 'c');
  t.is(world.removed.length, 3);
});

for (const status of [301, 401, 403, 404, 408, 429, 500]) {
  test(`${status} says nothing of the records: they are sent again`, async (t) => {
    let isMended = false;
    const world = await worldOf(t, () => (isMended ? 200 : status));
    add(world, 'a');
    await eventually('it is tried again', async () => world.seen.length >= 2);
    t.deepEqual(world.removed, []);
    isMended = true;
    await untilRemoved(world, 'a');
  });
}

function isBad(line: string): boolean {
  return line.includes('"poison"');
}

test('one that the archive refuses stays, is not sent for ever, and keeps nobody else from going', async (t) => {
  const world = await worldOf(t, ({ lines }) => (lines.some(isBad) ? 422 : 200));
  for (const name of ['a', 'poison', 'b']) add(world, name);
  await untilRemoved(world, 'a', 'b');
  t.deepEqual([world.archive.hasRefused('poison'), world.archive.hasRefused('a')], [true, false]);
  add(world, 'poison');
  add(world, 'c');
  await untilRemoved(world, 'c');
  t.deepEqual(world.removed.toSorted(), ['a', 'b', 'c']);
  const alone = world.seen.filter(({ lines }) => lines.length === 1 && lines.some(isBad));
  t.is(alone.length, 1);
  t.regex(await world.metrics.text(), /nexusos_archived_total\{outcome="refused"\} 1/);
});

test('what waits already waits once, and too many are not taken', async (t) => {
  const world = await worldOf(t, () => 503);
  for (let i = 0; i < 5000; i += 1) add(world, `r${i}`);
  add(world, 'r0');
  t.throws(() => add(world, 'one-more'), { message: /5000 objects wait for the archive/ });
});

test('requests stay small: many lines, or large ones, go in several', async (t) => {
  const world = await worldOf(t, () => 200);
  for (let i = 0; i < 250; i += 1) add(world, `r${i}`);
  for (let i = 0; i < 4; i += 1) add(world, `large${i}`, { spec: { input: 'x'.repeat(600_000) } });
  await untilRemoved(world, 'r249', 'large3');
  t.true(world.seen.every(({ lines }) => lines.length <= 100 && lines.join('').length < 1_100_000));
  t.is(world.seen.flatMap(({ lines }) => lines).length, 254);
});

test('an archive that says nothing is given up after its time, and asked again', async (t) => {
  let isSilent = true;
  const world = await worldOf(t, () => (isSilent ? undefined : 200), { timeoutMs: 100 });
  add(world, 'a');
  await eventually('it is tried again', async () => world.seen.length >= 2);
  t.deepEqual(world.removed, []);
  isSilent = false;
  await untilRemoved(world, 'a');
});

test('its token is that of the file as it is then, and never in the log', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'nexusos-archive-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  await writeFile(join(folder, 'token'), 'first-secret\n');
  const world = await worldOf(
    t,
    ({ headers }) => (headers.authorization === 'Bearer second-secret' ? 200 : 401),
    { folder },
  );
  add(world, 'a');
  await eventually('it is refused', async () => world.logged.length > 0);
  await writeFile(join(folder, 'token'), 'second-secret');
  await untilRemoved(world, 'a');
  t.false(world.logged.some((line) => line.includes('secret')));
});

test('one that could not be removed can be put on record again', async (t) => {
  const world = await worldOf(t, () => 200);
  const fails = { record: objectOf('a'), remove: () => Promise.reject(new Error('not now')) };
  world.archive.add(fails);
  await eventually('that is told', async () => world.logged.some((line) => line.includes('not now')));
  add(world, 'a');
  await untilRemoved(world, 'a');
  t.is(world.seen.length, 2);
});

const ofOldTenure = () => Promise.reject(new Error('the tenure is over'));

test('one that waits is removed as was asked for last', async (t) => {
  let status = 503;
  const world = await worldOf(t, () => status);
  world.archive.add({ record: objectOf('a'), remove: ofOldTenure });
  await eventually('it is tried', async () => world.seen.length > 0);
  add(world, 'a');
  status = 200;
  await untilRemoved(world, 'a');
  t.deepEqual(world.removed, ['a']);
  t.false(world.logged.some((line) => line.includes('the tenure is over')));
});

test('after its end it takes nothing', async (t) => {
  const world = await worldOf(t, () => 200);
  await world.archive.stop();
  add(world, 'a');
  t.deepEqual([world.seen.length, world.removed.length], [0, 0]);
});

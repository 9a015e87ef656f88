// SPDX-License-Identifier: Apache-2.0
import { createSocket } from 'node:dgram';
import { isIPv4 } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { eventually } from '#hack/tools/eventually';
import { ADDRESS_REFUSED, finderByQuery, lookupWhere } from './lookup.ts';
import { Outbound } from './outbound.ts';

const A = 1;

/** A server of names on loopback that answers with what `answers` has, and not at all for other names. */
async function serveNames(t: ExecutionContext, answers: Readonly<Record<string, readonly string[]>>) {
  const asked: string[] = [];
  const socket = createSocket('udp4', (query, from) => {
    const { name, end } = nameIn(query);
    asked.push(name);
    const addresses = answers[name];
    if (addresses === undefined) return;
    const type = query.readUInt16BE(end);
    const records = type === A ? addresses.filter(isIPv4).map(recordOf) : [];
    const header = Buffer.from([query[0]!, query[1]!, 0x81, 0x80, 0, 1, 0, records.length, 0, 0, 0, 0]);
    socket.send(Buffer.concat([header, query.subarray(12, end + 4), ...records]), from.port, from.address);
  });
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  t.teardown(() => socket.close());
  return { server: `127.0.0.1:${socket.address().port}`, asked };
}

function nameIn(query: Buffer): { readonly name: string; readonly end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.subarray(at + 1, at + 1 + length).toString('latin1'));
    at += 1 + length;
  }
  return { name: labels.join('.').toLowerCase(), end: at + 1 };
}

/** The name is where the question has it; of no duration. */
function recordOf(address: string): Buffer {
  return Buffer.from([0xc0, 12, 0, A, 0, 1, 0, 0, 0, 0, 0, 4, ...address.split('.').map(Number)]);
}

function found(find: ReturnType<typeof finderByQuery>, name: string, isAllowed: (one: string) => boolean) {
  return new Promise((resolve) => {
    lookupWhere(isAllowed, find)(name, { all: true }, (error, addresses) =>
      resolve(error === null ? addresses : error.code),
    );
  });
}

const anything = () => true;

test('a name is what its servers say, and nothing of the machine', async (t) => {
  const { server } = await serveNames(t, { 'packs.example': ['192.0.2.1', '192.0.2.2'], 'none.example': [] });
  const find = finderByQuery([server]);
  t.deepEqual(await found(find, 'packs.example', anything), [
    { address: '192.0.2.1', family: 4 },
    { address: '192.0.2.2', family: 4 },
  ]);
  t.is(
    await found(find, 'packs.example', (one) => one !== '192.0.2.2'),
    ADDRESS_REFUSED,
    'one of them is odd',
  );
  t.is(await found(find, 'none.example', anything), 'ENODATA');
});

test('this machine is not asked for, by no name of it', async (t) => {
  const { server, asked } = await serveNames(t, {});
  const find = finderByQuery([server]);
  for (const name of ['localhost', 'LOCALHOST', 'localhost.', 'a.localhost'])
    t.is(await found(find, name, (one) => one !== '127.0.0.1'), ADDRESS_REFUSED, name);
  t.deepEqual(asked, []);
});

test('names whose servers keep silent are all asked for at once, and hold up neither others nor what the platform lists', async (t) => {
  const { server, asked } = await serveNames(t, { 'quick.example': ['127.0.0.1'] });
  const outbound = new Outbound({
    rulesOf: ({ hostname }) => (hostname === 'localhost' ? { isPrivate: true } : undefined),
    maxRedirects: 0,
    nameServers: [server],
  });
  t.teardown(() => outbound.close());
  const ask = async (host: string) => {
    const url = new URL(`https://${host}:1/`);
    const signal = AbortSignal.timeout(60_000);
    const { outcome } = await outbound.send({ method: 'GET', url, headers: {}, maxBytes: 1, signal });
    return outcome.kind;
  };
  const seen = () => new Set(asked.filter((name) => name.startsWith('silent'))).size;
  let seenAtFirstEnd: number | undefined;
  const silent = Array.from({ length: 30 }, async (_, i) => {
    const kind = await ask(`silent${i}.example`);
    seenAtFirstEnd ??= seen();
    return kind;
  });
  // Loopback is refused where a stranger names it; where the platform does, nobody listens there.
  await eventually('a name that has a server is answered', async () =>
    (await ask('quick.example')) === 'refused' ? true : undefined,
  );
  t.is(await ask('localhost'), 'unreachable');
  for (const kind of await Promise.all(silent)) t.is(kind, 'unreachable');
  t.is(seenAtFirstEnd, 30, 'in threads it would be two at a time');
});

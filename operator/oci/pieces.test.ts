// SPDX-License-Identifier: Apache-2.0
import { createHash, type Hash, randomBytes } from 'node:crypto';
import test, { type ExecutionContext } from 'ava';
import { digestOfBytes } from '../core/oci/digest.ts';
import { ASKING, clientOf } from './testing/client.ts';
import { makeManifest, repositoryAt, serve } from './testing/serve.ts';

/** What a socket is read in. */
const PIECE = 64 << 10;

/** Counts what is hashed in one piece by anybody in this thread. */
function hashedAtOnce(t: ExecutionContext): number[] {
  const sizes: number[] = [];
  const prototype = Object.getPrototypeOf(createHash('sha256')) as Hash;
  const before = Object.getOwnPropertyDescriptor(prototype, 'update') as {
    readonly value: (this: Hash, data: Uint8Array) => Hash;
  };
  function update(this: Hash, data: Uint8Array): Hash {
    sizes.push(data.length);
    return before.value.call(this, data);
  }
  Object.defineProperty(prototype, 'update', { ...before, value: update });
  t.teardown(() => Object.defineProperty(prototype, 'update', before));
  return sizes;
}

for (const announces of [true, false]) {
  for (const algorithm of ['sha256', 'sha512']) {
    test.serial(
      `a document of 8 MiB is hashed as it comes, ${announces ? '' : 'not '}announced, by ${algorithm}`,
      async (t) => {
        const bytes = randomBytes(8 << 20);
        const digest = digestOfBytes(bytes, `${algorithm}:`);
        const server = await serve(t, (_, response) => {
          response.writeHead(200, announces ? { 'content-length': bytes.length } : {});
          response.end(bytes);
        });
        const client = clientOf(t, [server]);
        const sizes = hashedAtOnce(t);
        const read = await client.blob(repositoryAt(server), { digest, size: bytes.length }, ASKING);
        t.true(read.kind === 'ok' && bytes.equals(read.value), JSON.stringify(read).slice(0, 200));
        const all = sizes.reduce((sum, size) => sum + size, 0);
        t.is(all, bytes.length, 'each byte once');
        t.true(Math.max(...sizes) <= PIECE, `${Math.max(...sizes)} bytes in one piece`);
      },
    );
  }
}

test.serial('a manifest that a tag stands for is hashed as it comes', async (t) => {
  const layer = { mediaType: 'a/b', digest: digestOfBytes(Buffer.from('{}')), size: 2 };
  const annotations = { long: 'x'.repeat(60_000) };
  const made = makeManifest({ layers: Array.from({ length: 20 }, () => ({ ...layer, annotations })) });
  const server = await serve(t, (_, response) => void response.end(made.bytes));
  const client = clientOf(t, [server]);
  const sizes = hashedAtOnce(t);
  const read = await client.tagged(repositoryAt(server), 'v1', ASKING);
  t.like(read, { kind: 'ok', value: { digest: made.digest } });
  t.is(
    sizes.reduce((sum, size) => sum + size, 0),
    made.bytes.length,
  );
  t.true(Math.max(...sizes) <= PIECE, `${Math.max(...sizes)} bytes in one piece`);
});

test.serial('what is not what its digest says is refused, in pieces or not', async (t) => {
  const bytes = randomBytes(1 << 20);
  const server = await serve(t, (_, response) => void response.end(bytes));
  const client = clientOf(t, [server]);
  const other = { digest: digestOfBytes(Buffer.from('other')), size: bytes.length };
  t.like(await client.blob(repositoryAt(server), other, ASKING), { kind: 'broken' });
  const short = { digest: digestOfBytes(bytes), size: bytes.length + 1 };
  t.like(await client.blob(repositoryAt(server), short, ASKING), { kind: 'broken' });
});

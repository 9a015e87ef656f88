// SPDX-License-Identifier: Apache-2.0
import { gzipSync } from 'node:zlib';
import test from 'ava';
import { digestOf, readBlob, readModule } from './stored-module.ts';

const CONTENT = Buffer.from('policy '.repeat(10_000));

/** `bytes` in three parts, and what a revision says of them. */
function stored(bytes: Uint8Array) {
  const packed = gzipSync(bytes);
  const third = Math.ceil(packed.length / 3);
  const names = ['a', 'b', 'c'];
  const parts = new Map(
    names.map((name, i) => [name, packed.subarray(i * third, (i + 1) * third).toString('base64')]),
  );
  return { blob: { digest: digestOf(bytes), size: bytes.length, chunks: names }, parts };
}

const reasonOf = async (read: ReturnType<typeof readBlob>) => {
  const answer = await read;
  return answer.kind === 'ok' ? 'ok' : answer.reason;
};

test('parts come to what was stored', async (t) => {
  const { blob, parts } = stored(CONTENT);
  const read = await readBlob(blob, parts);
  t.true(read.kind === 'ok' && CONTENT.equals(read.bytes));
});

test('what is not as the revision says is not used: missing, changed, cut, swapped, or more than it says', async (t) => {
  const { blob, parts } = stored(CONTENT);
  const without = new Map([...parts].slice(1));
  t.is(await reasonOf(readBlob(blob, without)), 'ChunkMissing');
  const other = stored(Buffer.from('other '.repeat(10_000)));
  t.is(await reasonOf(readBlob({ ...blob, size: other.blob.size }, other.parts)), 'DigestMismatch');
  t.is(await reasonOf(readBlob({ ...blob, chunks: ['a', 'b'] }, parts)), 'Corrupt');
  t.is(await reasonOf(readBlob({ ...blob, chunks: ['b', 'a', 'c'] }, parts)), 'Corrupt');
  t.is(await reasonOf(readBlob({ ...blob, size: 100 }, parts)), 'Corrupt');
  t.is(await reasonOf(readBlob({ ...blob, size: blob.size + 1 }, parts)), 'DigestMismatch');
  t.is(await reasonOf(readBlob({ ...blob, size: 65 * 1024 * 1024 }, parts)), 'TooLarge');
});

test('a bomb takes no more memory than the revision says it has', async (t) => {
  const { parts, blob } = stored(Buffer.alloc(60 * 1024 * 1024));
  const before = process.memoryUsage().arrayBuffers;
  t.is(await reasonOf(readBlob({ ...blob, size: 1000 }, parts)), 'Corrupt');
  t.true(process.memoryUsage().arrayBuffers - before < 8 * 1024 * 1024);
});

test('what is no module is not run, though its digest is right', async (t) => {
  const { blob, parts } = stored(CONTENT);
  const read = await readModule(blob, parts);
  t.is(read.kind, 'unreadable');
});

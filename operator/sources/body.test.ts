// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import test from 'ava';
import * as fc from 'fast-check';
import { Body, type BodyOptions } from './body.ts';

function take(pieces: readonly Uint8Array[], options: Partial<BodyOptions> = {}) {
  const body = new Body({ maxBytes: 1 << 20, ...options });
  const taken = pieces.every((piece) => body.take(piece));
  return { taken, ...body.end() };
}

function hex(algorithm: string, bytes: Uint8Array): string {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`;
}

test('whatever the pieces, and whatever was announced, the bytes and their digest are those of all of it', (t) => {
  const pieces = fc.array(fc.uint8Array({ maxLength: 100_000, size: 'max' }), { maxLength: 6 });
  const expected = fc.option(fc.nat(200_000), { nil: undefined });
  const algorithm = fc.constantFrom('sha256', 'sha512');
  fc.assert(
    fc.property(pieces, expected, algorithm, (some, announced, by) => {
      const whole = Buffer.concat(some);
      const { taken, bytes, digest } = take(some, { expected: announced, algorithm: by });
      t.true(taken);
      t.true(whole.equals(bytes));
      t.is(digest, hex(by, whole));
      t.is(bytes.buffer.byteLength, bytes.length, 'nothing is kept beside it');
    }),
    { numRuns: 60 },
  );
});

const PIECE = Buffer.alloc(10, 'x');

const LIMITS: readonly {
  readonly name: string;
  readonly pieces: number;
  readonly options: BodyOptions;
  readonly taken: boolean;
}[] = [
  { name: 'as much as may be', pieces: 3, options: { maxBytes: 30 }, taken: true },
  { name: 'more than may be', pieces: 4, options: { maxBytes: 30 }, taken: false },
  { name: 'more than was announced', pieces: 3, options: { maxBytes: 30, expected: 5 }, taken: true },
  { name: 'announced as more than may be', pieces: 3, options: { maxBytes: 30, expected: 1e9 }, taken: true },
];

for (const { name, pieces, options, taken } of LIMITS) {
  test(`${name} is ${taken ? '' : 'not '}taken`, (t) => {
    const some = Array.from({ length: pieces }, () => PIECE);
    const found = take(some, options);
    t.is(found.taken, taken);
    t.is(found.bytes.length, Math.min(pieces * PIECE.length, options.maxBytes));
    t.is(found.digest, undefined, 'nobody has asked for it');
  });
}

test('nothing at all has a digest, and takes no room that was announced', (t) => {
  const { bytes, digest } = take([], { expected: 1 << 20, algorithm: 'sha256' });
  t.is(bytes.length, 0);
  t.is(digest, hex('sha256', Buffer.alloc(0)));
});

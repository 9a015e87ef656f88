// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { FrameReader, frameOf } from './frames.ts';

const FRAMES: readonly { readonly header: object; readonly body?: Uint8Array }[] = [
  { header: { kind: 'ready' } },
  { header: { kind: 'image', digest: 'sha256:é' }, body: Buffer.from('a manifest') },
  { header: {}, body: Buffer.alloc(0) },
  { header: { text: 'x'.repeat(5000) }, body: Buffer.alloc(70_000, 7) },
];

const whole = Buffer.concat(FRAMES.flatMap(({ header, body }) => frameOf(header, body)));

for (const size of [1, 7, 8, 4096, whole.length]) {
  test(`frames are read as they were written, in pieces of ${size}`, (t) => {
    const found: { header: unknown; body: Buffer }[] = [];
    const reader = new FrameReader((header, body) => found.push({ header, body: Buffer.from(body) }));
    for (let at = 0; at < whole.length; at += size) reader.write(whole.subarray(at, at + size));
    t.deepEqual(
      found,
      FRAMES.map(({ header, body }) => ({ header, body: Buffer.from(body ?? []) })),
    );
  });
}

test('what is written is not copied', (t) => {
  const body = Buffer.alloc(1000);
  t.is(frameOf({}, body)[1], body);
});

test('what is not told whole is not taken', (t) => {
  const reader = new FrameReader(() => t.fail('half of it was taken'));
  reader.write(whole.subarray(0, 12));
  t.pass();
});

for (const { name, bytes } of [
  { name: 'a header', bytes: [0, 0, 1, 1, 0, 0, 0, 0] },
  { name: 'bytes', bytes: [0, 0, 0, 2, 0, 0, 1, 1, 0x7b, 0x7d] },
]) {
  test(`no room is made for ${name} longer than may be`, (t) => {
    const reader = new FrameReader(() => t.fail('it was taken'), 256);
    t.throws(() => reader.write(Buffer.from(bytes)), {
      instanceOf: RangeError,
      message: 'a frame of 257 bytes; 256 are read',
    });
  });
}

test('a header that is no JSON is refused', (t) => {
  const reader = new FrameReader(() => t.fail('it was taken'));
  t.throws(() => reader.write(Buffer.from([0, 0, 0, 1, 0, 0, 0, 0, 0x78])), { instanceOf: SyntaxError });
});

// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { integer, namedBits, objectIdentifier, octetString, utcTime } from './der.ts';

const encodings = {
  'zero has one digit': { got: integer(Buffer.from([0, 0])), want: '020100' },
  'leading zeros of an integer are not written': { got: integer(Buffer.from([0, 0, 5])), want: '020105' },
  'an integer with its top bit set stays positive': { got: integer(Buffer.from([0x80])), want: '02020080' },
  'an empty integer is zero': { got: integer(Buffer.alloc(0)), want: '020100' },
  'bits are numbered from the left': { got: namedBits([0]), want: '03020780' },
  'trailing zero bits are not written': { got: namedBits([5, 6]), want: '03020106' },
  'bits beyond the first byte': { got: namedBits([8]), want: '0303070080' },
  'the first two arcs share a byte, long arcs take several': {
    got: objectIdentifier('1.2.840.10045.4.3.2'),
    want: '06082a8648ce3d040302',
  },
  'a length below 128 takes one byte': {
    got: octetString(Buffer.alloc(127)).subarray(0, 3),
    want: '047f00',
  },
  'a length of 128 takes two': { got: octetString(Buffer.alloc(128)).subarray(0, 3), want: '048180' },
  'a length of 256 takes three': { got: octetString(Buffer.alloc(256)).subarray(0, 4), want: '04820100' },
  'time is to the second, in UTC': {
    got: utcTime(new Date('2026-11-21T12:34:56.789Z')),
    want: `170d${Buffer.from('261121123456Z').toString('hex')}`,
  },
};

for (const [title, { got, want }] of Object.entries(encodings)) {
  test(title, (t) => {
    t.is(got.toString('hex'), want);
  });
}

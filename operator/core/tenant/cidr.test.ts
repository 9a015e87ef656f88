// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import * as fc from 'fast-check';
import { type Cidr, containsCidr, formatCidr, outermost, parseCidr } from './cidr.ts';

const CANONICAL: Readonly<Record<string, string | undefined>> = {
  '10.1.2.3/8': '10.0.0.0/8',
  '0.0.0.0/0': '0.0.0.0/0',
  '203.0.113.7/32': '203.0.113.7/32',
  '2001:DB8:0:0:0:0:0:1/32': '2001:db8::/32',
  '::/0': '::/0',
  '::1/128': '::1/128',
  '1:0:0:2:0:0:0:3/128': '1:0:0:2::3/128',
  'fd00:ec2::254/32': 'fd00:ec2::/32',
  '10.0.0.0': undefined,
  '10.0.0.0/33': undefined,
  '10.0.0/8': undefined,
  '010.0.0.0/8': undefined,
  '256.0.0.0/8': undefined,
  '::ffff:169.254.169.254/128': undefined,
  '::ffff:a9fe:a9fe/128': undefined,
  '1::2::3/64': undefined,
  '1:2:3:4:5:6:7:8:9/64': undefined,
  '1:2:3:4:5:6:7::8/64': undefined,
  'fe80::1%eth0/64': undefined,
  '10.0.0.0/-1': undefined,
  '': undefined,
};

for (const [text, want] of Object.entries(CANONICAL)) {
  test(`"${text}" is ${want ?? 'no range'}`, (t) => {
    const cidr = parseCidr(text);
    t.is(cidr && formatCidr(cidr), want);
  });
}

const CONTAINS: readonly (readonly [string, string, boolean])[] = [
  ['10.0.0.0/8', '10.1.0.0/16', true],
  ['10.1.0.0/16', '10.0.0.0/8', false],
  ['10.0.0.0/8', '10.0.0.0/8', true],
  ['10.0.0.0/8', '11.0.0.0/8', false],
  ['0.0.0.0/0', '::/0', false],
  ['fe80::/10', 'febf::1/128', true],
  ['fe80::/10', 'fec0::/128', false],
];

for (const [outer, inner, want] of CONTAINS) {
  test(`${outer} ${want ? 'contains' : 'does not contain'} ${inner}`, (t) => {
    t.is(containsCidr(parseCidr(outer)!, parseCidr(inner)!), want);
  });
}

const cidrs: fc.Arbitrary<Cidr> = fc
  .record({
    family: fc.constantFrom(4 as const, 6 as const),
    bits: fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }),
    prefix: fc.nat(128),
  })
  .map(({ family, bits, prefix }) => {
    const size = family === 4 ? 32 : 128;
    const length = Math.min(prefix, size);
    const host = BigInt(size - length);
    return { family, base: ((bits % 2n ** BigInt(size)) >> host) << host, prefix: length };
  })
  // IPv4 written as IPv6 is no range at all.
  .filter(({ family, base }) => family === 4 || base >> 32n !== 0xff_ffn);

test('a range read back from its text is the same', (t) => {
  fc.assert(
    fc.property(cidrs, (cidr) => {
      t.deepEqual(parseCidr(formatCidr(cidr)), cidr);
    }),
  );
});

test('the outermost ranges cover all, and none covers another', (t) => {
  fc.assert(
    fc.property(fc.array(cidrs, { maxLength: 12 }), (ranges) => {
      const outer = outermost(ranges);
      t.true(ranges.every((range) => outer.some((one) => containsCidr(one, range))));
      t.false(outer.some((one) => outer.some((other) => one !== other && containsCidr(one, other))));
    }),
  );
});

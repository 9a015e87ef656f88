// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import * as fc from 'fast-check';
import { containsCidr, parseCidr } from './cidr.ts';
import { desiredNetworkPolicy, judgeEgress, reservedCidrs } from './network.ts';
import { makeTenant, PLATFORM } from './testing/objects.ts';

const RESERVED = reservedCidrs(PLATFORM.reservedRanges);

const EGRESS: Readonly<
  Record<string, { readonly cidr: string; readonly except?: readonly string[]; readonly refused?: RegExp }>
> = {
  'far from everything': { cidr: '203.0.113.0/24', except: [] },
  'bits after the prefix are dropped': { cidr: '203.0.113.9/24', except: [] },
  'around nodes and services': { cidr: '10.0.0.0/8', except: ['10.0.0.0/16', '10.96.0.0/12'] },
  everything: {
    cidr: '0.0.0.0/0',
    except: [
      '10.0.0.0/16',
      '10.96.0.0/12',
      '100.64.0.0/10',
      '127.0.0.0/8',
      '168.63.129.16/32',
      '169.254.0.0/16',
      '192.0.0.192/32',
    ],
  },
  'everything of the other family': {
    cidr: '::/0',
    except: ['64:ff9b::/96', '::1/128', 'fd00:ec2::/32', 'fe80::/10'],
  },
  'just the nodes': {
    cidr: '10.0.0.0/16',
    refused: /^spec\.network\.egress\[0\]\.cidr is 10\.0\.0\.0\/16; it must lie outside 10\.0\.0\.0\/16/,
  },
  'one service': { cidr: '10.96.0.10/32', refused: /outside 10\.96\.0\.0\/12/ },
  'the metadata service': { cidr: '169.254.169.254/32', refused: /outside 169\.254\.0\.0\/16/ },
  'the metadata service of the other family': {
    cidr: 'fd00:ec2::254/128',
    refused: /outside fd00:ec2::\/32/,
  },
  'the metadata service in disguise': {
    cidr: '::ffff:169.254.169.254/128',
    refused: /must be an address range/,
  },
  'no range': { cidr: '1.2.3/24', refused: /must be an address range/ },
};

for (const [title, { cidr, except, refused }] of Object.entries(EGRESS)) {
  test(`egress ${title}: ${refused ? 'refused' : 'granted'}`, (t) => {
    const { rules, refusals } = judgeEgress([{ cidr }], RESERVED);
    if (refused) {
      t.deepEqual(rules, []);
      t.regex(refusals[0] ?? '', refused);
    } else {
      t.deepEqual(refusals, []);
      t.deepEqual(rules[0]?.except, except);
    }
  });
}

test('one refused destination does not close the others', (t) => {
  const { rules, refusals } = judgeEgress([{ cidr: '127.0.0.1/32' }, { cidr: '192.0.2.0/24' }], RESERVED);
  t.deepEqual(
    rules.map(({ cidr }) => cidr),
    ['192.0.2.0/24'],
  );
  t.is(refusals.length, 1);
});

test('what is granted never reaches a reserved address, and never cuts out anything else', (t) => {
  const address = fc
    .tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255))
    .map((parts) => parts.join('.'));
  const range = fc.tuple(address, fc.nat(32)).map(([base, prefix]) => `${base}/${prefix}`);
  fc.assert(
    fc.property(range, fc.array(range, { maxLength: 6 }), address, (found, configured, probe) => {
      const reserved = reservedCidrs(configured);
      const target = parseCidr(`${probe}/32`)!;
      for (const { cidr, except } of judgeEgress([{ cidr: found }], reserved).rules) {
        const whole = parseCidr(cidr)!;
        const holes = except.map((one) => parseCidr(one)!);
        t.true(holes.every((hole) => containsCidr(whole, hole) && hole.prefix > whole.prefix));
        const isOpen = containsCidr(whole, target) && !holes.some((hole) => containsCidr(hole, target));
        const isReserved = reserved.some((one) => containsCidr(one, target));
        t.is(isOpen, containsCidr(whole, target) && !isReserved);
      }
    }),
    { numRuns: 1000 },
  );
});

function peer(name: string) {
  return { namespaceSelector: { matchLabels: { 'nexusos.dev/tenant': name } } };
}

test('everything is closed, then DNS, the tenant itself and mutual peers are opened', (t) => {
  const tenant = makeTenant();
  const policy = desiredNetworkPolicy(tenant, 'acme-dev', { egress: [], mutualPeers: ['friend'] });
  t.like(policy['spec'], { podSelector: {}, policyTypes: ['Ingress', 'Egress'] });
  const spec = policy['spec'] as { ingress: unknown; egress: readonly unknown[] };
  t.is(spec.egress.length, 2);
  t.deepEqual(spec.ingress, [{ from: [peer('acme'), peer('friend')] }]);
  t.deepEqual(spec.egress[1], { to: [peer('acme'), peer('friend')] });
  t.like(spec.egress[0], { ports: [{ port: 53 }, { port: 53 }] });
});

test('a range of ports is written only when it is one', (t) => {
  const ports = [
    { protocol: 'TCP' as const, port: 443, endPort: 443 },
    { protocol: 'UDP' as const, port: 1000, endPort: 2000 },
  ];
  const { rules } = judgeEgress([{ cidr: '192.0.2.0/24', ports }], RESERVED);
  const policy = desiredNetworkPolicy(makeTenant(), 'acme-dev', { egress: rules, mutualPeers: [] });
  const { egress } = policy['spec'] as { egress: readonly { ports?: unknown }[] };
  t.deepEqual(egress[2]?.ports, [
    { protocol: 'TCP', port: 443 },
    { protocol: 'UDP', port: 1000, endPort: 2000 },
  ]);
});

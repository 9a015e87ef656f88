// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import dns from 'node:dns';
import { createServer as createPlainServer, type RequestListener } from 'node:http';
import { createServer } from 'node:https';
import { syncBuiltinESMExports } from 'node:module';
import type { AddressInfo } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { createAuthority, issue } from '#hack/cluster/certificates';
import { isMetadataAddress, isPublicAddress } from './addresses.ts';
import { type FetcherOptions, HttpsFetcher } from './https.ts';

const NOW = new Date();
const AUTHORITY = createAuthority('packs', NOW);
const { certificate: cert, key } = issue(
  AUTHORITY,
  { commonName: 'localhost', usages: ['server'], hosts: ['localhost', '127.0.0.1'] },
  NOW,
);
const FILE = Buffer.from('a bundle');
const DIGEST = `sha256:${createHash('sha256').update(FILE).digest('hex')}`;

/** A server on loopback; its port. */
async function serve(t: ExecutionContext, listener: RequestListener): Promise<number> {
  const server = createServer({ cert, key }, listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** One that trusts loopback at `ports`, as platforms trust a host of theirs. */
function fetcherFor(
  t: ExecutionContext,
  ports: readonly number[],
  options: Partial<FetcherOptions> = {},
): HttpsFetcher {
  const trustedHosts = ports.map((port) => `localhost:${port}`);
  const fetcher = new HttpsFetcher({
    trustedHosts,
    maxBytes: 1000,
    ca: AUTHORITY.pair.certificate,
    ...options,
  });
  t.teardown(() => fetcher.close());
  return fetcher;
}

test('a file that has the digest is taken, from a host that the platform trusts', async (t) => {
  const seen: unknown[] = [];
  const port = await serve(t, ({ headers }, answer) => {
    seen.push(headers);
    answer.end(FILE);
  });
  const outcome = await fetcherFor(t, [port]).get({
    url: `https://localhost:${port}/a.tar.gz`,
    digest: DIGEST,
  });
  if (outcome.kind !== 'ok') throw new Error(outcome.fault.message);
  t.deepEqual(Buffer.from(outcome.bytes), FILE);
  t.is((seen[0] as { authorization?: string }).authorization, undefined);
});

test('another file is not taken, and nothing of it is told', async (t) => {
  const port = await serve(t, (_, answer) => void answer.end('root:x:0:0'));
  const outcome = await fetcherFor(t, [port]).get({ url: `https://localhost:${port}/`, digest: DIGEST });
  t.like(outcome, { kind: 'fault', fault: { reason: 'DigestMismatch', passing: false } });
  t.notRegex(JSON.stringify(outcome), /root/);
});

test('an authority of the platform vouches for the hosts that it lists', async (t) => {
  const port = await serve(t, (_, answer) => void answer.end(FILE));
  const trustedCa = AUTHORITY.pair.certificate;
  const listed = new HttpsFetcher({ trustedHosts: [`localhost:${port}`], maxBytes: 1000, trustedCa });
  t.teardown(() => listed.close());
  const address = { url: `https://localhost:${port}/a.tar.gz`, digest: DIGEST };
  t.is((await listed.get(address)).kind, 'ok');
  const without = new HttpsFetcher({ trustedHosts: [`localhost:${port}`], maxBytes: 1000 });
  t.teardown(() => without.close());
  const outcome = await without.get(address);
  t.regex(
    outcome.kind === 'fault' ? outcome.fault.message : '',
    /certificate is by no authority that is known/,
  );
});

test('what is not trusted and not public is not connected to, whatever it is called', async (t) => {
  let asked = 0;
  const port = await serve(t, (_, answer) => {
    asked += 1;
    answer.end(FILE);
  });
  const hosts = [
    'localhost',
    '127.0.0.1',
    '127.1',
    '2130706433',
    '0x7f000001',
    '0177.0.0.1',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '0.0.0.0',
  ];
  const fetcher = fetcherFor(t, []);
  for (const host of hosts) {
    const outcome = await fetcher.get({ url: `https://${host}:${port}/`, digest: DIGEST });
    t.like(outcome, { kind: 'fault', fault: { reason: 'SourceRefused', passing: false } }, host);
  }
  t.is(asked, 0);
});

test('a host that the platform trusts is not asked either where it is a metadata service, or of a link', async (t) => {
  const hosts = [
    '169.254.169.254',
    '100.100.100.200',
    '[fd00:ec2::254]',
    '[::ffff:169.254.169.254]',
    '[fe80::1]',
  ];
  const trustedHosts = hosts.map((host) => new URL(`https://${host}`).host);
  const fetcher = fetcherFor(t, [], { trustedHosts, timeoutMs: 2000 });
  for (const host of hosts) {
    const outcome = await fetcher.get({ url: `https://${host}/latest/`, digest: DIGEST });
    t.like(outcome, { kind: 'fault', fault: { reason: 'SourceRefused', passing: false } }, host);
    t.regex(JSON.stringify(outcome), /metadata service, which no host may have/, host);
  }
});

test.serial('nor by a name that has such an address, though another as well', async (t) => {
  const real = dns.lookup;
  const odd = [
    { address: '127.0.0.1', family: 4 },
    { address: '169.254.169.254', family: 4 },
  ];
  const lookup = (name: string, options: object, callback: (error: null, found: object) => void) =>
    name === 'packs.example' ? callback(null, odd) : real(name, options, callback as never);
  Object.assign(dns, { lookup });
  syncBuiltinESMExports();
  t.teardown(() => {
    Object.assign(dns, { lookup: real });
    syncBuiltinESMExports();
  });
  const fetcher = fetcherFor(t, [], { trustedHosts: ['packs.example'], timeoutMs: 2000 });
  const outcome = await fetcher.get({ url: 'https://packs.example/a.tar.gz', digest: DIGEST });
  t.like(
    outcome,
    { kind: 'fault', fault: { reason: 'SourceRefused', passing: false } },
    JSON.stringify(outcome),
  );
  t.regex(JSON.stringify(outcome), /metadata service, which no host may have/);
});

test('a redirect is looked at like the first address', async (t) => {
  let asked = 0;
  const inner = await serve(t, (_, answer) => {
    asked += 1;
    answer.end(FILE);
  });
  const targets = [
    `https://localhost:${inner}/`,
    `https://127.0.0.1:${inner}/`,
    'http://localhost/',
    'file:///etc/passwd',
    'https://169.254.169.254/latest/',
  ];
  for (const location of targets) {
    const port = await serve(t, (_, answer) => void answer.writeHead(302, { location }).end());
    const outcome = await fetcherFor(t, [port]).get({ url: `https://localhost:${port}/`, digest: DIGEST });
    t.like(outcome, { kind: 'fault', fault: { reason: 'SourceRefused' } }, location);
  }
  t.is(asked, 0);
});

test('redirects to where one may go are followed, and not for ever', async (t) => {
  const port = await serve(t, ({ url = '' }, answer) => {
    const left = Number(url.slice(1));
    if (left === 0) answer.end(FILE);
    else answer.writeHead(307, { location: `/${left - 1}` }).end();
  });
  const fetcher = fetcherFor(t, [port]);
  t.is((await fetcher.get({ url: `https://localhost:${port}/3`, digest: DIGEST })).kind, 'ok');
  t.like(await fetcher.get({ url: `https://localhost:${port}/4`, digest: DIGEST }), {
    fault: { reason: 'SourceRefused' },
  });
});

const ANSWERS: Readonly<Record<string, { readonly answer: RequestListener; readonly want: object }>> = {
  'an error of the server': {
    answer: (_, answer) => void answer.writeHead(503).end('busy'),
    want: { reason: 'SourceUnavailable', passing: true },
  },
  'more than may be, said beforehand': {
    answer: (_, answer) => void answer.writeHead(200, { 'content-length': 5000 }).end(Buffer.alloc(5000)),
    want: { reason: 'SourceTooLarge', passing: false },
  },
  'more than may be, in pieces': {
    answer: (_, answer) => {
      for (let i = 0; i < 20; i += 1) answer.write(Buffer.alloc(100));
      answer.end();
    },
    want: { reason: 'SourceTooLarge', passing: false },
  },
  'no end': {
    answer: (_, answer) => void answer.write('a'),
    want: { reason: 'SourceUnavailable', passing: true },
  },
};

for (const [title, { answer, want }] of Object.entries(ANSWERS)) {
  test(`an answer of ${title}`, async (t) => {
    const port = await serve(t, answer);
    const outcome = await fetcherFor(t, [port], { timeoutMs: 2000 }).get({
      url: `https://localhost:${port}/`,
      digest: DIGEST,
    });
    t.like(outcome, { kind: 'fault', fault: want }, JSON.stringify(outcome));
  });
}

test('a server that nobody vouches for is not believed', async (t) => {
  const port = await serve(t, (_, answer) => void answer.end(FILE));
  const fetcher = new HttpsFetcher({ trustedHosts: [`localhost:${port}`], maxBytes: 1000 });
  t.teardown(() => fetcher.close());
  const outcome = await fetcher.get({ url: `https://localhost:${port}/`, digest: DIGEST });
  t.like(outcome, { kind: 'fault', fault: { reason: 'SourceUnavailable' } });
  t.regex(
    JSON.stringify(outcome),
    /cannot be asked: its certificate is by no authority that is known \([A-Z_]+\)/,
  );
});

test('a server that speaks http, and a port at which nobody listens, are told as what they are', async (t) => {
  const server = createPlainServer((_, answer) => void answer.end(FILE));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const fetcher = fetcherFor(t, [port]);
  const plain = await fetcher.get({ url: `https://localhost:${port}/`, digest: DIGEST });
  t.regex(
    JSON.stringify(plain),
    /cannot be asked: it does not speak https; that it speaks http has to be said/,
  );
  await new Promise((resolve) => server.close(resolve));
  const closed = await fetcher.get({ url: `https://localhost:${port}/`, digest: DIGEST });
  t.regex(JSON.stringify(closed), /cannot be asked: nobody listens at that port \(ECONNREFUSED\)/);
});

const PUBLIC = [
  '1.1.1.1',
  '93.184.216.34',
  '172.32.0.1',
  '100.128.0.1',
  '2606:4700::1111',
  '2a00:1450:4001::1',
];
const NOT_PUBLIC = `
  10.0.0.1 100.64.0.1 127.0.0.1 169.254.169.254 168.63.129.16 172.16.0.1 192.168.1.1 0.0.0.0
  198.18.0.1 224.0.0.1 255.255.255.255 192.0.2.1 203.0.113.9 192.0.0.192
  ::1 :: fe80::1 fe80::1%eth0 fd00::1 fd00:ec2::254 ff02::1 ::ffff:1.1.1.1 64:ff9b::101:101
  2002:7f00:1:: 2001:db8::1 2001::1 100::1 localhost
`
  .trim()
  .split(/\s+/);

test('which addresses are public', (t) => {
  for (const address of PUBLIC) t.true(isPublicAddress(address), address);
  for (const address of NOT_PUBLIC) t.false(isPublicAddress(address), address);
});

test('which addresses are of metadata services, or of links', (t) => {
  for (const address of [
    '169.254.169.254',
    '169.254.170.2',
    '::ffff:169.254.169.254',
    '168.63.129.16',
    '100.100.100.200',
    'fe80::1',
    'fe80::1%eth0',
    'fd00:ec2::254',
  ])
    t.true(isMetadataAddress(address), address);
  for (const address of ['10.0.0.1', '127.0.0.1', '1.1.1.1', '::1', 'fd00::1', 'localhost'])
    t.false(isMetadataAddress(address), address);
});

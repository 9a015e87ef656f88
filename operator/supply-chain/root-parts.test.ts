// SPDX-License-Identifier: Apache-2.0
import { createHash, generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto';
import test from 'ava';
import { TRUST_ROOT, type TrustRootSpec } from '#crds/v1alpha1/trust-root';
import { startSigstore } from '#hack/sigstore/private-sigstore';
import { rootText } from '../core/images/root-text.ts';
import { isTrustRoot, readTrustRoot } from './trust-root.ts';

type List = Readonly<Record<string, unknown>>;

/** A whole instance in PEM, and the `trusted_root.json` that says the same. */
interface Instance {
  readonly authority: string;
  readonly timestamps: readonly string[];
  readonly log: string;
  readonly trustedRoot: string;
}

let instance: Instance;

const pemOf = (base64: string): string => new X509Certificate(Buffer.from(base64, 'base64')).toString();
const keyPem = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' }).toString();

test.before(async () => {
  const sigstore = await startSigstore();
  const { certificateAuthorities, timestampAuthorities, tlogs } = sigstore.trustedRoot as unknown as Record<
    string,
    readonly { certChain: { certificates: { rawBytes: string }[] }; publicKey: { rawBytes: string } }[]
  >;
  const der = Buffer.from(tlogs![0]!.publicKey.rawBytes, 'base64').toString('base64');
  instance = {
    authority: pemOf(certificateAuthorities![0]!.certChain.certificates[0]!.rawBytes),
    timestamps: timestampAuthorities![0]!.certChain.certificates.map(({ rawBytes }) => pemOf(rawBytes)),
    log: `-----BEGIN PUBLIC KEY-----\n${der}\n-----END PUBLIC KEY-----\n`,
    trustedRoot: JSON.stringify(sigstore.trustedRoot),
  };
  await sigstore.stop();
});

const SINCE = '2026-01-01T00:00:00Z';

function read(
  parts: List,
  find: (at: { readonly name: string; readonly key: string }) => string | undefined = () => undefined,
): ReturnType<typeof readTrustRoot> {
  const spec: TrustRootSpec = TRUST_ROOT.spec.parse({ parts });
  return readTrustRoot(rootText(spec, find) ?? '');
}

test('parts in PEM are the same as the trusted_root.json that was made of them', (t) => {
  const { authority, timestamps, log, trustedRoot } = instance;
  const made = read({
    certificateAuthorities: [{ pem: authority }],
    transparencyLogs: [{ pem: log, url: 'https://log.example', validFrom: SINCE }],
    certificateLogs: [{ pem: log, url: 'https://log.example/ct', validFrom: SINCE }],
    timestampAuthorities: [{ pem: timestamps.join('') }],
  });
  const whole = readTrustRoot(trustedRoot);
  if (!isTrustRoot(made) || !isTrustRoot(whole)) throw new Error(JSON.stringify(made));
  const sums = ({ material }: typeof made) => ({
    logs: material.tlogs.map(({ logID }) => Buffer.from(logID).toString('hex')),
    authorities: material.certificateAuthorities.map(({ certChain }) => certChain.length),
    times: material.timestampAuthorities.map(({ certChain }) => certChain.length),
  });
  t.deepEqual(sums(made), sums(whole));
  t.is(made.material.tlogs[0]!.validFor.start.toISOString(), '2026-01-01T00:00:00.000Z');
});

test('a text may be in a ConfigMap; one that is not there is told as that, with its field', (t) => {
  const parts = { certificateAuthorities: [{ configMapRef: { name: 'ca', key: 'ca.pem' } }] };
  t.true(
    isTrustRoot(
      read(parts, ({ name, key }) => (`${name}/${key}` === 'ca/ca.pem' ? instance.authority : undefined)),
    ),
  );
  t.like(read(parts), {
    field: 'parts.certificateAuthorities[0].configMapRef',
    found: 'no key ca.pem in a ConfigMap ca',
    isMissing: true,
  });
});

test('logs may have keys of each kind that is read, and a log of tiles is known by its name and key', (t) => {
  const keys = {
    p256: generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey,
    p384: generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey,
    rsa: generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey,
    ed25519: generateKeyPairSync('ed25519').publicKey,
  };
  for (const [name, key] of Object.entries(keys)) {
    const log = { pem: keyPem(key), url: 'https://log.example', validFrom: SINCE };
    const made = read({ transparencyLogs: [log] });
    if (!isTrustRoot(made)) throw new Error(`${name}: ${JSON.stringify(made)}`);
    const spki = key.export({ type: 'spki', format: 'der' });
    t.deepEqual(made.material.tlogs[0]!.logID, createHash('sha256').update(spki).digest(), name);
  }
  const spki = keys.ed25519.export({ type: 'spki', format: 'der' });
  const tiles = read({
    transparencyLogs: [
      { pem: keyPem(keys.ed25519), url: 'https://log.example/a/', validFrom: SINCE, api: 'V2' },
    ],
  });
  if (!isTrustRoot(tiles)) throw new Error(JSON.stringify(tiles));
  const noted = createHash('sha256')
    .update('log.example/a\n')
    .update(Buffer.of(1))
    .update(spki.subarray(-32))
    .digest();
  t.deepEqual(tiles.material.tlogs[0]!.logID, noted);
});

const wrong: Readonly<
  Record<string, { readonly parts: () => List; readonly field: string; readonly found: RegExp }>
> = {
  'no PEM': {
    parts: () => ({ certificateAuthorities: [{ pem: 'x' }] }),
    field: 'parts.certificateAuthorities[0].pem',
    found: /^no certificate$/,
  },
  'a private key': {
    parts: () => ({
      certificateAuthorities: [{ pem: '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----' }],
    }),
    field: 'parts.certificateAuthorities[0].pem',
    found: /^no certificate, but a PRIVATE KEY$/,
  },
  'a certificate that is none': {
    parts: () => ({
      certificateAuthorities: [
        { pem: instance.authority },
        { pem: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----' },
      ],
    }),
    field: 'parts.certificateAuthorities[1].pem',
    found: /certificate 1, which cannot be read/,
  },
  'a chain the wrong way round': {
    parts: () => ({ timestampAuthorities: [{ pem: instance.timestamps.toReversed().join('') }] }),
    field: 'parts.timestampAuthorities[0].pem',
    found: /not issued by/,
  },
  'a chain without its root': {
    parts: () => ({ timestampAuthorities: [{ pem: instance.timestamps[0] }] }),
    field: 'parts.timestampAuthorities[0].pem',
    found: /no root at the end/,
  },
  'an authority of certificates where one of timestamps is needed': {
    parts: () => ({ timestampAuthorities: [{ pem: instance.authority }] }),
    field: 'parts.timestampAuthorities[0].pem',
    found: /not for timestamps/,
  },
  'nine certificates': {
    parts: () => ({ certificateAuthorities: [{ pem: instance.authority.repeat(9) }] }),
    field: 'parts.certificateAuthorities[0].pem',
    found: /9 certificates, more than 8/,
  },
  'an end before the beginning': {
    parts: () => ({
      certificateAuthorities: [
        { pem: instance.authority, validFrom: SINCE, validUntil: '2025-01-01T00:00:00Z' },
      ],
    }),
    field: 'parts.certificateAuthorities[0].validUntil',
    found: /2025/,
  },
  'a certificate in place of the key of a log': {
    parts: () => ({
      transparencyLogs: [{ pem: instance.authority, url: 'https://log.example', validFrom: SINCE }],
    }),
    field: 'parts.transparencyLogs[0].pem',
    found: /^CERTIFICATE$/,
  },
  'a small key of a log': {
    parts: () => ({
      transparencyLogs: [
        {
          pem: keyPem(generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey),
          url: 'https://log.example',
          validFrom: SINCE,
        },
      ],
    }),
    field: 'parts.transparencyLogs[0].pem',
    found: /1024 bits/,
  },
  'an address that is none': {
    parts: () => ({
      transparencyLogs: [
        { pem: instance.log, url: 'https://log example'.replace(' ', '%'), validFrom: SINCE },
      ],
    }),
    field: 'parts.transparencyLogs[0].url',
    found: /log%example/,
  },
};

for (const [title, { parts, field, found }] of Object.entries(wrong)) {
  test(`a part that is none is told, with its field: ${title}`, (t) => {
    const made = read(parts());
    if (isTrustRoot(made)) throw new Error('taken');
    t.is(made.field, field);
    t.regex(made.found, found);
    t.regex(made.wanted, /./);
    t.is(made.isMissing, undefined);
  });
}

test('no beginning of a log is no log, whoever writes it', (t) => {
  const text = rootText(
    {
      parts: { transparencyLogs: [{ pem: instance.log, url: 'https://log.example' }] },
    } as unknown as TrustRootSpec,
    () => undefined,
  );
  t.like(readTrustRoot(text ?? ''), { field: 'parts.transparencyLogs[0].validFrom', found: 'nothing' });
});

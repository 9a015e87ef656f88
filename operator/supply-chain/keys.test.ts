// SPDX-License-Identifier: Apache-2.0
import { constants, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { ed25519ph } from '@noble/curves/ed25519.js';
import test from 'ava';
import { isSignedBy, isTrustedKey, readPublicKey } from './keys.ts';

const DATA = Buffer.from('what is signed');

interface Pair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

const ec = (namedCurve: string): Pair => generateKeyPairSync('ec', { namedCurve });
const rsa = (modulusLength: number): Pair => generateKeyPairSync('rsa', { modulusLength });
const edwards = (): Pair => generateKeyPairSync('ed25519');
const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 };

function signEd25519ph(key: KeyObject): Buffer {
  const seed = key.export({ type: 'pkcs8', format: 'der' }).subarray(-32);
  return Buffer.from(ed25519ph.sign(DATA, seed));
}

const forms: Readonly<
  Record<string, { readonly make: () => Pair; readonly sign: (key: KeyObject) => Buffer }>
> = {
  'P-256 with SHA-256': { make: () => ec('P-256'), sign: (key) => sign('sha256', DATA, key) },
  'P-256 with SHA-256, both numbers side by side': {
    make: () => ec('P-256'),
    sign: (key) => sign('sha256', DATA, { key, dsaEncoding: 'ieee-p1363' }),
  },
  'P-384 with SHA-384': { make: () => ec('P-384'), sign: (key) => sign('sha384', DATA, key) },
  'P-384 with SHA-256, the older form': {
    make: () => ec('P-384'),
    sign: (key) => sign('sha256', DATA, key),
  },
  'P-521 with SHA-512': { make: () => ec('P-521'), sign: (key) => sign('sha512', DATA, key) },
  'RSA PKCS #1 v1.5': { make: () => rsa(2048), sign: (key) => sign('sha256', DATA, key) },
  'RSA PSS': { make: () => rsa(2048), sign: (key) => sign('sha256', DATA, { key, ...pss }) },
  'RSA PSS with SHA-512': { make: () => rsa(2048), sign: (key) => sign('sha512', DATA, { key, ...pss }) },
  Ed25519: { make: edwards, sign: (key) => sign(null, DATA, key) },
  Ed25519ph: { make: edwards, sign: signEd25519ph },
};

for (const [title, form] of Object.entries(forms)) {
  test(`a signature is one by its key only, over its data only: ${title}`, (t) => {
    const pair = form.make();
    const signature = form.sign(pair.privateKey);
    t.true(isSignedBy(pair.publicKey, DATA, signature));
    t.false(isSignedBy(pair.publicKey, Buffer.from('what is siGned'), signature));
    t.false(isSignedBy(form.make().publicKey, DATA, signature));
    const spoilt = Buffer.from(signature);
    spoilt[spoilt.length - 1] = (spoilt.at(-1) ?? 0) ^ 1;
    t.false(isSignedBy(pair.publicKey, DATA, spoilt));
    t.false(isSignedBy(pair.publicKey, DATA, Buffer.alloc(0)));
  });
}

const pem = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' }).toString();

const refused: Readonly<Record<string, { readonly pem: string; readonly found: RegExp }>> = {
  'no PEM': { pem: 'ssh-ed25519 AAAA', found: /^no PEM block$/ },
  'a private key': {
    pem: ec('P-256').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    found: /^PRIVATE KEY$/,
  },
  'a certificate': {
    pem: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----',
    found: /^CERTIFICATE$/,
  },
  'RSA of 1024 bits': { pem: pem(rsa(1024).publicKey), found: /^an RSA key of 1024 bits$/ },
  'another curve': { pem: pem(ec('secp256k1').publicKey), found: /secp256k1$/ },
  'a key for agreement': { pem: pem(generateKeyPairSync('x25519').publicKey), found: /x25519$/ },
  'a broken block': {
    pem: '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----',
    found: /cannot be read/,
  },
  'a very long text': { pem: 'x'.repeat(20_000), found: /^20000 characters$/ },
};

for (const [title, { pem: text, found }] of Object.entries(refused)) {
  test(`what is no key that is taken is refused with what was found: ${title}`, (t) => {
    const read = readPublicKey(text);
    if (isTrustedKey(read)) {
      t.fail('taken');
      return;
    }
    t.regex(read.found, found);
    t.regex(read.wanted, /P-256.*2048.*Ed25519/);
  });
}

test('a weak key is not verified with either, whoever trusts it', (t) => {
  const weak = rsa(1024);
  t.false(isSignedBy(weak.publicKey, DATA, sign('sha256', DATA, weak.privateKey)));
});

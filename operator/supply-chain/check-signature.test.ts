// SPDX-License-Identifier: Apache-2.0
import { generateKeyPairSync } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import test from 'ava';
import { Cosign } from '#hack/sigstore/cosign';
import { ISSUER, type PrivateSigstore, startSigstore, tokenOf } from '#hack/sigstore/private-sigstore';
import type { Refusal } from '../core/supply-chain/judgement.ts';
import { bindingProblem, readSimpleSigning, readStatement } from '../core/supply-chain/statement.ts';
import type { ReadyAuthority } from './authority.ts';
import { checkSignature } from './check-signature.ts';
import { exactly, matching, type Matcher } from './identity.ts';
import { isTrustedKey, readPublicKey, type TrustedKey } from './keys.ts';
import type { SignedItem } from './signed-item.ts';
import { itemsOf } from './testing/attached.ts';
import { MemoryRegistry } from './testing/memory-registry.ts';
import { forServers } from './testing/reissued.ts';
import { isTrustRoot, readTrustRoot, type TrustRoot } from './trust-root.ts';

const SIGNER = 'https://ci.example/builds/main';

let cosign: Cosign;
let registry: MemoryRegistry;
let sigstore: PrivateSigstore;
let other: PrivateSigstore;
/** One of a key, in the form of today; one without keys, with log entry and timestamp. */
let byKey: SignedItem;
let keyless: SignedItem;
let key: TrustedKey;
let offline: string;

async function files(instance: PrivateSigstore): Promise<{ root: string; config: string; offline: string }> {
  const name = new URL(instance.url).port;
  return {
    root: await cosign.write(`${name}-root.json`, instance.trustedRoot),
    config: await cosign.write(`${name}-config.json`, instance.signingConfig(['rekor', 'tsa'])),
    offline: await cosign.write(`${name}-offline.json`, { ...instance.signingConfig([]), caUrls: [] }),
  };
}

function publicKey(pem: string): TrustedKey {
  const read = readPublicKey(pem);
  if (!isTrustedKey(read)) throw new Error(read.found);
  return read;
}

function trust(root: object): TrustRoot {
  const read = readTrustRoot(JSON.stringify(root));
  if (!isTrustRoot(read)) throw new Error(`${read.field}: ${read.found}`);
  return read;
}

async function attached(seed: string, ...args: readonly string[]): Promise<readonly SignedItem[]> {
  const digest = registry.image(seed);
  await cosign.run('sign', '--yes', ...args, `${registry.host}/app@${digest}`);
  return itemsOf(registry.gathered(digest));
}

test.before(async () => {
  [cosign, sigstore, other] = await Promise.all([Cosign.create(), startSigstore(), startSigstore()]);
  registry = new MemoryRegistry();
  await registry.start();
  const written = await files(sigstore);
  const { root, config } = written;
  offline = written.offline;
  const pair = await cosign.keys('first');
  key = publicKey(await readFile(pair.publicPath, 'utf8'));
  byKey = (await attached('by key', '--key', pair.privatePath, '--signing-config', offline))[0]!;
  const identity = ['--identity-token', tokenOf(SIGNER), '--signing-config', config, '--trusted-root', root];
  keyless = (await attached('keyless', ...identity))[0]!;
});

test.after.always(async () => {
  await Promise.all([cosign?.remove(), registry?.stop(), sigstore?.stop(), other?.stop()]);
});

const now = new Date();
const against = { now, revoked: new Set<string>() };

function keys(...trusted: readonly TrustedKey[]): ReadyAuthority {
  return { name: 'keys', signer: { kind: 'keys', keys: trusted }, log: 'Ignored', time: 'Observer' };
}

function people(
  subject: Matcher,
  root: object = sigstore.trustedRoot,
  issuer = exactly(ISSUER),
): ReadyAuthority {
  const identities = [{ issuer, subject }];
  const signer = { kind: 'certificates', identities, certificateLog: 'Required' } as const;
  return { name: 'people', signer, root: trust(root), log: 'Required', time: 'Log' };
}

test('what the real cosign signed with a key verifies by that key', (t) => {
  t.like(checkSignature(byKey, keys(key), against), {
    kind: 'verified',
    value: { authority: 'keys', fingerprint: key.fingerprint },
  });
});

test('what it signed without one verifies by identity, certificate log, transparency log and timestamp', (t) => {
  const judged = checkSignature(keyless, people(exactly(SIGNER)), against);
  t.like(judged, { kind: 'verified', value: { identity: { issuer: ISSUER, subject: SIGNER } } });
  t.is(keyless.logEntries.length, 1);
  t.is(keyless.timestamps.length, 1);
});

for (const type of ['P-384', 'P-521', 'ed25519', 'rsa'] as const) {
  for (const form of ['bundle', 'classic'] as const) {
    test(`both forms of cosign verify with keys of every kind: ${type}, ${form}`, async (t) => {
      const pair =
        type === 'ed25519'
          ? generateKeyPairSync('ed25519')
          : type === 'rsa'
            ? generateKeyPairSync('rsa', { modulusLength: 2048 })
            : generateKeyPairSync('ec', { namedCurve: type });
      const pem = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
      const path = await cosign.importKey(`${type}-${form}`, pem);
      const flags =
        form === 'bundle'
          ? ['--signing-config', offline]
          : ['--new-bundle-format=false', '--use-signing-config=false', '--tlog-upload=false'];
      const seed = `${type} ${form}`;
      const [item] = await attached(seed, '--key', path, ...flags);
      const trusted = publicKey(pair.publicKey.export({ type: 'spki', format: 'pem' }).toString());
      t.is(item!.form, form === 'bundle' ? 'statement' : 'message');
      t.is(checkSignature(item!, keys(trusted), against).kind, 'verified');
      t.like(checkSignature(item!, keys(key), against), { kind: 'refused', reason: 'WrongKey' });
      const read = form === 'bundle' ? readStatement : readSimpleSigning;
      const statement = read(item!.payload);
      if (statement.kind !== 'verified') throw new Error(statement.message);
      t.is(bindingProblem(statement.value, registry.image(seed)), undefined);
      t.like(bindingProblem(statement.value, registry.image('another')), { reason: 'DigestMismatch' });
    });
  }
}

/** What is refused of a signature that the real cosign made: spoilt by one thing, or held against somebody else. */
interface Spoilt {
  readonly item?: () => SignedItem;
  readonly authority?: () => ReadyAuthority;
  readonly revoked?: () => readonly string[];
  readonly now?: Date;
  readonly want: Refusal;
}

const entry = (change: Partial<SignedItem['logEntries'][number]>): SignedItem => ({
  ...keyless,
  logEntries: keyless.logEntries.map((one) => ({ ...one, ...change })),
});

const without = (field: string): object => ({ ...sigstore.trustedRoot, [field]: [] });
const withOthers = (...fields: readonly string[]): object => ({
  ...sigstore.trustedRoot,
  ...Object.fromEntries(fields.map((field) => [field, other.trustedRoot[field as 'tlogs']])),
});

const spoilt: Readonly<Record<string, Spoilt>> = {
  'another person': {
    authority: () => people(exactly('https://ci.example/builds/other')),
    want: 'WrongIdentity',
  },
  'the beginning of the name': {
    authority: () => people(exactly('https://ci.example/builds')),
    want: 'WrongIdentity',
  },
  'a pattern that matches a part only': {
    authority: () => people(matching('builds')!),
    want: 'WrongIdentity',
  },
  'an empty name': { authority: () => people(exactly('')), want: 'WrongIdentity' },
  'another issuer': {
    authority: () => people(exactly(SIGNER), sigstore.trustedRoot, exactly('https://evil.example')),
    want: 'WrongIssuer',
  },
  'an authority of another instance': {
    authority: () => people(exactly(SIGNER), withOthers('certificateAuthorities')),
    want: 'CertificateUntrusted',
  },
  'an authority that was trusted until before': {
    authority: () => {
      const validFor = { start: '2020-01-01T00:00:00Z', end: '2020-02-01T00:00:00Z' };
      const { certificateAuthorities = [] } = sigstore.trustedRoot;
      const before = certificateAuthorities.map((one) => ({ ...one, validFor }));
      return people(exactly(SIGNER), { ...sigstore.trustedRoot, certificateAuthorities: before });
    },
    want: 'CertificateUntrusted',
  },
  'a certificate log of another instance': {
    authority: () => people(exactly(SIGNER), withOthers('ctlogs')),
    want: 'CertificateNotLogged',
  },
  'a log of another instance': {
    authority: () => people(exactly(SIGNER), withOthers('tlogs')),
    want: 'LogEntryInvalid',
  },
  'a timestamp authority of another instance': {
    authority: () => people(exactly(SIGNER), withOthers('timestampAuthorities')),
    want: 'TimestampInvalid',
  },
  'no entry of a log': { item: () => ({ ...keyless, logEntries: [] }), want: 'LogEntryMissing' },
  'no time at all': {
    item: () => ({ ...entry({ inclusionPromise: undefined }), timestamps: [] }),
    want: 'TimestampMissing',
  },
  'the word of the log where a timestamp is asked for': {
    item: () => ({ ...keyless, timestamps: [] }),
    authority: () => ({ ...people(exactly(SIGNER)), time: 'Timestamp' }),
    want: 'TimestampMissing',
  },
  'a log entry that is dated back': {
    item: () => ({ ...entry({ integratedTime: '1600000000' }), timestamps: [] }),
    want: 'CertificateExpired',
  },
  'a log entry with another number': { item: () => entry({ logIndex: '7' }), want: 'LogEntryInvalid' },
  'a timestamp of another signature': {
    item: () => ({ ...keyless, timestamps: [Buffer.from('not a timestamp')] }),
    want: 'Malformed',
  },
  'another payload under the same signature': {
    item: () => ({ ...keyless, signedBytes: Buffer.from('something else') }),
    want: 'SignatureInvalid',
  },
  'a certificate that is held against keys': { authority: () => keys(key), want: 'WrongKey' },
  'a key that is held against identities': { item: () => byKey, want: 'WrongKey' },
  'a trusted key under a spoilt signature': {
    item: () => ({ ...byKey, signature: Buffer.from(byKey.signature.map((byte) => byte ^ 1)) }),
    authority: () => keys(key),
    want: 'SignatureInvalid',
  },
  'a key that has been revoked': {
    item: () => byKey,
    authority: () => keys(key),
    revoked: () => [key.fingerprint],
    want: 'Revoked',
  },
  'a key without the log entry that is asked for': {
    item: () => byKey,
    authority: () => ({ ...keys(key), root: trust(sigstore.trustedRoot), log: 'Required' }),
    want: 'LogEntryMissing',
  },
  'a certificate that has run out, with nothing to say when it was used': {
    authority: () => ({ ...people(exactly(SIGNER)), time: 'Observer' }),
    now: new Date(now.getTime() + 3_600_000),
    want: 'CertificateExpired',
  },
  'a certificate of another authority, with nothing to say when it was used': {
    authority: () => ({ ...people(exactly(SIGNER), withOthers('certificateAuthorities')), time: 'Observer' }),
    now: new Date(now.getTime() + 30_000),
    want: 'CertificateUntrusted',
  },
  'a log of another instance, with nothing to say when it was used': {
    authority: () => ({ ...people(exactly(SIGNER), withOthers('tlogs')), time: 'Observer' }),
    now: new Date(now.getTime() + 30_000),
    want: 'LogEntryInvalid',
  },
  'a certificate log of another instance, with nothing to say when it was used': {
    authority: () => ({ ...people(exactly(SIGNER), withOthers('ctlogs')), log: 'Ignored', time: 'Observer' }),
    now: new Date(now.getTime() + 30_000),
    want: 'CertificateNotLogged',
  },
  'a certificate log of another instance, with a log and nothing to say when it was used': {
    authority: () => ({ ...people(exactly(SIGNER), withOthers('ctlogs')), time: 'Observer' }),
    now: new Date(now.getTime() + 30_000),
    want: 'CertificateNotLogged',
  },
  'a certificate of the authority that is for servers': {
    item: () => forServers(keyless, sigstore.authorityKey),
    authority: () => ({ ...people(exactly(SIGNER)), log: 'Ignored', time: 'Observer' }),
    now: new Date(now.getTime() + 30_000),
    want: 'CertificateNotForSigning',
  },
  'a root without authorities': {
    authority: () => people(exactly(SIGNER), without('certificateAuthorities')),
    want: 'CertificateUntrusted',
  },
};

for (const [title, { item, authority, revoked, now: at, want }] of Object.entries(spoilt)) {
  test(`refused for the reason that is true of it: ${title}`, (t) => {
    const judged = checkSignature(item?.() ?? keyless, authority?.() ?? people(exactly(SIGNER)), {
      now: at ?? now,
      revoked: new Set(revoked?.()),
    });
    t.is(judged.kind === 'refused' ? judged.reason : judged.kind, want, JSON.stringify(judged));
  });
}

test('a certificate that is valid now needs no proof of time where the observer is believed', (t) => {
  const authority: ReadyAuthority = { ...people(exactly(SIGNER)), log: 'Ignored', time: 'Observer' };
  const soon = new Date(now.getTime() + 30_000);
  const judged = checkSignature({ ...keyless, logEntries: [], timestamps: [] }, authority, {
    now: soon,
    revoked: new Set(),
  });
  if (judged.kind !== 'verified') throw new Error(JSON.stringify(judged));
  if (keyless.signer.kind !== 'certificate') throw new Error('signed by a key');
  t.is(judged.value.validUntil, keyless.signer.leaf.notAfter.toISOString());
});

test('what is believed because a certificate is valid now holds no longer than that', (t) => {
  const [first] = sigstore.trustedRoot['certificateAuthorities'] ?? [];
  const end = new Date(Math.floor(now.getTime() / 1000) * 1000 + 60_000).toISOString();
  const authority = { ...first, validFor: { start: '2020-01-01T00:00:00Z', end } };
  const root = { ...sigstore.trustedRoot, certificateAuthorities: [authority] };
  const judged = checkSignature(
    keyless,
    { ...people(exactly(SIGNER), root), time: 'Observer' },
    { now: new Date(now.getTime() + 30_000), revoked: new Set() },
  );
  t.like(judged, { value: { validUntil: end } }, JSON.stringify(judged));
  t.like(checkSignature(keyless, people(exactly(SIGNER)), against), { value: { validUntil: undefined } });
});

test('a pattern is held against the whole name', (t) => {
  const authority = people(matching(String.raw`https://ci\.example/builds/.*`)!);
  t.is(checkSignature(keyless, authority, against).kind, 'verified');
});

test('cosign takes no root either that asks for what nobody would hold signatures to', async (t) => {
  const [log, ...logs] = sigstore.trustedRoot['tlogs'] ?? [];
  const roots: Readonly<Record<string, { readonly root: object; readonly said: RegExp }>> = {
    newer: {
      root: {
        ...sigstore.trustedRoot,
        mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.2',
      },
      said: /unsupported TrustedRoot media type/,
    },
    witnessed: {
      root: { ...sigstore.trustedRoot, tlogs: [{ ...log, witnessConfiguration: { quorum: 1 } }, ...logs] },
      said: /unknown field "witnessConfiguration"/,
    },
  };
  const who = ['--certificate-identity', SIGNER, '--certificate-oidc-issuer', ISSUER];
  const verify = async (name: string, root: object) => {
    const path = await cosign.write(`${name}.json`, root);
    const reference = `${registry.host}/app@${registry.image('keyless')}`;
    return cosign.try('verify', '--trusted-root', path, ...who, '--allow-http-registry', reference);
  };
  const sound = await verify('sound', sigstore.trustedRoot);
  t.is(sound.code, 0, sound.stderr);
  for (const [name, { root, said }] of Object.entries(roots)) {
    const { code, stderr } = await verify(name, root);
    t.not(code, 0, name);
    t.regex(stderr, said);
    t.false(isTrustRoot(readTrustRoot(JSON.stringify(root))), name);
  }
});

// SPDX-License-Identifier: Apache-2.0
import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { dsse, json } from '@sigstore/core';
import test from 'ava';
import { signedBy } from '#hack/sigstore/late-signature';
import { BUNDLE_TYPE } from '#hack/sigstore/media-types';
import { ISSUER, type PrivateSigstore, startSigstore } from '#hack/sigstore/private-sigstore';
import type { Evidence } from './evidence.ts';
import { exactly } from './identity.ts';
import { judgeImage } from './judge-image.ts';
import { isTrustedKey, readPublicKey } from './keys.ts';
import type { ReadyAuthority } from './authority.ts';
import type { ReadyPolicy } from './policy.ts';
import { rootOf } from './testing/signed-world.ts';

const IMAGE = `sha256:${'a'.repeat(64)}`;
const SIGNER = 'https://ci.example/old';
const TYPE = 'application/vnd.in-toto+json';
const now = new Date();
const sha = (bytes: string | Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

let sigstore: PrivateSigstore;
const logKeys = generateKeyPairSync('ec', { namedCurve: 'P-256' });

test.before(async () => {
  sigstore = await startSigstore();
});

test.after.always(() => sigstore?.stop());

function policy(authorities: readonly ReadyAuthority[], threshold: number): ReadyPolicy {
  const from = authorities.map((one) => one.name);
  return {
    digest: 'p',
    authorities,
    requirement: { signatures: { from, threshold } },
    revoked: new Set(),
    waivers: [],
    platforms: 'Index',
  };
}

const judge = (evidence: Evidence, by: ReadyPolicy): string => {
  const verdict = judgeImage(
    IMAGE,
    { subject: Buffer.from('{}'), evidence: [evidence] },
    { policy: by, now },
  );
  return verdict.reason ?? verdict.outcome;
};

interface OldEntry {
  readonly hash?: string;
  readonly publicKey?: string;
  readonly logKey?: KeyObject;
}

/** An attestation of the older form, in the log by an entry of the first in-toto form: it has no signature in it. */
async function oldAttestation({ hash, publicKey, logKey = logKeys.privateKey }: OldEntry): Promise<Evidence> {
  const made = await signedBy(sigstore.url, SIGNER, IMAGE);
  const bundle = JSON.parse(Buffer.from(made.bytes).toString()) as {
    dsseEnvelope: { payload: string };
    verificationMaterial: { certificate: { rawBytes: string } };
  };
  const envelope = Buffer.from(JSON.stringify(bundle.dsseEnvelope));
  const certificate = `-----BEGIN CERTIFICATE-----\n${bundle.verificationMaterial.certificate.rawBytes}\n-----END CERTIFICATE-----\n`;
  const content = { hash: { algorithm: 'sha256', value: hash ?? sha(envelope) } };
  const spec = { content, publicKey: Buffer.from(publicKey ?? certificate).toString('base64') };
  const body = Buffer.from(JSON.stringify({ apiVersion: '0.0.1', kind: 'intoto', spec })).toString('base64');
  const logID = sha(logKeys.publicKey.export({ type: 'spki', format: 'der' }));
  const payload = { body, integratedTime: Math.floor(now.getTime() / 1000) + 5, logIndex: 3, logID };
  const promise = sign('sha256', Buffer.from(json.canonicalize(payload)), logKey).toString('base64');
  const rekor = JSON.stringify({ SignedEntryTimestamp: promise, Payload: payload });
  const annotations = { 'dev.sigstore.cosign/certificate': certificate, 'dev.sigstore.cosign/bundle': rekor };
  return { form: 'attestation', origin: 'old', bytes: envelope, annotations };
}

function people(): ReadyAuthority {
  const rawBytes = logKeys.publicKey.export({ type: 'spki', format: 'der' });
  const log = {
    baseUrl: 'https://log.example',
    publicKey: {
      rawBytes: rawBytes.toString('base64'),
      keyDetails: 'PKIX_ECDSA_P256_SHA_256',
      validFor: { start: '2020-01-01T00:00:00Z' },
    },
    logId: { keyId: createHash('sha256').update(rawBytes).digest('base64') },
  };
  const identities = [{ issuer: exactly(ISSUER), subject: exactly(SIGNER) }];
  const root = rootOf({ ...sigstore.trustedRoot, tlogs: [log] });
  return {
    name: 'people',
    signer: { kind: 'certificates', identities, certificateLog: 'Required' },
    root,
    log: 'Required',
    time: 'Log',
  };
}

const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' });

const entries: Readonly<Record<string, { readonly entry: OldEntry; readonly want: string }>> = {
  'of this envelope': { entry: {}, want: 'Verified' },
  'of another envelope': { entry: { hash: sha('another') }, want: 'LogEntryMismatch' },
  'of another signer': {
    entry: { publicKey: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----' },
    want: 'LogEntryMismatch',
  },
  'by another log': { entry: { logKey: stranger.privateKey }, want: 'LogEntryInvalid' },
};

for (const [title, { entry, want }] of Object.entries(entries)) {
  test(`a log entry of the first in-toto form counts where it is ${title}`, async (t) => {
    t.is(judge(await oldAttestation(entry), policy([people()], 1)), want);
  });
}

function keyed(name: string): { readonly authority: ReadyAuthority; readonly privateKey: KeyObject } {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-384' });
  const key = readPublicKey(pair.publicKey.export({ type: 'spki', format: 'pem' }).toString());
  if (!isTrustedKey(key)) throw new Error(key.found);
  return {
    authority: { name, signer: { kind: 'keys', keys: [key] }, log: 'Ignored', time: 'Observer' },
    privateKey: pair.privateKey,
  };
}

test('an envelope of several signatures counts for each of those who signed, and for nobody else', (t) => {
  const [one, other, third] = [keyed('one'), keyed('other'), keyed('third')];
  const subject = [{ digest: { sha256: IMAGE.replace('sha256:', '') } }];
  const statement = {
    _type: 'https://in-toto.io/Statement/v1',
    predicateType: 'https://sigstore.dev/cosign/sign/v1',
    subject,
    predicate: {},
  };
  const payload = Buffer.from(JSON.stringify(statement));
  const signatures = [one, other].map(({ privateKey }) => ({
    sig: sign('sha384', dsse.preAuthEncoding(TYPE, payload), privateKey).toString('base64'),
  }));
  const bundle = {
    mediaType: BUNDLE_TYPE,
    verificationMaterial: { publicKey: { hint: '' } },
    dsseEnvelope: { payload: payload.toString('base64'), payloadType: TYPE, signatures },
  };
  const evidence: Evidence = {
    form: 'bundle',
    origin: 'x',
    bytes: Buffer.from(JSON.stringify(bundle)),
    annotations: {},
  };
  t.is(judge(evidence, policy([one.authority, other.authority], 2)), 'Verified');
  t.is(judge(evidence, policy([one.authority, third.authority], 2)), 'ThresholdNotMet');
  t.is(judge(evidence, policy([third.authority], 1)), 'WrongKey');
});

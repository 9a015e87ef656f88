// SPDX-License-Identifier: Apache-2.0
import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import test from 'ava';
import type { ReadyAuthority } from './authority.ts';
import { checkSignature } from './check-signature.ts';
import { trustedKey } from './keys.ts';
import { ARTIFACT, type SignedItem } from './signed-item.ts';
import { isTrustRoot, readTrustRoot } from './trust-root.ts';

const NOW = new Date('2026-11-10T00:00:00Z');
const ORIGIN = 'log.example';

const signer = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const log = generateKeyPairSync('ed25519');
const spki = (key: KeyObject): Buffer => key.export({ type: 'spki', format: 'der' });
const hash = (...parts: readonly Uint8Array[]): Buffer =>
  createHash('sha256').update(Buffer.concat(parts)).digest();

/** As signed notes call a key of Ed25519. */
const LOG_ID = hash(Buffer.from(`${ORIGIN}\n`), Buffer.of(1), spki(log.publicKey).subarray(-32));
const payload = Buffer.from('the manifest');
const signature = sign('sha256', payload, signer.privateKey);

/** As a witness writes it beside the signature of the log, over the same and the time at which it saw that. */
function cosignature(name: string): string {
  const body = Buffer.alloc(4 + 8 + 64, name);
  return `\u2014 ${name} ${body.toString('base64')}\n`;
}

interface Spoilt {
  readonly digest?: Buffer;
  readonly root?: Buffer;
  readonly key?: KeyObject;
  readonly origin?: string;
  readonly logId?: Buffer;
  /** Lines of witnesses, before that of the log and after it. */
  readonly before?: string;
  readonly after?: string;
  /** The log itself has signed nothing. */
  readonly isUnsigned?: boolean;
}

/** An entry of Rekor v2, the second of two in its log, proved by a checkpoint. */
function entry({
  digest,
  root,
  key,
  origin = ORIGIN,
  logId = LOG_ID,
  before = '',
  after = '',
  isUnsigned = false,
}: Spoilt): SignedItem['logEntries'][number] {
  const body = Buffer.from(
    JSON.stringify({
      apiVersion: '0.0.2',
      kind: 'hashedrekord',
      spec: {
        hashedRekordV002: {
          data: { algorithm: 'SHA2_256', digest: (digest ?? hash(payload)).toString('base64') },
          signature: {
            content: signature.toString('base64'),
            verifier: {
              publicKey: { rawBytes: spki(signer.publicKey).toString('base64') },
              keyDetails: 'PKIX_ECDSA_P256_SHA_256',
            },
          },
        },
      },
    }),
  );
  const sibling = hash(Buffer.from('another entry'));
  const top = hash(Buffer.of(1), sibling, hash(Buffer.of(0), body));
  const note = `${origin}\n2\n${(root ?? top).toString('base64')}\n`;
  const signed = Buffer.concat([logId.subarray(0, 4), sign(null, Buffer.from(note), key ?? log.privateKey)]);
  const own = isUnsigned ? '' : `\u2014 ${origin} ${signed.toString('base64')}\n`;
  return {
    logIndex: '1',
    logId: { keyId: logId },
    kindVersion: { kind: 'hashedrekord', version: '0.0.2' },
    integratedTime: '0',
    inclusionPromise: undefined,
    inclusionProof: {
      logIndex: '1',
      rootHash: top,
      treeSize: '2',
      hashes: [sibling],
      checkpoint: { envelope: `${note}\n${before}${own}${after}` },
    },
    canonicalizedBody: body,
  };
}

function authority(validUntil?: string): ReadyAuthority {
  const key = log.publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const part = {
    from: 'pem',
    pem: key,
    url: `https://${ORIGIN}`,
    api: 'V2',
    validFrom: '2026-01-01T00:00:00Z',
  };
  const transparencyLogs = [{ ...part, ...(validUntil !== undefined && { validUntil }) }];
  const mediaType = 'application/vnd.nexusos.trust-root-parts+json';
  const root = readTrustRoot(JSON.stringify({ mediaType, transparencyLogs }));
  if (!isTrustRoot(root)) throw new Error(JSON.stringify(root));
  const keys = [trustedKey(signer.publicKey)];
  return { name: 'builder', signer: { kind: 'keys', keys }, root, log: 'Required', time: 'Observer' };
}

function check(logEntries: SignedItem['logEntries'], validUntil?: string): string {
  const item: SignedItem = {
    payload,
    signedBytes: payload,
    form: 'message',
    payloadType: ARTIFACT,
    signature,
    signer: { kind: 'key', hint: '' },
    logEntries,
    timestamps: [],
  };
  const judged = checkSignature(item, authority(validUntil), { now: NOW, revoked: new Set() });
  return judged.kind === 'verified' ? 'verified' : judged.reason;
}

test('an entry of a log of tiles is proved by its checkpoint', (t) => {
  t.is(check([entry({})]), 'verified');
  t.is(check([entry({})], '2026-12-01T00:00:00Z'), 'verified');
});

test('what witnesses have signed beside the log is not asked for, and takes nothing from what the log says', (t) => {
  const witnesses = [1, 2, 3].map((one) => cosignature(`witness-${one}.example/w`)).join('');
  // One that calls itself as the log is called, with another key.
  const namesake = cosignature(ORIGIN);
  for (const lines of [witnesses, namesake, witnesses + namesake]) {
    t.is(check([entry({ before: lines })]), 'verified');
    t.is(check([entry({ after: lines })]), 'verified');
    t.is(
      check([entry({ after: lines, isUnsigned: true })]),
      'LogEntryInvalid',
      'nobody else speaks for the log',
    );
  }
});

const other = generateKeyPairSync('ed25519');
const spoilt: Readonly<Record<string, { readonly given: Spoilt; readonly want: string }>> = {
  'of another signature': { given: { digest: hash(Buffer.from('else')) }, want: 'LogEntryMismatch' },
  'of another tree': { given: { root: hash(Buffer.from('else')) }, want: 'LogEntryInvalid' },
  'signed by another log': { given: { key: other.privateKey }, want: 'LogEntryInvalid' },
  'of a log of another name': { given: { origin: 'evil.example' }, want: 'LogEntryInvalid' },
  'of a log that nobody knows': { given: { logId: hash(Buffer.from('else')) }, want: 'LogEntryInvalid' },
};

for (const [title, { given, want }] of Object.entries(spoilt)) {
  test(`an entry of a log of tiles is not believed: ${title}`, (t) => t.is(check([entry(given)]), want));
}

test('the key of a log that was given up makes no entries any more', (t) => {
  t.is(check([entry({})], '2026-11-09T00:00:00Z'), 'LogEntryInvalid');
});

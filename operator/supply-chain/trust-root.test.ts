// SPDX-License-Identifier: Apache-2.0
import { createHash, generateKeyPairSync } from 'node:crypto';
import test from 'ava';
import { exactly, identityProblem, matching } from './identity.ts';
import { isTrustRoot, readTrustRoot } from './trust-root.ts';

const rawBytes = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({
  type: 'spki',
  format: 'der',
});
const publicKey = {
  rawBytes: rawBytes.toString('base64'),
  keyDetails: 'PKIX_ECDSA_P256_SHA_256',
  validFor: { start: '2026-01-01T00:00:00Z' },
};
const log = {
  baseUrl: 'https://log.example',
  publicKey,
  logId: { keyId: createHash('sha256').update(rawBytes).digest('base64') },
};
const authority = { certChain: { certificates: [{ rawBytes: 'AAAA' }] } };

test('a root with a log alone is one: keys need no more', (t) => {
  const text = JSON.stringify({ tlogs: [log] });
  const read = readTrustRoot(text);
  if (!isTrustRoot(read)) throw new Error(JSON.stringify(read));
  t.is(read.digest, `sha256:${createHash('sha256').update(text).digest('hex')}`);
  t.is(read.material.tlogs.length, 1);
});

const refused: Readonly<
  Record<string, { readonly text: string; readonly field: string; readonly found: RegExp }>
> = {
  'no JSON': { text: 'root', field: '', found: /not a JSON object/ },
  'nothing in it': { text: '{}', field: '', found: /no log and no authority/ },
  'a log without a beginning': {
    text: JSON.stringify({ tlogs: [log, { ...log, publicKey: { ...publicKey, validFor: undefined } }] }),
    field: 'tlogs[1].publicKey.validFor.start',
    found: /nothing/,
  },
  'a certificate log without a beginning': {
    text: JSON.stringify({ tlogs: [log], ctlogs: [{ ...log, publicKey: { ...publicKey, validFor: {} } }] }),
    field: 'ctlogs[0].publicKey.validFor.start',
    found: /nothing/,
  },
  'a log without a key': {
    text: JSON.stringify({ tlogs: [{ ...log, publicKey: undefined }] }),
    field: 'tlogs[0].publicKey.rawBytes',
    found: /nothing/,
  },
  'a log without an id': {
    text: JSON.stringify({ tlogs: [{ ...log, logId: undefined }] }),
    field: 'tlogs[0].logId.keyId',
    found: /nothing/,
  },
  'a key that is none': {
    text: JSON.stringify({ tlogs: [{ ...log, publicKey: { ...publicKey, rawBytes: 'AAAA' } }] }),
    field: '',
    found: /./,
  },
  'an authority without certificates': {
    text: JSON.stringify({ certificateAuthorities: [{ certChain: { certificates: [] } }] }),
    field: 'certificateAuthorities[0].certChain',
    found: /0 certificates/,
  },
  'a certificate that is none': {
    text: JSON.stringify({ certificateAuthorities: [authority] }),
    field: '',
    found: /./,
  },
  'a thousand logs': {
    text: JSON.stringify({ tlogs: Array.from({ length: 1000 }, () => log) }),
    field: 'tlogs',
    found: /1000 entries/,
  },
  'a newer version, with witnesses': {
    text: JSON.stringify({
      mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.2',
      tlogs: [{ ...log, witnessConfiguration: { quorum: 2 } }],
    }),
    field: 'mediaType',
    found: /version=0\.2/,
  },
  'witnesses that are to have seen a log': {
    text: JSON.stringify({ tlogs: [log, { ...log, witnessConfiguration: { quorum: 2 } }] }),
    field: 'tlogs[1]',
    found: /a field "witnessConfiguration" that is not known/,
  },
  'an end that is spelt otherwise': {
    text: JSON.stringify({
      tlogs: [
        {
          ...log,
          publicKey: { ...publicKey, validFor: { ...publicKey.validFor, until: '2026-02-01T00:00:00Z' } },
        },
      ],
    }),
    field: 'tlogs[0].publicKey.validFor',
    found: /a field "until" that is not known/,
  },
  'names as in the definition of messages': {
    text: JSON.stringify({ tlogs: [log], certificate_authorities: [authority] }),
    field: '',
    found: /a field "certificate_authorities" that is not known/,
  },
  'a list that is none': {
    text: JSON.stringify({ tlogs: [log], timestampAuthorities: authority }),
    field: 'timestampAuthorities',
    found: /object/,
  },
  'an entry that is none': {
    text: JSON.stringify({ tlogs: [log], ctlogs: ['x'] }),
    field: 'ctlogs[0]',
    found: /"x"/,
  },
  megabytes: { text: JSON.stringify({ tlogs: [log], more: 'x'.repeat(2 << 20) }), field: '', found: /bytes/ },
};

for (const [title, { text, field, found }] of Object.entries(refused)) {
  test(`a root that says less than it seems to is refused, and where: ${title}`, (t) => {
    const read = readTrustRoot(text);
    if (isTrustRoot(read)) throw new Error('taken');
    t.is(read.field, field);
    t.regex(read.found, found);
    t.regex(read.wanted, /./);
  });
}

const who = { issuer: 'https://issuer.example', subject: 'https://ci.example/team/app' };
const any = exactly(who.issuer);

const identities: Readonly<
  Record<string, { readonly subject: ReturnType<typeof exactly>; readonly want: string | undefined }>
> = {
  'the very name': { subject: exactly(who.subject), want: undefined },
  'a pattern of the whole': { subject: matching('https://ci\\.example/.*')!, want: undefined },
  'a pattern of a part': { subject: matching('ci\\.example')!, want: 'WrongIdentity' },
  'an alternative that is not anchored by itself': {
    subject: matching('nobody|https://ci')!,
    want: 'WrongIdentity',
  },
  'a look-alike': { subject: exactly('https://ci.example/teаm/app'), want: 'WrongIdentity' },
  'another case': { subject: exactly('https://CI.example/team/app'), want: 'WrongIdentity' },
};

for (const [title, { subject, want }] of Object.entries(identities)) {
  test(`a signer is who he has to be: ${title}`, (t) => {
    const found: string | undefined = identityProblem(who, [{ issuer: any, subject }])?.reason;
    t.is(found, want);
  });
}

test('a pattern that takes others years takes no time, and what is no pattern is none', (t) => {
  const slow = matching('(a+)+b')!;
  const startedAt = process.cpuUsage();
  const subject = `${'a'.repeat(2000)}!`;
  t.is(identityProblem({ ...who, subject }, [{ issuer: any, subject: slow }])?.reason, 'WrongIdentity');
  t.true(process.cpuUsage(startedAt).user < 1_000_000);
  t.is(matching('('), undefined);
  t.is(matching('(?=a)'), undefined);
  t.is(matching(''), undefined);
  t.is(matching('a'.repeat(513)), undefined);
  t.is(
    identityProblem({ ...who, subject: 'a'.repeat(3000) }, [{ issuer: any, subject: slow }])?.reason,
    'TooLarge',
  );
});

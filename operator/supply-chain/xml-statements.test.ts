// SPDX-License-Identifier: Apache-2.0
import { generateKeyPairSync, sign } from 'node:crypto';
import { dsse } from '@sigstore/core';
import test from 'ava';
import { cycloneDx, cycloneDxXml, report } from '#hack/sigstore/predicates';
import type { Requirement } from '../core/supply-chain/requirement.ts';
import type { ImageVerdict } from '../core/supply-chain/verdict.ts';
import type { Evidence } from './evidence.ts';
import { readClaims } from './claims.ts';
import { Effort } from './effort.ts';
import { isTrustedKey, readPublicKey, type TrustedKey } from './keys.ts';
import { XmlDocuments } from './xml-documents.ts';
import { verifyImage } from './verify-image.ts';

const IMAGE = `sha256:${'b'.repeat(64)}`;
const TYPE = 'application/vnd.in-toto+json';
const BOM = 'https://cyclonedx.org/bom';
const VEX = 'https://cyclonedx.org/vex';
const ANY = 'https://cosign.sigstore.dev/attestation/v1';
const now = new Date();

const keys = {
  builder: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  stranger: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
};

function trusted(name: keyof typeof keys): TrustedKey {
  const read = readPublicKey(keys[name].publicKey.export({ type: 'spki', format: 'pem' }).toString());
  if (!isTrustedKey(read)) throw new Error('no key');
  return read;
}

/** A statement that somebody has signed. */
function stated(predicateType: string, predicate: unknown, by: keyof typeof keys = 'builder'): Evidence {
  const statement = {
    _type: 'https://in-toto.io/Statement/v0.1',
    predicateType,
    subject: [{ digest: { sha256: IMAGE.replace('sha256:', '') } }],
    predicate,
  };
  const payload = Buffer.from(JSON.stringify(statement));
  const sig = sign('sha256', dsse.preAuthEncoding(TYPE, payload), keys[by].privateKey).toString('base64');
  const envelope = { payloadType: TYPE, payload: payload.toString('base64'), signatures: [{ sig }] };
  return { form: 'attestation', origin: 'x', bytes: Buffer.from(JSON.stringify(envelope)), annotations: {} };
}

const LISTED: Requirement = {
  sbom: { from: ['builder'], threshold: 1, allowedLicences: [], deniedLicences: ['GPL-3.0-only'] },
};

function verdictOf(evidence: readonly Evidence[], requirement: Requirement = LISTED): Promise<ImageVerdict> {
  const policy = {
    digest: 'p',
    authorities: [
      {
        name: 'builder',
        signer: { kind: 'keys', keys: [trusted('builder')] },
        log: 'Ignored',
        time: 'Observer',
      },
    ],
    requirement,
    revoked: new Set<string>(),
    waivers: [],
    platforms: 'Index',
  } as const;
  const gathered = { subject: Buffer.from('{}'), evidence };
  return verifyImage(IMAGE, { policy, source: { gather: () => Promise.resolve(gathered) }, now });
}

const forms: Readonly<Record<string, Evidence>> = {
  'as a text of cosign, whose type says no more': stated(ANY, {
    Data: cycloneDxXml(),
    Timestamp: now.toISOString(),
  }),
  'as a text, with its own type': stated(BOM, { Data: cycloneDxXml() }),
  'as the predicate itself': stated(BOM, cycloneDxXml('MIT', '1.4')),
  'as the predicate itself, with the type that cosign has for such': stated(
    'https://spdx.dev/Document',
    cycloneDxXml('MIT', '1.7'),
  ),
  'with a mark before it': stated(ANY, { Data: `\uFEFF${cycloneDxXml('MIT', '1.5')}` }),
};

for (const [title, evidence] of Object.entries(forms)) {
  test(`a bill of materials in XML is one: ${title}`, async (t) => {
    const verdict = await verdictOf([evidence]);
    t.is(verdict.outcome, 'Verified', JSON.stringify(verdict, undefined, 2));
    const { format, ...facts } = verdict.facts.sbom ?? {};
    t.regex(String(format), /^CycloneDX 1\.[4-7]$/);
    const { sbom = {} } = (await verdictOf([stated(BOM, cycloneDx())])).facts;
    t.deepEqual({ ...facts, format: 'CycloneDX 1.6' }, sbom, 'and says the same as in JSON');
  });
}

interface Refused {
  readonly evidence: Evidence;
  readonly reason: string;
  readonly says: RegExp;
}

const refused: Readonly<Record<string, Refused>> = {
  'with a licence that is denied': {
    evidence: stated(ANY, { Data: cycloneDxXml('GPL-3.0-only') }),
    reason: 'LicenceNotAllowed',
    says: /"right" has licence "GPL-3\.0-only"/,
  },
  'that does not fit its schema': {
    evidence: stated(BOM, { Data: cycloneDxXml('Free-For-All') }),
    reason: 'SbomInvalid',
    says: /sbom: the bill of materials is no CycloneDX 1\.6: line 13: /,
  },
  'of a version that is not read': {
    evidence: stated(BOM, { Data: cycloneDxXml('MIT', '1.3') }),
    reason: 'Unsupported',
    says: /of XML, bom of/,
  },
  'by somebody else': {
    evidence: stated(ANY, { Data: cycloneDxXml() }, 'stranger'),
    reason: 'WrongKey',
    says: /./,
  },
  'that is a text of something else': {
    evidence: stated(ANY, { Data: '<html xmlns="http://www.w3.org/1999/xhtml"/>' }),
    reason: 'OnlyOtherStatements',
    says: /attached are only "https:\/\/cosign\.sigstore\.dev\/attestation\/v1"/,
  },
  'in a text that is not UTF-8': {
    evidence: stated(BOM, { Data: '\uFFFD\uFFFD<\0b\0o\0m\0' }),
    reason: 'Unsupported',
    says: /is a text that is no XML/,
  },
  'with another one beside it in JSON, of which it would be a matter of taste which counts': {
    evidence: stated(BOM, { Data: cycloneDxXml(), ...cycloneDx('GPL-3.0-only') }),
    reason: 'SbomInvalid',
    says: /additional properties \("Data"\)/,
  },
};

for (const [title, { evidence, reason, says }] of Object.entries(refused)) {
  test(`refused: a bill of materials in XML ${title}`, async (t) => {
    const verdict = await verdictOf([evidence]);
    t.is(verdict.outcome, 'Refused');
    t.is<string | undefined, string>(verdict.reason, reason, verdict.message);
    t.regex(verdict.message, says);
  });
}

/** An analysis of what the report has found. */
const analysis = (state: string, id = 'CVE-2026-0001'): string => `<?xml version="1.0"?>
<bom xmlns="http://cyclonedx.org/schema/bom/1.6" version="1">
  <vulnerabilities><vulnerability>
    <id>${id}</id>
    <ratings><rating><score>9.8</score><severity>critical</severity></rating></ratings>
    <analysis><state>${state}</state></analysis>
  </vulnerability></vulnerabilities>
</bom>`;

const SCANNED: Requirement = {
  vulnerabilities: {
    from: ['builder'],
    threshold: 1,
    maxAgeSeconds: 86_400,
    budget: { Critical: 0, Unscored: 0 },
    vexFrom: ['builder'],
  },
};
const scan = stated('https://cosign.sigstore.dev/attestation/vuln/v1', report(now.toISOString()));

const analyses: Readonly<
  Record<string, { readonly xml: string; readonly outcome: string; readonly note?: RegExp }>
> = {
  'that does not affect it': { xml: analysis('not_affected'), outcome: 'Verified' },
  'that does': { xml: analysis('exploitable'), outcome: 'Refused' },
  'another one': { xml: analysis('not_affected', 'CVE-2026-0002'), outcome: 'Refused' },
  'in what does not fit its schema': {
    xml: analysis('not-really'),
    outcome: 'Refused',
    note: /VEX document by builder does not count: .*no CycloneDX 1\.6: line 6: /,
  },
};

for (const [title, { xml, outcome, note }] of Object.entries(analyses)) {
  test(`an analysis in XML of a vulnerability ${title}`, async (t) => {
    const verdict = await verdictOf([scan, stated(VEX, { Data: xml })], SCANNED);
    t.is<string, string>(verdict.outcome, outcome, verdict.message);
    if (outcome === 'Refused') t.is(verdict.reason, 'OverBudget');
    if (note === undefined) t.deepEqual(verdict.notes, []);
    else t.regex(verdict.notes.join('\n'), note);
  });
}

test('what nobody is believed in is not read, and what is, is read once', async (t) => {
  const documents = new XmlDocuments();
  const read: string[] = [];
  const reader = (xml: string) => {
    read.push(xml);
    return Promise.resolve({ kind: 'verified', value: {} } as const);
  };
  t.false(await documents.readWanted(reader), 'nobody asked');
  t.like(documents.documentOf({ Data: '<a/>' }), { kind: 'unknown' });
  t.like(documents.documentOf({ Data: '<a/>', Timestamp: 'now' }), { kind: 'unknown' });
  t.true(await documents.readWanted(reader));
  t.deepEqual(read, ['<a/>']);
  t.deepEqual(documents.documentOf({ Data: '<a/>' }), { kind: 'verified', value: {} });
  t.false(await documents.readWanted(reader));
  const predicate = { bomFormat: 'CycloneDX' };
  t.deepEqual(documents.documentOf(predicate), { kind: 'verified', value: predicate });
});

test('what is stated in XML counts as what it comes to, whatever the number of documents', (t) => {
  const evidence = Array.from({ length: 4 }, () => stated(BOM, { Data: `<a>${'<b/>'.repeat(400_000)}</a>` }));
  const against = { now, revoked: new Set<string>(), effort: new Effort() };
  const { claims, unreadable } = readClaims(IMAGE, { subject: Buffer.from('{}'), evidence }, against);
  t.is(claims.length, 2, 'as many as there is room for');
  t.true(unreadable.length === 2 && unreadable.every(({ reason }) => reason === 'TooLarge'));
});

test('an analysis that cannot be read may take back what others of its authority say', async (t) => {
  const excusing = stated(VEX, { Data: analysis('not_affected') });
  const unread = stated(VEX, { Data: analysis('not-really') });
  for (const documents of [
    [excusing, unread],
    [unread, excusing],
  ]) {
    const verdict = await verdictOf([scan, ...documents], SCANNED);
    t.is(verdict.reason, 'OverBudget', verdict.message);
    t.regex(verdict.notes.join('\n'), /VEX document by builder does not count: .*; nor do others by it/);
  }
});

function said(state: string, timestamp: string): Evidence {
  const vulnerabilities = [{ id: 'CVE-2026-0001', analysis: { state } }];
  return stated(VEX, { metadata: { timestamp }, vulnerabilities });
}

test('an analysis that is dated ahead does not outlast what takes it back, and is noted', async (t) => {
  const ahead = said('not_affected', '2999-01-01T00:00:00Z');
  const alone = await verdictOf([scan, ahead], SCANNED);
  t.is(alone.outcome, 'Verified', alone.message);
  const dated = /VEX document by builder is dated 2999-01-01T00:00:00\.000Z, which is yet to come: anything/;
  t.regex(alone.notes.join('\n'), dated);
  const taken = await verdictOf([scan, ahead, said('exploitable', '2026-01-01T00:00:00Z')], SCANNED);
  t.is(taken.reason, 'OverBudget', taken.message);
  const open = said('exploitable', '2998-01-01T00:00:00Z');
  const later = await verdictOf([scan, open, ahead], SCANNED);
  t.is(later.reason, 'OverBudget', later.message);
  t.regex(
    later.notes.join('\n'),
    /dated 2998-01-01T00:00:00\.000Z, .*: builder does not excuse what it takes back before that/,
  );
});

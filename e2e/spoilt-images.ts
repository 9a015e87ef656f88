// SPDX-License-Identifier: Apache-2.0
import { type ImageCase, NOT_ASKED } from './image-cases.ts';
import {
  type BaseName,
  built,
  byKey,
  byRoot,
  HOUR_MS,
  type Making,
  sbomSpdx,
  sbomXml,
  scanned,
  stated,
  TIMESTAMPS,
  vex,
} from './image-making.ts';
import { CI, cycloneDx } from './image-signer.ts';

const over = { reason: 'OverBudget', says: /1 vulnerabilities are Critical, 0 are allowed: CVE-2026-0001/ };

/** Everything of a bundle but the statement, which is another. */
function restated(bundle: Buffer): Buffer {
  const parsed = JSON.parse(bundle.toString('utf8')) as { dsseEnvelope: { payload: string } };
  const statement = Buffer.from(parsed.dsseEnvelope.payload, 'base64').toString('utf8');
  const payload = Buffer.from(statement.replace('{}', '{"more":1}')).toString('base64');
  return Buffer.from(JSON.stringify({ ...parsed, dsseEnvelope: { ...parsed.dsseEnvelope, payload } }));
}

async function attachesThatOf(base: BaseName, { signer, image, other }: Making): Promise<void> {
  for (const bundle of await signer.content.bundles(await other(base)))
    await signer.content.attach(image, bundle);
}

/** Spoilt by one thing: the rows of docs/spec/v1alpha1/refused-images.md. */
export const SPOILT: Readonly<Record<string, ImageCase & { readonly reason: string }>> = {
  'nothing is attached': { policy: 'by-key', base: 'bare', reason: 'NoSignature', cosign: byKey() },
  'signed by somebody else': { policy: 'by-key', base: 'strange', reason: 'WrongKey', cosign: byKey() },
  'signed, and the Secret has the key of somebody else': {
    policy: 'in-another-secret',
    base: 'signed',
    reason: 'WrongKey',
    cosign: byKey('stranger'),
  },
  'described by a bill of materials, and not signed': {
    policy: 'by-key',
    base: 'listed',
    reason: 'OnlyOtherStatements',
    says: /cyclonedx/,
    cosign: byKey(),
    differs: NOT_ASKED.roles,
  },
  'with the signature of another image': {
    policy: 'by-key',
    base: 'bare',
    make: (making) => attachesThatOf('signed', making),
    reason: 'DigestMismatch',
    cosign: byKey(),
  },
  'with the signature of another image, in the older form': {
    policy: 'by-key',
    base: 'bare',
    make: async ({ signer, image, other }) => signer.content.movesOlder(await other('older'), image),
    reason: 'DigestMismatch',
    cosign: byKey('builder', '--new-bundle-format=false'),
  },
  'with another statement under a good signature': {
    policy: 'by-key',
    base: 'bare',
    make: async ({ signer, image, other }) => {
      const [bundle] = await signer.content.bundles(await other('signed'));
      await signer.content.attach(image, restated(bundle ?? Buffer.alloc(0)));
    },
    reason: 'SignatureInvalid',
    cosign: byKey(),
  },
  'with something that is no signature': {
    policy: 'by-key',
    base: 'bare',
    make: ({ signer, image }) => signer.content.attach(image, Buffer.from('{"not":"a bundle"}')),
    reason: 'Malformed',
    cosign: byKey(),
  },
  'signed by a key that has been revoked': {
    policy: 'revoked',
    base: 'signed',
    reason: 'Revoked',
    cosign: byKey(),
    differs: NOT_ASKED.revoked,
  },
  'signed by one of two that are asked for': {
    policy: 'two',
    base: 'signed',
    reason: 'ThresholdNotMet',
    says: /1 of 2/,
    cosign: byKey(),
    differs: NOT_ASKED.count,
  },
  'signed by one who has two names': {
    policy: 'twice',
    base: 'signed',
    reason: 'ThresholdNotMet',
    says: /spoken for by the same/,
    cosign: byKey(),
    differs: NOT_ASKED.count,
  },
  'signed by a key, and in no log, though one is asked for': {
    policy: 'logged',
    base: 'signed',
    reason: 'LogEntryMissing',
    cosign: (signer) => [
      'verify',
      '--key',
      signer.publicPath('builder'),
      '--trusted-root',
      signer.rootPath('private'),
    ],
  },
  'an index that is signed, but not what is in it': {
    policy: 'each',
    base: 'bare',
    make: async ({ signer, image }) => {
      const index = await signer.content.index(image.repository, [image.digest]);
      await signer.sign(index, 'builder');
      return index;
    },
    reason: 'NoSignature',
    says: /linux\/amd64 \(sha256:/,
    cosign: byKey(),
    differs: NOT_ASKED.index,
  },
  'an image of an index that is signed, by itself': {
    policy: 'by-key',
    base: 'bare',
    make: async ({ signer, image }) => {
      const index = await signer.content.index(image.repository, [image.digest]);
      await signer.sign(index, 'builder');
      return image;
    },
    reason: 'NoSignature',
    cosign: byKey(),
  },
  'signed by another identity': {
    policy: 'another-identity',
    base: 'keyless',
    reason: 'WrongIdentity',
    says: /ci\.example\/builds\/main/,
    cosign: byRoot('private', ['--certificate-identity', `${CI}/2`]),
  },
  'signed by an identity of which the pattern matches a part': {
    policy: 'part-of-a-name',
    base: 'keyless',
    reason: 'WrongIdentity',
    cosign: byRoot('private', ['--certificate-identity-regexp', 'builds']),
    differs: NOT_ASKED.part,
  },
  'identified by another issuer': {
    policy: 'another-issuer',
    base: 'keyless',
    reason: 'WrongIssuer',
    cosign: byRoot('private', ['--certificate-oidc-issuer', 'https://evil.example']),
  },
  'in no log, though one is asked for': {
    policy: 'keyless',
    base: 'keyless-tsa',
    reason: 'LogEntryMissing',
    cosign: byRoot('private', ['--use-signed-timestamps']),
  },
  'without a timestamp, though one is asked for': {
    policy: 'timestamped',
    base: 'keyless-log',
    reason: 'TimestampMissing',
    cosign: byRoot('private', ['--use-signed-timestamps']),
  },
  'certified by another authority': {
    policy: 'other-authority',
    base: 'keyless',
    reason: 'CertificateUntrusted',
    cosign: byRoot('authorities'),
  },
  'certified outside the log of certificates': {
    policy: 'other-certificate-log',
    base: 'keyless',
    reason: 'CertificateNotLogged',
    cosign: byRoot('certificate-logs'),
  },
  'in the log of somebody else': {
    policy: 'other-log',
    base: 'keyless',
    reason: 'LogEntryInvalid',
    cosign: byRoot('logs'),
  },
  'timestamped by somebody else': {
    policy: 'other-timestamps',
    base: 'keyless-tsa',
    reason: 'TimestampInvalid',
    cosign: byRoot('timestamps', TIMESTAMPS),
  },
  'signed with a certificate that had run out': {
    policy: 'late-certificates',
    base: 'bare',
    make: ({ signer, image }) => signer.signLate(image),
    reason: 'CertificateExpired',
    cosign: byRoot('late', TIMESTAMPS),
  },
  'built, says who may only scan': {
    policy: 'built',
    base: 'bare',
    make: ({ signer, image }) => signer.attest(image, 'scanner', built()),
    reason: 'RoleNotAllowed',
    says: /scanner/,
    cosign: stated('slsaprovenance1'),
  },
  'built by another builder': {
    policy: 'another-builder',
    base: 'built',
    reason: 'ProvenanceBuilder',
    cosign: stated('slsaprovenance1'),
    differs: NOT_ASKED.policy,
  },
  'built from another source': {
    policy: 'another-source',
    base: 'built',
    reason: 'ProvenanceSource',
    says: /team\/app/,
    cosign: stated('slsaprovenance1'),
    differs: NOT_ASKED.policy,
  },
  'built at a lower level': {
    policy: 'lower-level',
    base: 'built',
    reason: 'ProvenanceLevel',
    cosign: stated('slsaprovenance1'),
    differs: NOT_ASKED.policy,
  },
  'signed, and described in no way': {
    policy: 'listed',
    base: 'signed',
    reason: 'OnlyOtherStatements',
    cosign: stated('cyclonedx'),
  },
  'described by the bill of materials of another image': {
    policy: 'listed',
    base: 'signed',
    make: (making) => attachesThatOf('listed', making),
    reason: 'DigestMismatch',
    cosign: stated('cyclonedx'),
  },
  'described in a version that is not read': {
    policy: 'listed',
    base: 'bare',
    make: ({ signer, image }) =>
      signer.attest(image, 'builder', { type: 'cyclonedx', predicate: cycloneDx('MIT', '9.9') }),
    reason: 'Unsupported',
    cosign: stated('cyclonedx'),
    differs: NOT_ASKED.policy,
  },
  'described in XML that does not fit its schema': {
    policy: 'listed',
    base: 'bare',
    make: ({ signer, image }) => signer.attest(image, 'builder', sbomXml('Free-For-All')),
    reason: 'SbomInvalid',
    says: /is no CycloneDX 1\.6: line 13: .*'Free-For-All' is none of those that are allowed/,
    cosign: stated('custom'),
    differs: NOT_ASKED.policy,
  },
  'described in SPDX, with a licence under a name that nobody reads': {
    policy: 'listed',
    base: 'bare',
    make: ({ signer, image }) => signer.attest(image, 'builder', sbomSpdx('licenceDeclared')),
    reason: 'SbomInvalid',
    says: /is no SPDX 2\.3: at \/packages\/1: must NOT have additional properties \("licenceDeclared"\)/,
    cosign: stated('spdxjson'),
    differs: NOT_ASKED.policy,
  },
  'with a component of a licence that is denied': {
    policy: 'denied-licence',
    base: 'listed',
    reason: 'LicenceNotAllowed',
    says: /"right" has licence "MIT"/,
    cosign: stated('cyclonedx'),
    differs: NOT_ASKED.policy,
  },
  'scanned too long ago': {
    policy: 'fresh',
    base: 'scanned',
    reason: 'ReportTooOld',
    cosign: stated('vuln', 'scanner'),
    differs: NOT_ASKED.policy,
  },
  'with a vulnerability above the highest score': {
    policy: 'scored',
    base: 'scanned',
    reason: 'OverBudget',
    says: /score above 7: CVE-2026-0001/,
    cosign: stated('vuln', 'scanner'),
    differs: NOT_ASKED.policy,
  },
  'with more vulnerabilities than the budget has': {
    policy: 'described',
    base: 'whole',
    ...over,
    cosign: stated('vuln', 'scanner'),
    differs: NOT_ASKED.policy,
  },
  'clean by an older report only': {
    policy: 'described',
    base: 'whole',
    make: ({ signer, image }) => signer.attest(image, 'scanner', scanned(3 * HOUR_MS, true)),
    ...over,
    cosign: stated('vuln', 'scanner'),
    differs: NOT_ASKED.policy,
  },
  'excused by who may not': {
    policy: 'described',
    base: 'whole',
    make: ({ signer, image }) => signer.attest(image, 'scanner', vex()),
    ...over,
    cosign: stated('openvex', 'analyst'),
  },
  'excused by who may, who has taken it back since': {
    policy: 'described',
    base: 'whole',
    make: async ({ signer, image }) => {
      await signer.attest(image, 'analyst', vex('2026-02-01T00:00:00Z'));
      await signer.attest(image, 'analyst', vex());
    },
    ...over,
    cosign: stated('openvex', 'analyst'),
    differs: NOT_ASKED.policy,
  },
  'waived in another package': {
    policy: 'described',
    base: 'whole',
    ...over,
    cosign: stated('vuln', 'scanner'),
    differs: NOT_ASKED.policy,
  },
  'waived until a moment ago': {
    policy: 'described',
    base: 'whole',
    reason: 'WaiverExpired',
    says: /until-a-moment-ago/,
    cosign: stated('vuln', 'scanner'),
    differs: NOT_ASKED.policy,
  },
};

const BY_NOBODY = /accepted signatures do not match threshold, Found: 0/;
const NOT_TO_THEM = /leaf certificate verification failed/;

/** Where cosign refuses as well, by our reason: its words, which have to be about the same. */
export const COSIGN_SAYS: Readonly<Record<string, RegExp>> = {
  NoSignature: /no signatures found/,
  Malformed: /no signatures found/,
  OnlyOtherStatements: /none of the attestations matched the predicate type: cyclonedx/,
  WrongKey: BY_NOBODY,
  SignatureInvalid: BY_NOBODY,
  RoleNotAllowed: BY_NOBODY,
  // Of who may say that it is not affected nothing is there.
  OverBudget: BY_NOBODY,
  DigestMismatch:
    /does not match any digest in statement|missing digest in claim|none of the attestations matched the predicate type/,
  LogEntryMissing: /not enough verified log entries/,
  LogEntryInvalid: /not enough verified log entries/,
  TimestampMissing: /threshold not met for verified signed timestamps/,
  TimestampInvalid: /threshold not met for verified signed timestamps/,
  CertificateUntrusted: NOT_TO_THEM,
  CertificateExpired: NOT_TO_THEM,
  CertificateNotLogged: /failed to verify signed certificate timestamp/,
  WrongIssuer: /expected issuer value/,
  WrongIdentity: /expected SAN value/,
};

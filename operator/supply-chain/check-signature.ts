// SPDX-License-Identifier: Apache-2.0
import { X509Certificate as NodeCertificate } from 'node:crypto';
import { RFC3161Timestamp } from '@sigstore/core';
import { type Judgement, refuse, type Refused } from '../core/supply-chain/judgement.ts';
import type { ProvenSigner, ReadyAuthority } from './authority.ts';
import { chainProblem, chainValidUntil, identityOf, purposeProblem } from './certificates.ts';
import type { Effort } from './effort.ts';
import { identityProblem } from './identity.ts';
import { formsOf, isSignedBy, type TrustedKey, trustedKey } from './keys.ts';
import { libraryProblem } from './library.ts';
import { messageOf, sha256, type SignedItem } from './signed-item.ts';

/** What a signature is held against besides its authority. */
export interface CheckedAgainst {
  readonly now: Date;
  /** Fingerprints (SHA-256, hex) of keys and certificates that are no longer trusted, whenever they signed. */
  readonly revoked: ReadonlySet<string>;
  /** What is left to be spent on the image; undefined: as much as it takes. */
  readonly effort?: Effort;
}

/** Whether a signature is one of this authority; not known where too much was to be checked. Never throws: what breaks a check is refused. */
export function checkSignature(
  item: SignedItem,
  authority: ReadyAuthority,
  against: CheckedAgainst,
): Judgement<ProvenSigner> {
  try {
    return authority.signer.kind === 'keys'
      ? checkByKey(item, authority, against)
      : checkByCertificate(item, authority, against);
  } catch (error) {
    return refuse('Malformed', `the signature cannot be checked: ${messageOf(error)}`);
  }
}

function checkByKey(
  item: SignedItem,
  authority: ReadyAuthority,
  { now, revoked, effort }: CheckedAgainst,
): Judgement<ProvenSigner> {
  const keys = authority.signer.kind === 'keys' ? authority.signer.keys : [];
  const hinted = keys.filter((one) => item.signer.kind === 'key' && one.hint === item.signer.hint);
  const candidates = hinted.length > 0 ? hinted : keys;
  const tooMuch = effort?.take({ bytes: item.signedBytes.length, forms: formsOfAll(candidates) });
  if (tooMuch !== undefined) return tooMuch;
  const signer = candidates.find((one) => isSignedBy(one.key, item.signedBytes, item.signature));
  if (signer === undefined) {
    return hinted.length > 0
      ? refuse(
          'SignatureInvalid',
          'the signature names a trusted key, but does not fit what it is attached to',
        )
      : refuse('WrongKey', `the signature is by none of the ${keys.length} keys of ${authority.name}`);
  }
  if (revoked.has(signer.fingerprint)) {
    return refuse('Revoked', `key sha256:${signer.fingerprint} has been revoked`);
  }
  // A key signature may come with a certificate all the same; who is trusted is the key.
  const byKey = asIfByKey(item);
  const problem = proofsProblem(byKey, authority) ?? keyLibraryProblem(byKey, { authority, now }, signer.key);
  return problem ?? { kind: 'verified', value: provenBy(byKey, authority, signer.fingerprint) };
}

function formsOfAll(keys: readonly TrustedKey[]): number {
  return keys.reduce((sum, one) => sum + formsOf(one.key), 0);
}

function keyLibraryProblem(
  item: SignedItem,
  { authority, now }: { readonly authority: ReadyAuthority; readonly now: Date },
  key: ReturnType<typeof trustedKey>['key'],
): Refused | undefined {
  if (authority.log === 'Ignored' && authority.time === 'Observer') return undefined;
  const material = authority.root?.material;
  if (material === undefined) return refuse('LogEntryInvalid', `${authority.name} has no trust root`);
  return libraryProblem({ item, authority, material, now, key });
}

/** The same, of which only log and times are left to be checked. */
function asIfByKey(item: SignedItem): SignedItem {
  return { ...item, signer: { kind: 'key', hint: '' } };
}

/** What is plainly not there is said so, before the library is asked: it would say so in words of its own order. */
function proofsProblem(item: SignedItem, authority: ReadyAuthority): Refused | undefined {
  if (authority.log === 'Required' && item.logEntries.length === 0) {
    return refuse('LogEntryMissing', 'the signature has no entry of a transparency log');
  }
  const hasLogTime = item.logEntries.some((one) => one.inclusionPromise !== undefined);
  const hasTimestamp =
    item.timestamps.length > 0 && (authority.root?.material.timestampAuthorities.length ?? 0) > 0;
  const has = { Timestamp: hasTimestamp, Log: hasLogTime || hasTimestamp, Observer: true };
  return has[authority.time]
    ? undefined
    : refuse('TimestampMissing', 'no timestamp and no log that is trusted says when it was signed');
}

function checkByCertificate(
  item: SignedItem,
  authority: ReadyAuthority,
  against: CheckedAgainst,
): Judgement<ProvenSigner> {
  const { signer } = item;
  const material = authority.root?.material;
  if (signer.kind !== 'certificate') {
    return refuse('WrongKey', `the signature is by a key; ${authority.name} signs by certificates`);
  }
  if (material === undefined) return refuse('CertificateUntrusted', `${authority.name} has no trust root`);
  const key = trustedKey(leafKey(signer.der));
  const bytes = item.signedBytes.length;
  const tooMuch = against.effort?.take({ bytes, forms: formsOf(key.key), isCertificate: true });
  if (tooMuch !== undefined) return tooMuch;
  if (!isSignedBy(key.key, item.signedBytes, item.signature)) {
    return refuse('SignatureInvalid', 'the signature does not fit what it is attached to');
  }
  const marks = [key.fingerprint, sha256(signer.der)];
  const problem = certificateProblem(item, authority, { ...against, marks });
  if (problem !== undefined) return problem;
  const proven = provenBy(item, authority, key.fingerprint);
  return { kind: 'verified', value: { ...proven, ...validityOf(item, authority, against.now) } };
}

/** All that is wrong with a certificate whose key signed. */
function certificateProblem(
  item: SignedItem,
  authority: ReadyAuthority,
  { now, revoked, marks }: CheckedAgainst & { readonly marks: readonly string[] },
): Refused | undefined {
  if (item.signer.kind !== 'certificate') return undefined;
  return (
    proofsProblem(item, authority) ??
    trustProblem(item, authority, now) ??
    purposeProblem(item.signer.der) ??
    revocationProblem(marks, revoked) ??
    whoProblem(item, authority)
  );
}

/** What was proved to be of a time holds for good; what is so because it is now, no longer than that. */
function validityOf(
  { signer }: SignedItem,
  { time, root }: ReadyAuthority,
  now: Date,
): Pick<ProvenSigner, 'validUntil'> {
  if (time !== 'Observer' || signer.kind !== 'certificate' || root === undefined) return {};
  const until = chainValidUntil(signer.der, root.material, now);
  return until === undefined ? {} : { validUntil: until.toISOString() };
}

function leafKey(der: Buffer): ReturnType<typeof trustedKey>['key'] {
  return new NodeCertificate(der).publicKey;
}

/** Certificate, log and time; by the library where a time is proved, by the clock of the observer where the authority says so. */
function trustProblem(item: SignedItem, authority: ReadyAuthority, now: Date): Refused | undefined {
  const material = authority.root?.material;
  if (item.signer.kind !== 'certificate' || material === undefined) return undefined;
  if (authority.time === 'Observer') {
    const { der } = item.signer;
    return chainProblem(der, material, now) ?? purposeProblem(der) ?? observedProblem(item, authority, now);
  }
  const problem = libraryProblem({ item, authority, material, now });
  return problem?.reason === 'CertificateUntrusted' ? (expiryProblem(item, authority) ?? problem) : problem;
}

/** The logs that a certificate and its signature are to be in, where nobody but the observer says when it was used. */
function observedProblem(item: SignedItem, authority: ReadyAuthority, now: Date): Refused | undefined {
  const material = authority.root?.material;
  if (item.signer.kind !== 'certificate' || material === undefined) return undefined;
  const isLogged = authority.signer.kind === 'certificates' && authority.signer.certificateLog === 'Required';
  return isLogged
    ? libraryProblem({ item, authority, material, now, observedAt: now })
    : keyLibraryProblem(asIfByKey(item), { authority, now }, leafKey(item.signer.der));
}

/** Of several authorities the library tells what the last one said; that none was valid at that time is told by the certificate. */
function expiryProblem(item: SignedItem, authority: ReadyAuthority): Refused | undefined {
  if (item.signer.kind !== 'certificate') return undefined;
  const { leaf } = item.signer;
  const time = timesOf(item, authority).find((one) => !leaf.validForDate(one));
  return time === undefined
    ? undefined
    : refuse(
        'CertificateExpired',
        `the certificate is valid from ${leaf.notBefore.toISOString()} to ${leaf.notAfter.toISOString()}, and signed at ${time.toISOString()}`,
      );
}

function revocationProblem(
  fingerprints: readonly string[],
  revoked: ReadonlySet<string>,
): Refused | undefined {
  const found = fingerprints.find((one) => revoked.has(one));
  return found === undefined
    ? undefined
    : refuse('Revoked', `key or certificate sha256:${found} has been revoked`);
}

function whoProblem(item: SignedItem, authority: ReadyAuthority): Refused | undefined {
  if (item.signer.kind !== 'certificate' || authority.signer.kind !== 'certificates') return undefined;
  const identity = identityOf(item.signer.leaf);
  return identity === undefined
    ? refuse('WrongIdentity', 'the certificate does not say in plain characters whom it is for')
    : identityProblem(identity, authority.signer.identities);
}

/** The times that an item claims, and that the library looks at with this authority. With Observer nobody does. */
function timesOf(item: SignedItem, { root, time }: ReadyAuthority): readonly Date[] {
  const promised = time === 'Log' ? item.logEntries.filter((one) => one.inclusionPromise !== undefined) : [];
  const isTrusted = time !== 'Observer' && (root?.material.timestampAuthorities.length ?? 0) > 0;
  return [
    ...promised.map((one) => new Date(Number(one.integratedTime) * 1000)),
    ...(isTrusted ? item.timestamps : []).map((one) => RFC3161Timestamp.parse(Buffer.from(one)).signingTime),
  ];
}

function provenBy(item: SignedItem, authority: ReadyAuthority, fingerprint: string): ProvenSigner {
  const identity = item.signer.kind === 'certificate' ? identityOf(item.signer.leaf) : undefined;
  const earliest = timesOf(item, authority).toSorted((one, other) => one.getTime() - other.getTime())[0];
  return {
    authority: authority.name,
    fingerprint,
    ...(identity !== undefined && { identity }),
    ...(earliest !== undefined && { signedAt: earliest.toISOString() }),
  };
}

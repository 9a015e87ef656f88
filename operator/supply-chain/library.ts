// SPDX-License-Identifier: Apache-2.0
import { createHash, type KeyObject } from 'node:crypto';
import { RFC3161Timestamp } from '@sigstore/core';
import { VerificationError, Verifier } from '@sigstore/verify';
import { refuse, type Refusal, type Refused } from '../core/supply-chain/judgement.ts';
import type { ReadyAuthority } from './authority.ts';
import { isSignedBy } from './keys.ts';
import { firstInTotoProblem, isFirstInToto } from './log-proofs.ts';
import { messageOf, type SignedItem } from './signed-item.ts';
import type { TrustMaterial } from './trust-root.ts';

type SignedEntity = Parameters<Verifier['verify']>[0];
type Timestamp = SignedEntity['timestamps'][number];

/** What the library is to hold of an item. */
export interface LibraryCheck {
  readonly item: SignedItem;
  readonly authority: ReadyAuthority;
  readonly material: TrustMaterial;
  readonly now: Date;
  /** The key that was trusted beforehand, of signatures by keys. */
  readonly key?: KeyObject;
  /** The time that a certificate is looked at, where whoever looks is believed in that. */
  readonly observedAt?: Date;
}

/**
 * Has the library check certificate, log and timestamps. Whatever it throws is a refusal: several of its checks fail with errors of the language
 * itself on input that somebody broke on purpose.
 */
export function libraryProblem(check: LibraryCheck): Refused | undefined {
  try {
    const old = check.item.logEntries.find(isFirstInToto);
    const problem = old === undefined ? undefined : firstInTotoProblem(old, check.item, check.material);
    if (problem !== undefined) return problem;
    verifierOf(check).verify(entityOf(check));
    return outdatedLog(check);
  } catch (error) {
    return refusalOf(error);
  }
}

function verifierOf({ item, authority, material, key, observedAt }: LibraryCheck): Verifier {
  const own = item.logEntries.filter(isFirstInToto).length;
  const { signer } = authority;
  const needsCertificateLog = signer.kind === 'certificates' && signer.certificateLog === 'Required';
  const trusted =
    key === undefined
      ? material
      : { ...material, publicKey: () => ({ publicKey: key, validFor: () => true }) };
  return new Verifier(trusted, {
    ctlogThreshold: needsCertificateLog ? 1 : 0,
    tlogThreshold: authority.log === 'Required' && own === 0 ? 1 : 0,
    timestampThreshold: authority.time === 'Observer' && observedAt === undefined ? 0 : 1,
  });
}

function entityOf(check: LibraryCheck): SignedEntity {
  const { item } = check;
  const logEntries = entriesOf(check);
  const timestamps =
    check.observedAt === undefined ? timestampsOf(check, logEntries) : [asTimestamp(check.observedAt)];
  return {
    signature: contentOf(item),
    key:
      item.signer.kind === 'key'
        ? { $case: 'public-key', hint: item.signer.hint }
        : { $case: 'certificate', certificate: item.signer.leaf },
    tlogEntries: logEntries.filter((one) => !isFirstInToto(one)),
    timestamps,
  };
}

function entriesOf({ item, authority, material }: LibraryCheck): SignedItem['logEntries'] {
  return authority.log === 'Required' || material.tlogs.length > 0 ? item.logEntries : [];
}

function timestampsOf(
  { item, authority, material }: LibraryCheck,
  logEntries: SignedItem['logEntries'],
): Timestamp[] {
  const promised = logEntries.filter((one) => one.inclusionPromise !== undefined);
  // Where a timestamp is asked for, the word of a log is not one.
  const byLog = authority.time === 'Timestamp' ? [] : promised;
  const byAuthority = material.timestampAuthorities.length > 0 ? item.timestamps : [];
  return [
    ...byLog.map((tlogEntry) => ({ $case: 'transparency-log' as const, tlogEntry })),
    ...byAuthority.map((bytes) => ({
      $case: 'timestamp-authority' as const,
      timestamp: RFC3161Timestamp.parse(Buffer.from(bytes)),
    })),
  ];
}

/**
 * The library holds promises of a log against the time in which its key is trusted, and proofs of inclusion against none: who has the key of a log
 * that was given up could make entries today. What is proved by a checkpoint alone (Rekor v2) has to be of a log that was trusted at all
 * times that are proved, or else is now.
 */
function outdatedLog(check: LibraryCheck): Refused | undefined {
  const entries = entriesOf(check).filter((one) => one.inclusionPromise === undefined && !isFirstInToto(one));
  if (entries.length === 0) return undefined;
  const proved = timestampsOf(check, []).map((one) =>
    one.$case === 'timestamp-authority' ? one.timestamp.signingTime : check.now,
  );
  const times = proved.length > 0 ? proved : [check.now];
  const isOld = entries.some(({ logId }) => !isTrustedAt(check.material, logId.keyId, times));
  return isOld
    ? refuse(
        'LogEntryInvalid',
        `the log was not trusted at ${times.map((one) => one.toISOString()).join(', ')}`,
      )
    : undefined;
}

function isTrustedAt(material: TrustMaterial, logId: Buffer, times: readonly Date[]): boolean {
  return material.tlogs.some(
    ({ logID, validFor }) =>
      logID.equals(logId) && times.every((time) => validFor.start <= time && time <= validFor.end),
  );
}

/** The library takes the time from an entry, and checks those entries only that are given to it as such: this one is of nobody. */
function asTimestamp(time: Date): Timestamp {
  const tlogEntry = {
    logIndex: '0',
    logId: { keyId: Buffer.alloc(0) },
    kindVersion: { kind: '', version: '' },
    integratedTime: String(Math.floor(time.getTime() / 1000)),
    inclusionPromise: { signedEntryTimestamp: Buffer.alloc(0) },
    inclusionProof: undefined,
    canonicalizedBody: Buffer.alloc(0),
  };
  return { $case: 'transparency-log', tlogEntry };
}

const HASHES: Readonly<Record<number, string>> = { 32: 'sha256', 48: 'sha384', 64: 'sha512' };

function isDigest(bytes: Buffer, digest: Buffer): boolean {
  const hash = HASHES[digest.length];
  return hash !== undefined && createHash(hash).update(bytes).digest().equals(digest);
}

/** The library's own contents know one hash and no Ed25519ph. A log entry tells by the length of the digest which hash it means. */
function contentOf(item: SignedItem): SignedEntity['signature'] {
  return {
    signature: item.signature,
    compareSignature: (signature) => item.signature.equals(signature),
    compareDigest: (digest) => isDigest(item.payload, digest),
    compareSignedDigest: (digest) => isDigest(item.signedBytes, digest),
    verifySignature: (key) => isSignedBy(key, item.signedBytes, item.signature),
  };
}

const BY_CODE: Readonly<Record<string, Refusal>> = {
  TLOG_ERROR: 'LogEntryInvalid',
  TLOG_INCLUSION_PROOF_ERROR: 'LogEntryInvalid',
  TLOG_INCLUSION_PROMISE_ERROR: 'LogEntryInvalid',
  TLOG_MISSING_INCLUSION_ERROR: 'LogEntryInvalid',
  TLOG_BODY_ERROR: 'LogEntryMismatch',
  CERTIFICATE_ERROR: 'CertificateUntrusted',
  PUBLIC_KEY_ERROR: 'WrongKey',
  SIGNATURE_ERROR: 'SignatureInvalid',
  TIMESTAMP_ERROR: 'TimestampInvalid',
};

/** What we say of an error of the library. What is not an error of its own is a document that it could not read. */
export function refusalOf(error: unknown): Refused {
  if (!(error instanceof VerificationError)) return refuse('Malformed', messageOf(error));
  if (error.code === 'CERTIFICATE_ERROR' && /\bSCTs?\b/.test(error.message)) {
    return refuse('CertificateNotLogged', error.message);
  }
  return refuse(BY_CODE[error.code] ?? 'Malformed', error.message);
}

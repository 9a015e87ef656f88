// SPDX-License-Identifier: Apache-2.0
import type { TransparencyLogEntry } from '@sigstore/bundle';
import { crypto, json, pem } from '@sigstore/core';
import { asText, at, readDocument, SMALL } from '../core/supply-chain/documents.ts';
import { refuse, type Refused } from '../core/supply-chain/judgement.ts';
import { sha256, type SignedItem } from './signed-item.ts';
import type { TrustMaterial } from './trust-root.ts';

/** Whether an entry is of the first form of in-toto entries, which the library does not read. */
export function isFirstInToto(entry: TransparencyLogEntry): boolean {
  return entry.kindVersion.kind === 'intoto' && entry.kindVersion.version === '0.0.1';
}

/**
 * What is wrong with such an entry; undefined where nothing is. It has no signature in it, only the hash of the envelope, so that and the certificate are
 * what binds it to this signature.
 */
export function firstInTotoProblem(
  entry: TransparencyLogEntry,
  item: SignedItem,
  material: TrustMaterial,
): Refused | undefined {
  if (!isPromised(entry, material)) {
    return refuse('LogEntryInvalid', 'the promise of the log is not by a trusted one');
  }
  const read = readDocument(entry.canonicalizedBody, 'the log entry', SMALL);
  if (read.kind !== 'verified') return refuse('LogEntryMismatch', 'the log entry is no JSON object');
  const body = read.value;
  if (asText(body['kind']) !== 'intoto' || asText(body['apiVersion']) !== '0.0.1') {
    return refuse('LogEntryMismatch', 'the log entry is of another kind than it says');
  }
  if (!isOfItem(at(body, 'spec', 'content'), item)) {
    return refuse('LogEntryMismatch', 'the log entry is of another envelope');
  }
  return isOfSigner(asText(at(body, 'spec', 'publicKey')) ?? '', item)
    ? undefined
    : refuse('LogEntryMismatch', 'the log entry names another signer');
}

function isOfItem(content: unknown, item: SignedItem): boolean {
  const payloadHash = asText(at(content, 'payloadHash', 'value')) ?? sha256(item.payload);
  const hash = asText(at(content, 'hash', 'value'));
  return (
    item.envelopeDigest !== undefined && hash === item.envelopeDigest && payloadHash === sha256(item.payload)
  );
}

function isOfSigner(publicKey: string, item: SignedItem): boolean {
  if (item.signer.kind !== 'certificate') return false;
  const der = pem.toDER(Buffer.from(publicKey, 'base64').toString('utf8'));
  return item.signer.der.equals(der);
}

/** The promise is a signature over the entry in canonical JSON, by a log that was trusted at the time it tells. */
function isPromised(entry: TransparencyLogEntry, material: TrustMaterial): boolean {
  const promise = entry.inclusionPromise;
  if (promise === undefined) return false;
  const seconds = Number(entry.integratedTime);
  const time = new Date(seconds * 1000);
  const data = json.canonicalize({
    body: entry.canonicalizedBody.toString('base64'),
    integratedTime: seconds,
    logIndex: Number(entry.logIndex),
    logID: entry.logId.keyId.toString('hex'),
  });
  return material.tlogs.some(
    (log) =>
      log.logID.equals(entry.logId.keyId) &&
      log.validFor.start <= time &&
      time <= log.validFor.end &&
      crypto.verify(Buffer.from(data), log.publicKey, promise.signedEntryTimestamp),
  );
}

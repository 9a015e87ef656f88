// SPDX-License-Identifier: Apache-2.0
import { createPublicKey, type KeyObject, sign } from 'node:crypto';
import { dsse } from '@sigstore/core';
import { MAX_PROOF } from '#crds/v1alpha1/image-verdict';
import { MAX_STATEMENT, type Proof, proofStatement, readProof, type Verifier } from '../core/images/proof.ts';
import { asList, asText, at, readDocument } from '../core/supply-chain/documents.ts';
import { type Judgement, refuse } from '../core/supply-chain/judgement.ts';
import { STATEMENT_PAYLOAD } from '../core/supply-chain/statement.ts';
import { isSignedBy, type TrustedKey, trustedKey } from './keys.ts';

const LIMITS = { maxBytes: MAX_PROOF, maxDepth: 8 };
const MAX_SIGNATURES = 4;

/** By whom a proof is signed. */
export interface ProofSigner {
  readonly verifier: Verifier;
  /** A private key of ECDSA P-256. */
  readonly key: KeyObject;
  /** Of its public half, where that is known. */
  readonly fingerprint?: string;
}

/**
 * What the operator vouches for, as a DSSE envelope: whoever has its public key needs nothing else to believe it.
 *
 * @throws RangeError for a proof that is longer than those who go by it read: a fault of the program.
 */
export function signProof(proof: Proof, { verifier, key, fingerprint }: ProofSigner): string {
  const payload = Buffer.from(JSON.stringify(proofStatement(proof, verifier)));
  if (payload.length > MAX_STATEMENT) {
    throw new RangeError(`found a proof of ${payload.length} bytes; ${MAX_STATEMENT} are read at most`);
  }
  const signature = sign('sha256', dsse.preAuthEncoding(STATEMENT_PAYLOAD, payload), key);
  const keyid = fingerprint ?? trustedKey(createPublicKey(key)).fingerprint;
  return JSON.stringify({
    payloadType: STATEMENT_PAYLOAD,
    payload: payload.toString('base64'),
    signatures: [{ keyid, sig: signature.toString('base64') }],
  });
}

/** What an envelope vouches for, where one of the keys has signed it. */
export function openProof(text: string, keys: readonly TrustedKey[]): Judgement<Proof> {
  const read = readDocument(Buffer.from(text), 'the envelope of the proof', LIMITS);
  if (read.kind !== 'verified') return read;
  if (read.value['payloadType'] !== STATEMENT_PAYLOAD) {
    return refuse('Malformed', `the proof has a payload of another type than ${STATEMENT_PAYLOAD}`);
  }
  const payload = Buffer.from(asText(read.value['payload']) ?? '', 'base64');
  const signatures = asList(read.value['signatures']).slice(0, MAX_SIGNATURES);
  const signed = dsse.preAuthEncoding(STATEMENT_PAYLOAD, payload);
  const isTrusted = signatures.some((one) => {
    const signature = Buffer.from(asText(at(one, 'sig')) ?? '', 'base64');
    return keys.some(({ key }) => isSignedBy(key, signed, signature));
  });
  return isTrusted ? readProof(payload) : refuse('WrongKey', 'the proof is by nobody who vouches for images');
}

// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { type Bundle, bundleFromJSON, type TransparencyLogEntry } from '@sigstore/bundle';
import { dsse, X509Certificate } from '@sigstore/core';
import { asDocument, asList, asText, at, type Document, LARGE } from '../core/supply-chain/documents.ts';
import { type Judgement, refuse } from '../core/supply-chain/judgement.ts';
import { payloadApart, readSignedDocument, type SignedDocument } from './payload-apart.ts';

/** By what a signature says it can be checked. */
export type SignerHint =
  | { readonly kind: 'key'; readonly hint: string }
  | { readonly kind: 'certificate'; readonly leaf: X509Certificate; readonly der: Buffer };

/** One signature over one content, whichever form it came in. */
export interface SignedItem {
  /** What is to be read once the signature is good: a statement, or a payload of simple signing. */
  readonly payload: Buffer;
  /** Exactly what was signed: the payload, or its DSSE encoding. */
  readonly signedBytes: Buffer;
  readonly form: 'statement' | 'message';
  readonly payloadType: string;
  readonly signature: Buffer;
  readonly signer: SignerHint;
  readonly logEntries: readonly TransparencyLogEntry[];
  /** RFC 3161 responses. */
  readonly timestamps: readonly Buffer[];
  /** SHA-256 of the envelope as it was stored, where that is known: old log entries say nothing else. */
  readonly envelopeDigest?: string;
}

/** What a bare signature in a bundle is over: the manifest itself. */
export const ARTIFACT = 'artifact';

/** Signatures of one envelope, log entries and timestamps of one signature. */
const MAX_PARTS = 16;

/** Reads a sigstore bundle. One with several signatures is several items; `artifact` is what a bare message signature is over. */
export function readBundle(bytes: Uint8Array, artifact: Uint8Array): Judgement<readonly SignedItem[]> {
  const read = readSignedDocument(bytes, 'the bundle', LARGE);
  if (read.kind !== 'verified') return read;
  const parts = countProblem(read.value.document);
  if (parts !== undefined) return refuse('TooLarge', parts);
  try {
    return { kind: 'verified', value: itemsOf(read.value, artifact) };
  } catch (error) {
    return refuse('Malformed', `the bundle cannot be read: ${messageOf(error)}`);
  }
}

/** What the library says of what it cannot read, cut short. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message.slice(0, 200) : 'it fails';
}

function countProblem(bundle: Document): string | undefined {
  const lists = {
    'dsseEnvelope.signatures': at(bundle, 'dsseEnvelope', 'signatures'),
    'verificationMaterial.tlogEntries': at(bundle, 'verificationMaterial', 'tlogEntries'),
    'verificationMaterial.timestampVerificationData.rfc3161Timestamps': at(
      bundle,
      'verificationMaterial',
      'timestampVerificationData',
      'rfc3161Timestamps',
    ),
  };
  for (const [field, list] of Object.entries(lists)) {
    const { length } = asList(list);
    if (length > MAX_PARTS) return `${field} of the bundle has ${length} entries; ${MAX_PARTS} are allowed`;
  }
  return undefined;
}

/** The library reads envelopes of one signature only: it is given the first, and what the others sign, which is the same, is read once. */
function itemsOf({ document: bundle, apart }: SignedDocument, artifact: Uint8Array): readonly SignedItem[] {
  const envelope = asDocument(bundle['dsseEnvelope']);
  if (envelope === undefined) return [itemOf(bundleFromJSON(bundle), { artifact })];
  const { rest, payload } = payloadApart(envelope, apart);
  const [one, ...others] = asList(envelope['signatures']);
  const alone = others.length === 0 ? rest : { ...rest, signatures: [one] };
  const first = itemOf(bundleFromJSON({ ...bundle, dsseEnvelope: alone }), { artifact, payload });
  return [first, ...others.map((other) => ({ ...first, signature: signatureOf(other) }))];
}

function signatureOf(signature: unknown): Buffer {
  const text = asText(at(signature, 'sig'));
  if (text === undefined) throw new Error('a signature without sig');
  return Buffer.from(text, 'base64');
}

/** What is signed: of an envelope its payload, of a bare signature the artifact. A bundle may have both beside each other, of which one counts. */
interface Signed {
  readonly artifact: Uint8Array;
  readonly payload?: Buffer;
}

function itemOf(bundle: Bundle, { artifact, payload }: Signed): SignedItem {
  const { content, verificationMaterial } = bundle;
  const rest = {
    signer: signerOf(bundle),
    logEntries: verificationMaterial.tlogEntries,
    timestamps: (verificationMaterial.timestampVerificationData?.rfc3161Timestamps ?? []).map((one) =>
      Buffer.from(one.signedTimestamp),
    ),
  };
  if (content.$case === 'messageSignature') {
    const bytes = Buffer.from(artifact);
    const { signature } = content.messageSignature;
    return {
      payload: bytes,
      signedBytes: bytes,
      form: 'message',
      payloadType: ARTIFACT,
      signature,
      ...rest,
    };
  }
  const { dsseEnvelope } = content;
  return { ...envelopeItem({ ...dsseEnvelope, payload: payload ?? dsseEnvelope.payload }), ...rest };
}

/** The part of an item that an envelope with one signature tells. */
export function envelopeItem(envelope: {
  readonly payload: Buffer;
  readonly payloadType: string;
  readonly signatures: readonly { readonly sig: Buffer }[];
}): Pick<SignedItem, 'payload' | 'signedBytes' | 'form' | 'payloadType' | 'signature'> {
  const { payload, payloadType } = envelope;
  return {
    payload,
    signedBytes: dsse.preAuthEncoding(payloadType, payload),
    form: 'statement',
    payloadType,
    signature: envelope.signatures[0]?.sig ?? Buffer.alloc(0),
  };
}

function signerOf(bundle: Bundle): SignerHint {
  const { content } = bundle.verificationMaterial;
  if (content.$case === 'publicKey') return { kind: 'key', hint: content.publicKey.hint };
  const der =
    content.$case === 'certificate'
      ? content.certificate.rawBytes
      : // The leaf only: what else a chain claims is not trusted.
        content.x509CertificateChain.certificates[0]?.rawBytes;
  if (der === undefined) throw new Error('no certificate');
  return certificateSigner(Buffer.from(der));
}

/** A signer that a certificate names. Throws on what is no certificate. */
export function certificateSigner(der: Buffer<ArrayBuffer>): SignerHint {
  return { kind: 'certificate', leaf: X509Certificate.parse(der), der };
}

/** SHA-256 in hex. */
export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

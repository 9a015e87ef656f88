// SPDX-License-Identifier: Apache-2.0
import { envelopeFromJSON, type TransparencyLogEntry } from '@sigstore/bundle';
import { pem } from '@sigstore/core';
import { asText, at, type Document, LARGE, SMALL } from '../core/supply-chain/documents.ts';
import { type Judgement, refuse } from '../core/supply-chain/judgement.ts';
import { SIMPLE_SIGNING } from '../core/supply-chain/statement.ts';
import { payloadApart, readSignedDocument } from './payload-apart.ts';
import {
  certificateSigner,
  envelopeItem,
  messageOf,
  sha256,
  type SignedItem,
  type SignerHint,
} from './signed-item.ts';

const SIGNATURE = 'dev.cosignproject.cosign/signature';
const CERTIFICATE = 'dev.sigstore.cosign/certificate';
const REKOR_BUNDLE = 'dev.sigstore.cosign/bundle';
const TIMESTAMP = 'dev.sigstore.cosign/rfc3161timestamp';

/** Annotations of a layer of the older form of cosign. */
export type Annotations = Readonly<Record<string, string>>;

/** Longest annotation that is read: a certificate chain and a log entry with the envelope in it have a few ten kilobytes. */
const MAX_ANNOTATION = 1 << 20;

type Proofs = Pick<SignedItem, 'signer' | 'logEntries' | 'timestamps'>;

/** Reads a signature of the older form: the payload is a layer, everything else is in annotations of it. */
export function readClassicSignature(
  payload: Uint8Array,
  annotations: Annotations,
): Judgement<readonly SignedItem[]> {
  const signature = annotations[SIGNATURE];
  if (signature === undefined) return refuse('Malformed', `the layer has no annotation ${SIGNATURE}`);
  if (payload.length > SMALL.maxBytes)
    return refuse('TooLarge', `the signed payload has ${payload.length} bytes`);
  return withProofs(annotations, (proofs) => {
    const bytes = Buffer.from(payload);
    return [
      {
        payload: bytes,
        signedBytes: bytes,
        form: 'message',
        payloadType: SIMPLE_SIGNING,
        signature: Buffer.from(signature, 'base64'),
        ...proofs,
      },
    ];
  });
}

/** Reads an attestation of the older form: the layer is a DSSE envelope, proofs are in annotations. */
export function readClassicAttestation(
  envelope: Uint8Array,
  annotations: Annotations,
): Judgement<readonly SignedItem[]> {
  const read = readSignedDocument(envelope, 'the envelope', LARGE);
  if (read.kind !== 'verified') return read;
  return withProofs(annotations, (proofs) => {
    const { document, apart } = read.value;
    const { rest, payload } = payloadApart(document, apart);
    const parsed = { ...envelopeFromJSON(rest), payload };
    if (parsed.signatures.length > 16) throw new Error(`${parsed.signatures.length} signatures`);
    // What they sign is the same: it is encoded and hashed once.
    // Old entries of a log are of that, and nothing else is.
    const ofEnvelope = proofs.logEntries.length > 0 && { envelopeDigest: sha256(envelope) };
    const first = { ...envelopeItem(parsed), ...proofs, ...ofEnvelope };
    return parsed.signatures.map(({ sig }) => ({ ...first, signature: sig }));
  });
}

function withProofs(
  annotations: Annotations,
  read: (proofs: Proofs) => readonly SignedItem[],
): Judgement<readonly SignedItem[]> {
  const long = Object.entries(annotations).find(([, text]) => text.length > MAX_ANNOTATION);
  if (long !== undefined)
    return refuse('TooLarge', `annotation ${long[0].slice(0, 100)} has ${long[1].length} characters`);
  try {
    return { kind: 'verified', value: read(proofsOf(annotations)) };
  } catch (error) {
    return refuse('Malformed', `the signature cannot be read: ${messageOf(error)}`);
  }
}

function proofsOf(annotations: Annotations): Proofs {
  return {
    signer: signerOf(annotations[CERTIFICATE]),
    logEntries: logEntriesOf(annotations[REKOR_BUNDLE]),
    timestamps: timestampsOf(annotations[TIMESTAMP]),
  };
}

/** The leaf only: the chain beside it is not trusted. */
function signerOf(certificate: string | undefined): SignerHint {
  return certificate === undefined || certificate === ''
    ? { kind: 'key', hint: '' }
    : certificateSigner(Buffer.from(pem.toDER(certificate)));
}

function timestampsOf(text: string | undefined): readonly Buffer[] {
  if (text === undefined) return [];
  const encoded = asText(at(parse(text), 'SignedRFC3161Timestamp'));
  return encoded === undefined ? [] : [Buffer.from(encoded, 'base64')];
}

/** The promise of the log, as the older form writes it. */
function logEntriesOf(text: string | undefined): readonly TransparencyLogEntry[] {
  if (text === undefined || text === '') return [];
  const bundle = parse(text);
  const body = Buffer.from(asText(at(bundle, 'Payload', 'body')) ?? '', 'base64');
  const parsed = parse(body.toString('utf8'));
  return [
    {
      logIndex: String(at(bundle, 'Payload', 'logIndex')),
      logId: { keyId: Buffer.from(asText(at(bundle, 'Payload', 'logID')) ?? '', 'hex') },
      kindVersion: {
        kind: asText(parsed['kind']) ?? '',
        version: asText(parsed['apiVersion']) ?? '',
      },
      integratedTime: String(at(bundle, 'Payload', 'integratedTime')),
      inclusionPromise: {
        signedEntryTimestamp: Buffer.from(asText(at(bundle, 'SignedEntryTimestamp')) ?? '', 'base64'),
      },
      inclusionProof: undefined,
      canonicalizedBody: body,
    },
  ];
}

function parse(text: string): Document {
  return JSON.parse(text) as Document;
}

// SPDX-License-Identifier: Apache-2.0
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { dsse } from '@sigstore/core';
import { BUNDLE_TYPE } from './media-types.ts';
import { tokenOf } from './private-sigstore.ts';

const TYPE = 'application/vnd.in-toto+json';

/** A bundle, as whoever fetches it holds it. */
export interface LateSignature {
  readonly form: 'bundle';
  readonly origin: string;
  readonly bytes: Uint8Array;
  readonly annotations: Readonly<Record<string, string>>;
}

/** A signature as cosign makes it, by a certificate of this instance: cosign itself makes none with one that has run out. */
export async function signedBy(url: string, subject: string, image: string): Promise<LateSignature> {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const content = pair.publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const answer = await post(
    `${url}/api/v2/signingCert`,
    JSON.stringify({ publicKeyRequest: { publicKey: { content } } }),
    {
      authorization: `Bearer ${tokenOf(subject)}`,
    },
  );
  const issued = JSON.parse(answer.toString()) as {
    signedCertificateEmbeddedSct: { chain: { certificates: readonly string[] } };
  };
  const pem = issued.signedCertificateEmbeddedSct.chain.certificates[0] ?? '';
  const payload = Buffer.from(
    JSON.stringify({
      _type: 'https://in-toto.io/Statement/v1',
      predicateType: 'https://sigstore.dev/cosign/sign/v1',
      subject: [{ digest: { sha256: image.replace('sha256:', '') } }],
      predicate: {},
    }),
  );
  const signature = sign('sha256', dsse.preAuthEncoding(TYPE, payload), pair.privateKey);
  const timestamp = await post(`${url}/api/v1/timestamp`, query(signature), {});
  const bundle = {
    mediaType: BUNDLE_TYPE,
    verificationMaterial: {
      certificate: { rawBytes: pem.replaceAll(/-----[A-Z ]+-----|\s/g, '') },
      timestampVerificationData: { rfc3161Timestamps: [{ signedTimestamp: timestamp.toString('base64') }] },
    },
    dsseEnvelope: {
      payload: payload.toString('base64'),
      payloadType: TYPE,
      signatures: [{ sig: signature.toString('base64') }],
    },
  };
  return { form: 'bundle', origin: 'late', bytes: Buffer.from(JSON.stringify(bundle)), annotations: {} };
}

async function post(url: string, body: string | Buffer, headers: Record<string, string>): Promise<Buffer> {
  const response = await fetch(url, { method: 'POST', body: Buffer.from(body), headers });
  return Buffer.from(await response.arrayBuffer());
}

/** An RFC 3161 query: version 1, a SHA-256 of the signature, and the certificate is wanted. */
function query(signature: Buffer): Buffer {
  const algorithm = '300d06096086480165030402010500';
  const hash = createHash('sha256').update(signature).digest('hex');
  return Buffer.from(`30390201013031${algorithm}0420${hash}0101ff`, 'hex');
}

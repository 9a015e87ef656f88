// SPDX-License-Identifier: Apache-2.0
import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { BUNDLE_TYPE } from './media-types.ts';
import { type PrivateSigstore, tokenOf } from './private-sigstore.ts';

const PAYLOAD_TYPE = 'application/vnd.in-toto+json';
const SIGNATURE = 'https://sigstore.dev/cosign/sign/v1';

interface Entry {
  readonly body: string;
  readonly integratedTime: number;
  readonly logID: string;
  readonly logIndex: number;
  readonly verification: {
    readonly signedEntryTimestamp: string;
    readonly inclusionProof: {
      readonly checkpoint: string;
      readonly hashes: readonly string[];
      readonly logIndex: number;
      readonly rootHash: string;
      readonly treeSize: number;
    };
  };
}

/**
 * Signs as cosign does without a key, and writes what cosign writes, many times as fast: a thousand images that each need a process of their
 * own take a quarter of an hour. Its one certificate is for all that it signs, each of which is in the log by itself.
 */
export class KeylessSigner {
  readonly #sigstore: PrivateSigstore;
  readonly #key: KeyObject;
  readonly #certificate: string;

  private constructor(sigstore: PrivateSigstore, key: KeyObject, certificate: string) {
    this.#sigstore = sigstore;
    this.#key = key;
    this.#certificate = certificate;
  }

  /** Gets a certificate for `subject`. */
  static async create(sigstore: PrivateSigstore, subject: string): Promise<KeylessSigner> {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const content = publicKey.export({ type: 'spki', format: 'pem' }).toString();
    const answer = (await post(`${sigstore.url}/api/v2/signingCert`, {
      body: { publicKeyRequest: { publicKey: { algorithm: 'ECDSA', content } } },
      token: tokenOf(subject),
    })) as {
      readonly signedCertificateEmbeddedSct: { readonly chain: { readonly certificates: readonly string[] } };
    };
    const [pem = ''] = answer.signedCertificateEmbeddedSct.chain.certificates;
    return new KeylessSigner(sigstore, privateKey, pem);
  }

  /** The bundle of a signature of the image `digest`. */
  async bundleOf(digest: string): Promise<Buffer> {
    const [algorithm = '', hex = ''] = digest.split(':');
    const statement = {
      _type: 'https://in-toto.io/Statement/v1',
      predicateType: SIGNATURE,
      predicate: {},
      subject: [{ digest: { [algorithm]: hex } }],
    };
    const payload = Buffer.from(JSON.stringify(statement));
    const signature = sign('sha256', preAuthenticated(payload), this.#key);
    const envelope = {
      payload: payload.toString('base64'),
      payloadType: PAYLOAD_TYPE,
      signatures: [{ sig: signature.toString('base64') }],
    };
    return Buffer.from(
      JSON.stringify({
        mediaType: BUNDLE_TYPE,
        verificationMaterial: {
          certificate: { rawBytes: this.#certificate.replaceAll(/-----[A-Z ]+-----|\s/g, '') },
          tlogEntries: [await this.#logged(envelope)],
        },
        dsseEnvelope: envelope,
      }),
    );
  }

  async #logged(envelope: object): Promise<object> {
    const proposedContent = {
      envelope: JSON.stringify(envelope),
      verifiers: [Buffer.from(this.#certificate).toString('base64')],
    };
    const answer = (await post(`${this.#sigstore.url}/api/v1/log/entries`, {
      body: { apiVersion: '0.0.1', kind: 'dsse', spec: { proposedContent } },
    })) as Readonly<Record<string, Entry>>;
    const [entry] = Object.values(answer);
    if (entry === undefined) throw new Error('the log has taken no entry');
    return entryOf(entry);
  }
}

function entryOf({ body, integratedTime, logID, logIndex, verification }: Entry): object {
  const { inclusionProof: proof, signedEntryTimestamp } = verification;
  return {
    logIndex: String(logIndex),
    logId: { keyId: base64(logID) },
    kindVersion: { kind: 'dsse', version: '0.0.1' },
    integratedTime: String(integratedTime),
    inclusionPromise: { signedEntryTimestamp },
    inclusionProof: {
      logIndex: String(proof.logIndex),
      rootHash: base64(proof.rootHash),
      treeSize: String(proof.treeSize),
      hashes: proof.hashes.map(base64),
      checkpoint: { envelope: proof.checkpoint },
    },
    canonicalizedBody: body,
  };
}

function base64(hex: string): string {
  return Buffer.from(hex, 'hex').toString('base64');
}

/** What is signed of an envelope. */
function preAuthenticated(payload: Buffer): Buffer {
  const head = `DSSEv1 ${PAYLOAD_TYPE.length} ${PAYLOAD_TYPE} ${payload.length} `;
  return Buffer.concat([Buffer.from(head), payload]);
}

/** The digest of bytes, as registries write it. */
export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

async function post(
  url: string,
  { body, token }: { readonly body: object; readonly token?: string },
): Promise<unknown> {
  const answer = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

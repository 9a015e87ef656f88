// SPDX-License-Identifier: Apache-2.0
import { createHash, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ASN1Obj } from '@sigstore/core';
import {
  fulcioHandler,
  type HandlerFn,
  initializeCA,
  initializeCTLog,
  initializeTLog,
  initializeTSA,
  rekorHandler,
} from '@sigstore/mock';

/** Whom the certificate authority of the tests believes everything. */
export const ISSUER = 'https://issuer.example';

interface Pair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

/** An instance of Sigstore of one's own on loopback: certificate authority with its log, transparency log, timestamp authority. */
export interface PrivateSigstore {
  readonly url: string;
  /** Its `trusted_root.json`, as an object to be spoilt. */
  readonly trustedRoot: Readonly<Record<string, readonly Record<string, unknown>[]>> & {
    readonly mediaType: string;
  };
  /** By which its certificates are signed. */
  readonly authorityKey: KeyObject;
  /** A signing config of cosign that names those of the services that are asked for. */
  signingConfig(services: readonly ('rekor' | 'tsa')[]): object;
  stop(): Promise<void>;
}

/** Starts one. With `issuedAt` its certificates are of that time, whatever the time is. */
export async function startSigstore(issuedAt?: Date): Promise<PrivateSigstore> {
  // The time by which it signs; set below.
  const now = new Date();
  const keys = { ca: pair(), ctlog: pair(), rekor: pair(), tsa: pair() };
  const routes = new Map<string, (request: IncomingMessage, body: Buffer) => Promise<Answer>>();
  const server = createServer((request, response) => void answer(request, response, routes));
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const ctlog = await initializeCTLog(keys.ctlog, issuedAt ?? now);
  const ca = await initializeCA(keys.ca, ctlog, issuedAt ?? now);
  const tlog = await initializeTLog(url, keys.rekor);
  const tsa = await initializeTSA(keys.tsa, now);
  // Not before it has all its certificates: the library has them begin at the second in which each is made, which may be a later one. A whole
  // second: of fractions the library reads those of three digits only, and one in ten ends with a zero, which is not written.
  now.setTime(Math.floor(Date.now() / 1000) * 1000);
  routes.set('/api/v2/signingCert', (request, body) => issue(fulcioHandler(ca).fn, request, body));
  routes.set('/api/v1/log/entries', (_, body) => enter(rekorHandler(tlog).fn, body));
  routes.set('/api/v1/timestamp', async (_, body) => ({
    status: 201,
    type: 'application/timestamp-reply',
    bytes: bytesOf(await tsa.timestamp(queryOf(body))),
  }));
  return {
    url,
    trustedRoot: {
      mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
      tlogs: [logOf(url, keys.rekor)],
      ctlogs: [logOf(`${url}/ct`, keys.ctlog)],
      certificateAuthorities: [authorityOf(url, [bytesOf(ca.rootCertificate)])],
      timestampAuthorities: [authorityOf(url, [bytesOf(tsa.intCertificate), bytesOf(tsa.rootCertificate)])],
    } as unknown as PrivateSigstore['trustedRoot'],
    authorityKey: keys.ca.privateKey,
    signingConfig: (services) => signingConfig(url, services),
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}

interface Answer {
  readonly etag?: string;
  readonly status: number;
  readonly type: string;
  readonly bytes: Buffer;
}

function pair(): Pair {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' });
}

function bytesOf(view: ArrayBufferView): Buffer {
  return Buffer.from(view.buffer, view.byteOffset, view.byteLength);
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  routes: ReadonlyMap<string, (request: IncomingMessage, body: Buffer) => Promise<Answer>>,
): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const found = await (routes.get(request.url ?? '') ?? notFound)(request, Buffer.concat(chunks));
  const etag = found.etag === undefined ? {} : { etag: found.etag };
  response.writeHead(found.status, { 'content-type': found.type, ...etag });
  response.end(found.bytes);
}

async function notFound(): Promise<Answer> {
  return { status: 404, type: 'text/plain', bytes: Buffer.from('not found') };
}

async function jsonOf(handler: HandlerFn, body: string): Promise<Answer> {
  const { statusCode, response } = await handler(body);
  const bytes = typeof response === 'string' ? Buffer.from(response) : bytesOf(response);
  return { status: statusCode, type: 'application/json', bytes };
}

/** An entry for an envelope is stored by what it hashes to: the log of the library stores what it is sent. */
async function enter(handler: HandlerFn, body: Buffer): Promise<Answer> {
  const entry = JSON.parse(body.toString()) as Entry;
  const { proposedContent } = entry.spec;
  const stored = proposedContent === undefined ? entry : { ...entry, spec: storedSpec(proposedContent) };
  const answered = await jsonOf(handler, JSON.stringify(stored));
  const [uuid = ''] = Object.keys(JSON.parse(answered.bytes.toString()) as object);
  return { ...answered, etag: uuid };
}

interface Entry {
  readonly spec: {
    readonly proposedContent?: { readonly envelope: string; readonly verifiers: readonly string[] };
  };
}

function storedSpec({ envelope, verifiers }: NonNullable<Entry['spec']['proposedContent']>): object {
  const parsed = JSON.parse(envelope) as { payload: string; signatures: readonly { sig: string }[] };
  return {
    envelopeHash: hashOf(Buffer.from(envelope)),
    payloadHash: hashOf(Buffer.from(parsed.payload, 'base64')),
    signatures: parsed.signatures.map(({ sig }, index) => ({ signature: sig, verifier: verifiers[index] })),
  };
}

function hashOf(bytes: Buffer): object {
  return { algorithm: 'sha256', value: createHash('sha256').update(bytes).digest('hex') };
}

/** cosign sends the token as a header, and knows no answer but 200. */
async function issue(handler: HandlerFn, request: IncomingMessage, body: Buffer): Promise<Answer> {
  const token = (request.headers.authorization ?? '').replace(/^Bearer /i, '');
  const asked = JSON.parse(body.toString()) as Record<string, unknown>;
  const csr = asked['certificateSigningRequest'];
  const plain = typeof csr === 'string' ? Buffer.from(csr, 'base64').toString() : undefined;
  const full = {
    ...asked,
    ...(plain !== undefined && { certificateSigningRequest: plain }),
    credentials: { oidcIdentityToken: token },
  };
  const answered = await jsonOf(handler, JSON.stringify(full));
  return { ...answered, status: answered.status === 201 ? 200 : answered.status };
}

/** The parts of an RFC 3161 query that the authority needs. */
function queryOf(der: Buffer): {
  artifactHash: Buffer;
  hashAlgorithmOID: string;
  nonce: number;
  policyOID: string;
  certReq: boolean;
} {
  const query = ASN1Obj.parseBuffer(Buffer.from(der));
  const imprint = query.subs[1];
  const nonce = query.subs.find((one, index) => index > 1 && one.tag.number === 0x02);
  return {
    artifactHash: imprint?.subs[1]?.value ?? Buffer.alloc(0),
    hashAlgorithmOID: imprint?.subs[0]?.subs[0]?.toOID() ?? '',
    nonce: Number(nonce?.toInteger() ?? 1n),
    policyOID: '1.3.6.1.4.1.57264.2',
    certReq: true,
  };
}

const VALID = { start: '2020-01-01T00:00:00Z' };

function logOf(url: string, { publicKey }: Pair): object {
  const rawBytes = publicKey.export({ type: 'spki', format: 'der' });
  return {
    baseUrl: url,
    hashAlgorithm: 'SHA2_256',
    publicKey: {
      rawBytes: rawBytes.toString('base64'),
      keyDetails: 'PKIX_ECDSA_P256_SHA_256',
      validFor: VALID,
    },
    logId: { keyId: createHash('sha256').update(rawBytes).digest('base64') },
  };
}

function authorityOf(url: string, chain: readonly Buffer[]): object {
  return {
    subject: { organization: 'sigstore.mock', commonName: 'sigstore' },
    uri: url,
    certChain: { certificates: chain.map((one) => ({ rawBytes: one.toString('base64') })) },
    validFor: VALID,
  };
}

function signingConfig(url: string, services: readonly ('rekor' | 'tsa')[]): object {
  const service = (path = ''): object => ({
    url: `${url}${path}`,
    majorApiVersion: 1,
    validFor: VALID,
    operator: 'nexusos.test',
  });
  return {
    mediaType: 'application/vnd.dev.sigstore.signingconfig.v0.2+json',
    caUrls: [service()],
    oidcUrls: [],
    rekorTlogUrls: services.includes('rekor') ? [service()] : [],
    rekorTlogConfig: { selector: 'ANY' },
    tsaUrls: services.includes('tsa') ? [service('/api/v1/timestamp')] : [],
    tsaConfig: { selector: 'ANY' },
  };
}

/** A token that says who somebody is. The authority of the tests does not check who signed it. */
export function tokenOf(subject: string, issuer: string = ISSUER): string {
  const expires = Math.floor(Date.now() / 1000) + 3600;
  const claims = {
    iss: issuer,
    sub: subject,
    aud: 'sigstore',
    exp: expires,
    iat: expires - 3600,
    email: subject,
    email_verified: true,
  };
  return `${encoded({ alg: 'RS256', typ: 'JWT' })}.${encoded(claims)}.${Buffer.from('signature').toString('base64url')}`;
}

function encoded(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

// SPDX-License-Identifier: Apache-2.0
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from 'node:crypto';
import { isIPv4 } from 'node:net';
import {
  asTrue,
  bitString,
  explicit,
  implicit,
  integer,
  namedBits,
  objectIdentifier,
  octetString,
  sequence,
  setOfOne,
  utcTime,
  utf8String,
} from './der.ts';

// Node can make keys and sign but not issue certificates. The libraries that can cost twenty packages, a
// reflection polyfill and half a second of start-up each time; a cluster needs one fixed shape of
// certificate (ECDSA P-256, six extensions at most), which is this file.

/** A certificate with its private key, both PEM. */
export interface KeyPair {
  readonly certificate: string;
  readonly key: string;
}

/** A certificate authority: `issue` signs leaves that chain to `pair`. */
export interface Authority {
  readonly pair: KeyPair;
  readonly commonName: string;
}

/** What a leaf is for. A server certificate needs the `hosts` (names and IPv4 addresses) it answers to. */
export interface LeafRequest {
  readonly commonName: string;
  readonly organizations?: readonly string[];
  readonly usages: readonly ('client' | 'server')[];
  readonly hosts?: readonly string[];
}

const oid = {
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  commonName: '2.5.4.3',
  organization: '2.5.4.10',
  subjectKeyId: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyId: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  server: '1.3.6.1.5.5.7.3.1',
  client: '1.3.6.1.5.5.7.3.2',
} as const;

const keyUsageBit = { digitalSignature: 0, keyCertSign: 5, crlSign: 6 } as const;
const dayMs = 86_400_000;
const validDays = 365;

/** A new authority that signs itself, valid for a year from `now`. */
export function createAuthority(commonName: string, now: Date): Authority {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const subject = distinguishedName(commonName, []);
  const certificate = signedCertificate({
    subject,
    issuer: subject,
    publicKey,
    signingKey: privateKey,
    now,
    extensions: [
      extension(oid.basicConstraints, sequence(asTrue), 'critical'),
      extension(oid.keyUsage, namedBits([keyUsageBit.keyCertSign, keyUsageBit.crlSign]), 'critical'),
      extension(oid.subjectKeyId, octetString(keyId(publicKey))),
    ],
  });
  return { commonName, pair: { certificate, key: keyPem(privateKey) } };
}

/** A new key with a certificate from `authority`, valid for a year from `now`. */
export function issue(authority: Authority, request: LeafRequest, now: Date): KeyPair {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const authorityKey = createPrivateKey(authority.pair.key);
  const certificate = signedCertificate({
    subject: distinguishedName(request.commonName, request.organizations ?? []),
    issuer: distinguishedName(authority.commonName, []),
    publicKey,
    signingKey: authorityKey,
    now,
    extensions: [
      extension(oid.keyUsage, namedBits([keyUsageBit.digitalSignature]), 'critical'),
      extension(
        oid.extendedKeyUsage,
        sequence(...request.usages.map((usage) => objectIdentifier(oid[usage]))),
      ),
      extension(oid.authorityKeyId, sequence(implicit(0, keyId(createPublicKey(authorityKey))))),
      ...alternativeNames(request.hosts ?? []),
    ],
  });
  return { certificate, key: keyPem(privateKey) };
}

interface CertificateContent {
  readonly subject: Buffer;
  readonly issuer: Buffer;
  readonly publicKey: KeyObject;
  readonly signingKey: KeyObject;
  readonly now: Date;
  readonly extensions: readonly Buffer[];
}

function signedCertificate(content: CertificateContent): string {
  const algorithm = sequence(objectIdentifier(oid.ecdsaWithSha256));
  // A day of grace backwards: clocks of two processes on one machine agree, those of two containers may not.
  const notBefore = new Date(content.now.getTime() - dayMs);
  const notAfter = new Date(content.now.getTime() + validDays * dayMs);
  const toBeSigned = sequence(
    explicit(0, integer(Buffer.from([2]))),
    integer(randomBytes(16)),
    algorithm,
    content.issuer,
    sequence(utcTime(notBefore), utcTime(notAfter)),
    content.subject,
    content.publicKey.export({ type: 'spki', format: 'der' }),
    explicit(3, sequence(...content.extensions)),
  );
  const signature = sign('sha256', toBeSigned, content.signingKey);
  return pem('CERTIFICATE', sequence(toBeSigned, algorithm, bitString(signature)));
}

/** Kubernetes reads the user from the common name and the groups from the organizations. */
function distinguishedName(commonName: string, organizations: readonly string[]): Buffer {
  return sequence(
    ...organizations.map((name) => attribute(oid.organization, name)),
    attribute(oid.commonName, commonName),
  );
}

function attribute(type: string, value: string): Buffer {
  return setOfOne(sequence(objectIdentifier(type), utf8String(value)));
}

function extension(id: string, value: Buffer, critical?: 'critical'): Buffer {
  const mark = critical === undefined ? [] : [asTrue];
  return sequence(objectIdentifier(id), ...mark, octetString(value));
}

function alternativeNames(hosts: readonly string[]): readonly Buffer[] {
  if (hosts.length === 0) {
    return [];
  }
  const names = hosts.map((host) =>
    isIPv4(host)
      ? implicit(7, Buffer.from(host.split('.').map(Number)))
      : implicit(2, Buffer.from(host, 'ascii')),
  );
  return [extension(oid.subjectAltName, sequence(...names))];
}

/** Any unique value will do (RFC 5280, 4.2.1.2); the hash of the public key is the usual one. */
function keyId(publicKey: KeyObject): Buffer {
  return createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest()
    .subarray(0, 20);
}

function keyPem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

function pem(label: string, der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n');
}

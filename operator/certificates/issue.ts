// SPDX-License-Identifier: Apache-2.0
import { webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import type { IssuedPair } from '../core/certificates/plan.ts';

/** What a certificate is made for. */
export interface PairRequest {
  /** Names and addresses that its holder answers to. */
  readonly hosts: readonly string[];
  readonly now: Date;
  readonly validSeconds: number;
}

const KEYS = { name: 'ECDSA', namedCurve: 'P-256' } as const;
const OID = {
  commonName: '2.5.4.3',
  subjectKeyId: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyId: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  server: '1.3.6.1.5.5.7.3.1',
} as const;
/** Types of GeneralName (RFC 5280, 4.2.1.6). */
const NAME_TYPES = { dns: 2, address: 7 } as const;
/** For API servers whose clocks are behind ours: a part of its life, and never more than some minutes. */
const GRACE = { share: 1 / 10, atMostMs: 5 * 60_000 };
/** Bits of KeyUsage, from the left, in its one byte. */
const USAGES = { digitalSignature: 0x80, keyCertSign: 0x04 } as const;

type Libraries = Awaited<ReturnType<typeof load>>;

/** Read when there is something to issue: twice in a quarter. */
async function load() {
  const [pkijs, asn1js] = await Promise.all([import('pkijs'), import('asn1js')]);
  return { pkijs, asn1js };
}

/**
 * A key with a certificate, from an authority of its own. The key of that is forgotten at once: nobody can ever sign anything else with
 * what the API server is told to trust.
 */
export async function issuePair(request: PairRequest): Promise<IssuedPair> {
  const libraries = await load();
  const authority = await webcrypto.subtle.generateKey(KEYS, true, ['sign', 'verify']);
  const holder = await webcrypto.subtle.generateKey(KEYS, true, ['sign', 'verify']);
  const signing = { libraries, request, signer: authority };
  const name = `nexusos-webhooks ${request.now.toISOString()}`;
  const ca = await certificate(signing, { name, isAuthority: true, keys: authority });
  const leaf = await certificate(signing, { name, isAuthority: false, keys: holder });
  return { authority: ca, certificate: leaf, key: await keyPem(holder.privateKey) };
}

interface Signing {
  readonly libraries: Libraries;
  readonly request: PairRequest;
  readonly signer: webcrypto.CryptoKeyPair;
}

interface Subject {
  /** Of the authority. */
  readonly name: string;
  readonly isAuthority: boolean;
  readonly keys: webcrypto.CryptoKeyPair;
}

async function certificate(signing: Signing, subject: Subject): Promise<string> {
  const { libraries, request, signer } = signing;
  const { pkijs, asn1js } = libraries;
  const made = new pkijs.Certificate();
  made.version = 2;
  made.serialNumber = new asn1js.Integer({ valueHex: serialNumber() });
  const commonName = (text: string) =>
    new pkijs.AttributeTypeAndValue({ type: OID.commonName, value: new asn1js.Utf8String({ value: text }) });
  made.issuer.typesAndValues.push(commonName(subject.name));
  made.subject.typesAndValues.push(commonName(subject.isAuthority ? subject.name : 'nexusos-webhooks'));
  const validMs = request.validSeconds * 1000;
  made.notBefore.value = new Date(request.now.getTime() - Math.min(validMs * GRACE.share, GRACE.atMostMs));
  made.notAfter.value = new Date(request.now.getTime() + validMs);
  await made.subjectPublicKeyInfo.importKey(subject.keys.publicKey);
  made.extensions = await extensions(signing, subject);
  await made.sign(signer.privateKey, 'SHA-256');
  return pem('CERTIFICATE', Buffer.from(made.toSchema(true).toBER(false)));
}

async function extensions({ libraries, request, signer }: Signing, { isAuthority, keys }: Subject) {
  const { pkijs, asn1js } = libraries;
  const extension = (extnID: string, value: { toBER(): ArrayBuffer }, critical = false) =>
    new pkijs.Extension({ extnID, critical, extnValue: value.toBER() });
  const usage = isAuthority ? USAGES.keyCertSign : USAGES.digitalSignature;
  const unusedBits = isAuthority ? 2 : 7;
  const bits = new asn1js.BitString({ valueHex: new Uint8Array([usage]).buffer, unusedBits });
  const own = new asn1js.OctetString({ valueHex: await keyId(keys) });
  const issuer = new pkijs.AuthorityKeyIdentifier({
    keyIdentifier: new asn1js.OctetString({ valueHex: await keyId(signer) }),
  });
  return [
    extension(OID.basicConstraints, new pkijs.BasicConstraints({ cA: isAuthority }).toSchema(), true),
    extension(OID.keyUsage, bits, true),
    extension(OID.subjectKeyId, own),
    extension(OID.authorityKeyId, issuer.toSchema()),
    ...(isAuthority
      ? []
      : [
          extension(OID.extendedKeyUsage, new pkijs.ExtKeyUsage({ keyPurposes: [OID.server] }).toSchema()),
          extension(OID.subjectAltName, alternativeNames(libraries, request.hosts)),
        ]),
  ];
}

function alternativeNames({ pkijs, asn1js }: Libraries, hosts: readonly string[]) {
  const names = hosts.map((host) =>
    isIP(host) === 0
      ? new pkijs.GeneralName({ type: NAME_TYPES.dns, value: host })
      : new pkijs.GeneralName({
          type: NAME_TYPES.address,
          value: new asn1js.OctetString({ valueHex: addressBytes(host) }),
        }),
  );
  return new pkijs.GeneralNames({ names }).toSchema();
}

/** Any unique value will do (RFC 5280, 4.2.1.2). */
async function keyId({ publicKey }: webcrypto.CryptoKeyPair): Promise<ArrayBuffer> {
  const spki = await webcrypto.subtle.exportKey('spki', publicKey);
  return (await webcrypto.subtle.digest('SHA-256', spki)).slice(0, 20);
}

/** Sixteen bytes, the first of them neither zero nor with the bit that would make it negative. */
function serialNumber(): ArrayBuffer {
  const bytes = webcrypto.getRandomValues(new Uint8Array(16));
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes.buffer;
}

/** addressBytes('127.0.0.1') -> 7f 00 00 01 */
function addressBytes(address: string): ArrayBuffer {
  if (isIP(address) === 4) return new Uint8Array(address.split('.').map(Number)).buffer;
  const [head = '', tail] = address.split('::');
  const [left, right] = [groups(head), groups(tail ?? '')];
  const zeros = Array.from({ length: tail === undefined ? 0 : 8 - left.length - right.length }, () => 0);
  const words = [...left, ...zeros, ...right];
  return new Uint8Array(words.flatMap((word) => [word >> 8, word & 0xff])).buffer;
}

/** Sixteen bits each. */
function groups(text: string): readonly number[] {
  return text === '' ? [] : text.split(':').map((one) => Number.parseInt(one, 16));
}

async function keyPem(key: webcrypto.CryptoKey): Promise<string> {
  return pem('PRIVATE KEY', Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key)));
}

function pem(label: string, der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n');
}

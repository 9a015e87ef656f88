// SPDX-License-Identifier: Apache-2.0
import { X509Certificate } from 'node:crypto';
import type { X509Certificate as ParsedCertificate } from '@sigstore/core';
import { refuse, type Refused } from '../core/supply-chain/judgement.ts';
import type { SignerIdentity } from './identity.ts';
import type { TrustMaterial } from './trust-root.ts';

const CODE_SIGNING = '1.3.6.1.5.5.7.3.3';
const ISSUER_V1 = '1.3.6.1.4.1.57264.1.1';
const ISSUER_V2 = '1.3.6.1.4.1.57264.1.8';
const MAX_CHAIN = 8;

/**
 * Whom a certificate is for; undefined where that cannot be told for certain. The library drops the high bit of every byte on the way to a text, by
 * which a look-alike would become the real thing: what is not in the certificate byte by byte is not taken.
 */
export function identityOf(leaf: ParsedCertificate): SignerIdentity | undefined {
  const subject = leaf.subjectAltName;
  const names = leaf.extSubjectAltName;
  if (subject === undefined || names === undefined) return undefined;
  if (!names.value.includes(Buffer.from(subject, 'latin1'))) return undefined;
  const issuer = issuerOf(leaf);
  return issuer === undefined ? undefined : { issuer, subject };
}

/** By whom the holder was identified; empty for certificates of an authority that does not say. */
function issuerOf(leaf: ParsedCertificate): string | undefined {
  const second = leaf.extension(ISSUER_V2);
  const bytes = second?.valueObj.subs[0]?.value ?? leaf.extension(ISSUER_V1)?.value;
  if (bytes === undefined) return '';
  return bytes.every((byte) => byte >= 0x20 && byte < 0x7f) ? bytes.toString('latin1') : undefined;
}

/** Undefined where a certificate says that it is for signing code: the library does not look. */
export function purposeProblem(der: Buffer): Refused | undefined {
  const purposes = new X509Certificate(der).keyUsage ?? [];
  return purposes.includes(CODE_SIGNING)
    ? undefined
    : refuse('CertificateNotForSigning', 'the certificate lacks the extended key usage codeSigning');
}

/** Undefined where the certificate leads to an authority of the root and all of the chain is valid at `now`: the library asks for a time that was proved. */
export function chainProblem(der: Buffer, material: TrustMaterial, now: Date): Refused | undefined {
  const leaf = new X509Certificate(der);
  if (!isValid(leaf, now)) {
    return refuse('CertificateExpired', `the certificate is valid from ${leaf.validFrom} to ${leaf.validTo}`);
  }
  return trustedUntil(leaf, material, now) !== undefined
    ? undefined
    : refuse('CertificateUntrusted', 'the certificate does not lead to an authority of the trust root');
}

/** Until when a certificate that is valid now is so, with all that it leads to; undefined where it does not lead to an authority. */
export function chainValidUntil(der: Buffer, material: TrustMaterial, now: Date): Date | undefined {
  return trustedUntil(new X509Certificate(der), material, now);
}

/** Of several ways to an authority the one that holds longest. */
function trustedUntil(leaf: X509Certificate, material: TrustMaterial, now: Date): Date | undefined {
  const ends = material.certificateAuthorities.flatMap(({ validFor, certChain }) => {
    if (now < validFor.start || validFor.end < now) return [];
    const chain = certChain.map((one) => new X509Certificate(one.root.toDER()));
    const path = pathOf(leaf, { chain, now });
    return path === undefined ? [] : [earliest([validFor.end, ...path.map((one) => one.validToDate)])];
  });
  return ends.toSorted(byTime).at(-1);
}

function earliest(times: readonly Date[]): Date {
  return times.toSorted(byTime)[0] ?? new Date(0);
}

function byTime(one: Date, other: Date): number {
  return one.getTime() - other.getTime();
}

function isValid(certificate: X509Certificate, now: Date): boolean {
  return certificate.validFromDate <= now && now <= certificate.validToDate;
}

/** Goes up from issuer to issuer, to the last of the chain, which is the one that is trusted. */
function pathOf(
  leaf: X509Certificate,
  { chain, now }: { readonly chain: readonly X509Certificate[]; readonly now: Date },
): readonly X509Certificate[] | undefined {
  const anchor = chain.at(-1);
  const path = [leaf];
  let here = leaf;
  for (let step = 0; step < MAX_CHAIN; step += 1) {
    const current = here;
    const issuer = chain.find(
      (one) => one.ca && isValid(one, now) && current.checkIssued(one) && current.verify(one.publicKey),
    );
    if (issuer === undefined) return undefined;
    path.push(issuer);
    if (issuer === anchor) return path;
    here = issuer;
  }
  return undefined;
}

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
  const isTrusted = material.certificateAuthorities.some((authority) => {
    const inWindow = authority.validFor.start <= now && now <= authority.validFor.end;
    const chain = authority.certChain.map((one) => new X509Certificate(one.root.toDER()));
    return inWindow && leadsTo(leaf, { chain, now });
  });
  return isTrusted
    ? undefined
    : refuse('CertificateUntrusted', 'the certificate does not lead to an authority of the trust root');
}

function isValid(certificate: X509Certificate, now: Date): boolean {
  return certificate.validFromDate <= now && now <= certificate.validToDate;
}

/** Goes up from issuer to issuer, to the last of the chain, which is the one that is trusted. */
function leadsTo(
  leaf: X509Certificate,
  { chain, now }: { readonly chain: readonly X509Certificate[]; readonly now: Date },
): boolean {
  const anchor = chain.at(-1);
  let here = leaf;
  for (let step = 0; step < MAX_CHAIN; step += 1) {
    const current = here;
    const issuer = chain.find(
      (one) => one.ca && isValid(one, now) && current.checkIssued(one) && current.verify(one.publicKey),
    );
    if (issuer === undefined) return false;
    if (issuer === anchor) return true;
    here = issuer;
  }
  return false;
}

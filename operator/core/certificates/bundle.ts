// SPDX-License-Identifier: Apache-2.0
import { X509Certificate } from 'node:crypto';

const PEM = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/** The certificates of a text in PEM, in order; what is none is left out. */
export function readBundle(pem: string): readonly X509Certificate[] {
  return [...pem.matchAll(PEM)].flatMap(([one]) => {
    try {
      return [new X509Certificate(one)];
    } catch {
      return [];
    }
  });
}

/** The same as text. */
export function writeBundle(certificates: readonly X509Certificate[]): string {
  return certificates.map((one) => one.toString()).join('');
}

/** Whether a certificate of `bundle` that is valid vouches for `leaf`. */
export function isVouchedFor(leaf: X509Certificate, bundle: readonly X509Certificate[], now: Date): boolean {
  return bundle.some((one) => one.ca && isValid(one, now) && hasIssued(one, leaf));
}

/** Whether `authority` signed `leaf`. */
export function hasIssued(authority: X509Certificate, leaf: X509Certificate): boolean {
  return leaf.checkIssued(authority) && leaf.verify(authority.publicKey);
}

/** Whether it is between the times that it is valid from and until. */
export function isValid({ validFromDate, validToDate }: X509Certificate, now: Date): boolean {
  return validFromDate <= now && now < validToDate;
}

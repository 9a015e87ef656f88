// SPDX-License-Identifier: Apache-2.0
import { RE2JS } from 're2js';
import { quote, refuse, type Refused } from '../core/supply-chain/judgement.ts';

/** A text, or a pattern that the whole of it has to match. */
export type Matcher = { readonly exact: string } | { readonly pattern: RE2JS; readonly source: string };

/** Who a keyless signer has to be: identified by whom, as whom. */
export interface TrustedIdentity {
  readonly issuer: Matcher;
  readonly subject: Matcher;
}

/** Who a signer is, as a certificate says. */
export interface SignerIdentity {
  readonly issuer: string;
  readonly subject: string;
}

const MAX_PATTERN = 512;
const MAX_IDENTITY = 2048;

/** Matches just this text. */
export function exactly(text: string): Matcher {
  return { exact: text };
}

/**
 * Matches texts that the pattern matches as a whole, in time linear in their length: patterns come from tenants. Undefined for what is no pattern of
 * RE2, and for one that is too long.
 */
export function matching(source: string): Matcher | undefined {
  if (source.length === 0 || source.length > MAX_PATTERN) return undefined;
  try {
    return { pattern: RE2JS.compile(source), source };
  } catch {
    return undefined;
  }
}

function matches(matcher: Matcher, text: string): boolean {
  return 'exact' in matcher ? matcher.exact === text : matcher.pattern.matches(text);
}

function wanted(matcher: Matcher): string {
  return 'exact' in matcher ? quote(matcher.exact) : `what matches ${quote(matcher.source)}`;
}

/** Undefined where the signer is one of those that are trusted; else which part of it is not. */
export function identityProblem(
  signer: SignerIdentity,
  trusted: readonly TrustedIdentity[],
): Refused | undefined {
  const longest = Math.max(signer.issuer.length, signer.subject.length);
  if (longest > MAX_IDENTITY)
    return refuse('TooLarge', `the identity of the signer has ${longest} characters`);
  const byIssuer = trusted.filter((one) => matches(one.issuer, signer.issuer));
  if (byIssuer.length === 0) {
    const issuers = trusted.map((one) => wanted(one.issuer)).join(' or ');
    return refuse(
      'WrongIssuer',
      `the signer was identified by ${quote(signer.issuer)}; wanted is ${issuers}`,
    );
  }
  if (byIssuer.some((one) => matches(one.subject, signer.subject))) return undefined;
  const subjects = byIssuer.map((one) => wanted(one.subject)).join(' or ');
  return refuse('WrongIdentity', `the signer is ${quote(signer.subject)}; wanted is ${subjects}`);
}

// SPDX-License-Identifier: Apache-2.0
import type { Refusal, Unknown } from '../supply-chain/judgement.ts';

const SIGN = 'sign this digest as the policy asks, or run an image that is';
const SIGNER = 'have it signed by somebody whom the policy names';
const REGISTRY = 'it is asked again; look at the registry and at the pull secrets of the namespace';
const ATTACH = 'attach it anew with a tool of today, such as cosign 3';
const CERTIFICATE = 'sign it anew with a certificate of the authority that the policy names';
const SCAN = 'update what is vulnerable, attach a report of today, or ask for a waiver';

const REFUSED: Readonly<Record<Refusal, string>> = {
  NoSignature: SIGN,
  OnlyOtherStatements: `what is attached is not what is asked for: ${SIGN}`,
  TooLarge: 'attach less',
  Malformed: ATTACH,
  Unsupported: ATTACH,
  WrongKey: SIGNER,
  SignatureInvalid: SIGN,
  LogEntryMissing: 'sign it with an entry of a transparency log',
  LogEntryInvalid: 'sign it with an entry of the log that the policy names',
  LogEntryMismatch: SIGN,
  TimestampMissing: 'sign it with a timestamp',
  TimestampInvalid: 'sign it with a timestamp of the authority that the policy names',
  CertificateUntrusted: CERTIFICATE,
  CertificateExpired: CERTIFICATE,
  CertificateNotLogged: CERTIFICATE,
  CertificateNotForSigning: CERTIFICATE,
  Revoked: 'sign it anew with a key that has not been revoked',
  WrongIssuer: SIGNER,
  WrongIdentity: SIGNER,
  DigestMismatch: SIGN,
  RoleNotAllowed: SIGNER,
  ThresholdNotMet: 'have it signed by as many as the policy asks for',
  ProvenanceBuilder: 'build it where the policy says',
  ProvenanceSource: 'build it from a repository that the policy names',
  ProvenanceLevel: 'build it where the policy says',
  SbomInvalid: 'attach a bill of materials that is valid',
  LicenceNotAllowed: 'leave the component out, or ask whoever keeps the policy',
  ReportTooOld: 'scan it again and attach the report',
  OverBudget: SCAN,
  WaiverExpired: SCAN,
};

const UNKNOWN: Readonly<Record<Unknown, string>> = {
  ImageNotFound: 'look whether the image is there under this name',
  RegistryUnreachable: REGISTRY,
  RegistryThrottled: REGISTRY,
  RegistryRefused: REGISTRY,
  RegistryBroken: REGISTRY,
  EvidenceIncomplete: REGISTRY,
  TooMuchAttached: 'take away what is attached and not asked for',
  PolicyInvalid: 'the policy has to be mended: its conditions say where',
  JudgingEnded: 'attach less, or have fewer signatures',
};

const OTHERS: Readonly<Record<string, string>> = {
  InvalidReference: 'write the name of the image as docker does',
  TooManyPolicies: 'have fewer policies for it: several requirements fit into one',
  BeingVerified: 'ask again in a second: who makes pods for others does so by itself',
};

/** What to do about an image that does not pass for a reason; undefined for one that nobody knows. */
export function adviceOn(reason: string): string | undefined {
  for (const table of [REFUSED, UNKNOWN, OTHERS] as readonly Readonly<Record<string, string>>[]) {
    if (Object.hasOwn(table, reason)) return table[reason];
  }
  return undefined;
}

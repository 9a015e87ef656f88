// SPDX-License-Identifier: Apache-2.0

/**
 * Why something is not accepted, each with what is true of it. The order tells how far the checks came: of several
 * signatures that were refused, the reason of the one that came furthest is the one that helps.
 */
export const REFUSALS = {
  NoSignature: 'Nothing is attached that could be a signature or statement of the kind that is asked for.',
  OnlyOtherStatements: 'Statements about the image verify, but none of the kind that is asked for.',
  TooLarge: 'A document is larger than the limit, so it was not read.',
  Malformed: 'A document is not what its type says.',
  Unsupported: 'A document has a form that is not read.',
  WrongKey: 'The signature was made by a key that is not trusted.',
  SignatureInvalid: 'The signature does not fit what it is attached to.',
  LogEntryMissing: 'The signature is in no transparency log, and a log is required.',
  LogEntryInvalid: 'The log entry does not prove that a trusted log has it.',
  LogEntryMismatch: 'The log entry is of another signature.',
  TimestampMissing: 'No trusted time says when the signature was made.',
  TimestampInvalid: 'A timestamp is not by a trusted authority, or of another signature.',
  CertificateUntrusted: 'The certificate does not lead to a trusted authority.',
  CertificateExpired: 'The certificate was not valid when the signature was made.',
  CertificateNotLogged: 'No trusted certificate log has the certificate.',
  CertificateNotForSigning: 'The certificate is not for signing code.',
  Revoked: 'The key or certificate has been revoked.',
  WrongIssuer: 'The signer was identified by another issuer.',
  WrongIdentity: 'The signer is somebody else.',
  DigestMismatch: 'The signed statement is about another image.',
  RoleNotAllowed: 'The signer is trusted, but not for statements of this kind.',
  ThresholdNotMet: 'Fewer authorities than required have signed.',
  ProvenanceBuilder: 'The image was built by another builder.',
  ProvenanceSource: 'The image was built from another source.',
  ProvenanceLevel: 'The provenance is of a lower level.',
  SbomInvalid: 'The bill of materials is not valid.',
  LicenceNotAllowed: 'A component has a licence that is not allowed.',
  ReportTooOld: 'The vulnerability report is older than allowed.',
  OverBudget: 'There are more vulnerabilities than allowed.',
  WaiverExpired: 'A waiver that covered a vulnerability has expired.',
} as const;

/** One of the reasons to refuse. */
export type Refusal = keyof typeof REFUSALS;

/** Why it could not be told whether something is to be accepted. Never the same as a refusal. */
export const UNKNOWNS = {
  ImageNotFound: 'The registry has no such image.',
  RegistryUnreachable: 'The registry did not answer, or not in time.',
  RegistryThrottled: 'The registry asked to be asked later.',
  RegistryRefused: 'The registry does not let us in.',
  RegistryBroken: 'The registry answered with what cannot be true.',
  EvidenceIncomplete: 'Not all that is attached could be read.',
  TooMuchAttached: 'More is attached to the image than is read.',
  PolicyInvalid: 'The policy, or what it names, cannot be read.',
  JudgingEnded: 'Judging the image took too much time or memory.',
} as const;

/** One of the reasons not to know. */
export type Unknown = keyof typeof UNKNOWNS;

const UNANSWERED: ReadonlySet<string> = new Set<Unknown>([
  'RegistryUnreachable',
  'RegistryThrottled',
  'RegistryRefused',
]);

/** Whether it is not known since a registry did not answer us. All else, whoever writes to the registry or the policy may have caused. */
export function isUnanswered(reason: string | undefined): boolean {
  return UNANSWERED.has(reason ?? '');
}

/** Not accepted, with the reason that is true of it and a sentence for people. */
export interface Refused {
  readonly kind: 'refused';
  readonly reason: Refusal;
  readonly message: string;
}

/** Neither accepted nor refused: to be asked again. */
export interface NotKnown {
  readonly kind: 'unknown';
  readonly reason: Unknown;
  readonly message: string;
  readonly retryAfterMs?: number;
}

/** One of three: accepted, refused, or not known. */
export type Judgement<T> = { readonly kind: 'verified'; readonly value: T } | Refused | NotKnown;

/** What untrusted documents say is cut here where a message repeats it. */
const QUOTED = 200;

/** A refusal. */
export function refuse(reason: Refusal, message: string): Refused {
  return { kind: 'refused', reason, message };
}

/** A text of others as a message may repeat it: short, on one line, with nothing that terminals act on. */
export function quote(text: string): string {
  const plain = text.replaceAll(/[^\x20-\x7e]/g, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return `\\u{${code.toString(16)}}`;
  });
  return plain.length > QUOTED ? `"${plain.slice(0, QUOTED)}..."` : `"${plain}"`;
}

const ORDER = Object.keys(REFUSALS) as readonly Refusal[];

/** The refusal that came furthest; undefined of none. */
export function mostTelling(refusals: readonly Refused[]): Refused | undefined {
  let best: Refused | undefined;
  for (const one of refusals) {
    if (best === undefined || ORDER.indexOf(one.reason) > ORDER.indexOf(best.reason)) best = one;
  }
  return best;
}

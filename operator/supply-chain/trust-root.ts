// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import {
  type CertificateAuthority,
  type TransparencyLogInstance,
  TrustedRoot,
} from '@sigstore/protobuf-specs';
import { toTrustMaterial } from '@sigstore/verify';
import { PARTS_TYPE } from '../core/images/root-text.ts';
import { readDocument, SMALL } from '../core/supply-chain/documents.ts';
import { isRootDocument, type RootDocument, rootOfParts } from './root-parts.ts';
import { shapeProblem } from './root-shape.ts';

/** What the library makes of a trust root. */
export type TrustMaterial = ReturnType<typeof toTrustMaterial>;

/** Whom signatures without keys are trusted by: certificate authorities, logs, and timestamp authorities. */
export interface TrustRoot {
  /** SHA-256 of the text, part of the key of every verdict. */
  readonly digest: string;
  readonly material: TrustMaterial;
  /** The `trusted_root.json` that it is, or was made of its parts. */
  readonly document: RootDocument;
}

/** Why a trust root is not taken: where, what was found, what would be. */
export interface TrustRootProblem {
  readonly field: string;
  readonly found: string;
  readonly wanted: string;
  /** What it names is not there. */
  readonly isMissing?: boolean;
}

/** Authorities and logs of one list: the public good instance has three. */
const MAX_ENTRIES = 64;

/** Reads a `trusted_root.json`, or the parts of one. One that says less than it seems to, such as a log without a beginning, is not taken. */
export function readTrustRoot(text: string): TrustRoot | TrustRootProblem {
  const document = readDocument(Buffer.from(text), 'the trust root', SMALL);
  if (document.kind !== 'verified') {
    const found = document.message;
    return { field: '', found, wanted: 'a sigstore trusted_root.json' };
  }
  try {
    const made = document.value['mediaType'] === PARTS_TYPE ? rootOfParts(document.value) : undefined;
    if (made !== undefined && !isRootDocument(made)) return made;
    const whole: RootDocument = made ?? document.value;
    const root = TrustedRoot.fromJSON(whole);
    const problem = shapeProblem(whole) ?? rootProblem(root);
    if (problem !== undefined) return problem;
    const digest = createHash('sha256').update(text).digest('hex');
    return { digest: `sha256:${digest}`, material: readTimes(toTrustMaterial(root)), document: whole };
  } catch (error) {
    const found = error instanceof Error ? error.message.slice(0, 200) : 'something that cannot be read';
    return { field: '', found, wanted: 'certificates and keys in DER, as base64' };
  }
}

/** Whether a trust root was read. */
export function isTrustRoot(read: TrustRoot | TrustRootProblem): read is TrustRoot {
  return 'material' in read;
}

/** What the library reads late, and would throw on in the middle of a check, is read now. */
function readTimes(material: TrustMaterial): TrustMaterial {
  for (const { certChain } of [...material.certificateAuthorities, ...material.timestampAuthorities]) {
    for (const certificate of certChain) {
      if (Number.isNaN(certificate.notBefore.getTime())) throw new Error('a certificate without validity');
    }
  }
  return material;
}

function rootProblem(root: TrustedRoot): TrustRootProblem | undefined {
  const logs = { tlogs: root.tlogs, ctlogs: root.ctlogs };
  const authorities = {
    certificateAuthorities: root.certificateAuthorities,
    timestampAuthorities: root.timestampAuthorities,
  };
  for (const [field, list] of Object.entries({ ...logs, ...authorities })) {
    if (list.length > MAX_ENTRIES) {
      return { field, found: `${list.length} entries`, wanted: `at most ${MAX_ENTRIES}` };
    }
  }
  if (root.tlogs.length + root.certificateAuthorities.length + root.timestampAuthorities.length === 0) {
    return { field: '', found: 'no log and no authority', wanted: 'at least one of them' };
  }
  return first(logs, logProblem) ?? first(authorities, authorityProblem);
}

function first<T>(
  lists: Readonly<Record<string, readonly T[]>>,
  problemOf: (field: string, entry: T) => TrustRootProblem | undefined,
): TrustRootProblem | undefined {
  for (const [field, list] of Object.entries(lists)) {
    for (const [index, entry] of list.entries()) {
      const problem = problemOf(`${field}[${index}]`, entry);
      if (problem !== undefined) return problem;
    }
  }
  return undefined;
}

/** The library takes a log that does not say since when for one that has always been: whoever gets hold of an old key could date back. */
function logProblem(field: string, log: TransparencyLogInstance): TrustRootProblem | undefined {
  if (log.publicKey?.rawBytes === undefined) {
    return { field: `${field}.publicKey.rawBytes`, found: 'nothing', wanted: 'the public key of the log' };
  }
  if ((log.logId?.keyId ?? log.checkpointKeyId?.keyId) === undefined) {
    return { field: `${field}.logId.keyId`, found: 'nothing', wanted: 'the id of the log' };
  }
  return log.publicKey.validFor?.start === undefined
    ? {
        field: `${field}.publicKey.validFor.start`,
        found: 'nothing',
        wanted: 'since when the log is trusted',
      }
    : undefined;
}

function authorityProblem(field: string, authority: CertificateAuthority): TrustRootProblem | undefined {
  const certificates = authority.certChain?.certificates ?? [];
  if (certificates.length === 0 || certificates.length > 8) {
    const found = `${certificates.length} certificates`;
    return { field: `${field}.certChain`, found, wanted: '1 to 8 certificates' };
  }
  return undefined;
}

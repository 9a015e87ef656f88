// SPDX-License-Identifier: Apache-2.0
import type { NotKnown } from '../core/supply-chain/judgement.ts';
import type { Asked } from '../core/supply-chain/requirement.ts';
import {
  decidingCheck,
  failedCheck,
  type ImageFacts,
  type ImageVerdict,
} from '../core/supply-chain/verdict.ts';
import { readClaims } from './claims.ts';
import { checkBuilt, checkListed, checkVulnerable, type VulnerableCase } from './contents.ts';
import { Court, type PartOutcome } from './court.ts';
import { Effort } from './effort.ts';
import { type Gathered, MAX_EVIDENCE } from './evidence.ts';
import type { ReadyPolicy } from './policy.ts';
import { readCycloneDxXml } from './read-xml.ts';
import { XmlDocuments } from './xml-documents.ts';

/** By what an image is judged. */
export interface Judging {
  readonly policy: ReadyPolicy;
  readonly now: Date;
  /** Those that were read, and are asked for. Default: none was read. */
  readonly xml?: XmlDocuments;
}

/** The same as `judgeImage`, with documents in XML: they are read in between, where some are asked for. */
export async function judgeWhole(
  image: string,
  gathered: Gathered,
  { policy, now }: Judging,
): Promise<ImageVerdict> {
  const xml = new XmlDocuments();
  const verdict = judgeImage(image, gathered, { policy, now, xml });
  if (!(await xml.readWanted(readCycloneDxXml))) return verdict;
  return judgeImage(image, gathered, { policy, now, xml });
}

/** What a policy says of an image, given all that is attached to it. Synchronous, some milliseconds for each signature by certificate: for a process of its own. */
export function judgeImage(
  image: string,
  gathered: Gathered,
  { policy, now, xml = new XmlDocuments() }: Judging,
): ImageVerdict {
  const bounded = boundedEvidence(gathered);
  const read = readClaims(image, bounded, { now, revoked: policy.revoked, effort: new Effort() });
  const court = new Court(policy, read, bounded.incomplete);
  const parts = partsOf(court, { image, now, xml });
  const checks = parts.map((one) => one.check);
  const until = [court.validUntil(), ...parts.map((one) => one.validUntil)]
    .flatMap((one) => one ?? [])
    .toSorted()[0];
  return {
    image,
    policy: policy.digest,
    ...decided(checks, bounded.incomplete),
    checks,
    facts: Object.assign({ signers: court.signers() }, ...parts.map((one) => one.facts ?? {})) as ImageFacts,
    notes: court.notes(),
    checkedAt: now.toISOString(),
    ...(until !== undefined && { validUntil: until }),
  };
}

function decided(
  checks: ImageVerdict['checks'],
  incomplete: NotKnown | undefined,
): Pick<ImageVerdict, 'outcome' | 'reason' | 'message' | 'retryAfterMs'> {
  const deciding = decidingCheck(checks);
  if (deciding === undefined) return { outcome: 'Verified', message: 'all that is asked for was verified' };
  const { outcome, reason, message } = deciding;
  const retryAfterMs = outcome === 'Unknown' ? incomplete?.retryAfterMs : undefined;
  return {
    outcome,
    ...(reason !== undefined && { reason }),
    message,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  };
}

function boundedEvidence(gathered: Gathered): Gathered {
  if (gathered.evidence.length <= MAX_EVIDENCE) return gathered;
  const message = `${gathered.evidence.length} documents are attached to the image; ${MAX_EVIDENCE} are read`;
  return {
    ...gathered,
    evidence: gathered.evidence.slice(0, MAX_EVIDENCE),
    incomplete: { kind: 'unknown', reason: 'TooMuchAttached', message },
  };
}

function partsOf(court: Court, at: Omit<VulnerableCase, 'waivers'>): readonly PartOutcome[] {
  const { requirement, waivers } = court.policy;
  const { signatures, provenance, sbom, vulnerabilities } = requirement;
  return [
    ...(signatures === undefined ? [] : [signedPart(court, signatures)]),
    ...(provenance === undefined ? [] : [checkBuilt(court, provenance)]),
    ...(sbom === undefined ? [] : [checkListed(court, sbom, at.xml)]),
    ...(vulnerabilities === undefined ? [] : [checkVulnerable(court, vulnerabilities, { ...at, waivers })]),
  ];
}

function signedPart(court: Court, asked: Asked): PartOutcome {
  const heard = court.hear('signature', asked);
  const problem = court.missing('signature', asked, { heard });
  if (problem !== undefined) return { check: failedCheck('signatures', problem) };
  const names = [...new Set(heard.map((one) => one.signer.authority))].join(', ');
  return { check: { name: 'signatures', outcome: 'Verified', message: `signed by ${names}` } };
}

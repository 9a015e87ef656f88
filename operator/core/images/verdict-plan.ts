// SPDX-License-Identifier: Apache-2.0
import type { ImageVerdictSpec, ImageVerdictStatus } from '#crds/v1alpha1/image-verdict';
import { type ConditionInput, setConditions, truncate } from '../conditions.ts';
import { defined, type KubeObject } from '../object.ts';
import { DONE, type Plan, type Result, statusOnly } from '../plan.ts';
import { MAX_VERDICT_CHECKS, MAX_VERDICT_MESSAGE } from '../supply-chain/told-verdict.ts';
import type { ImageVerdict as Verdict } from '../supply-chain/verdict.ts';
import type { PolicyVerdict, Proof } from './proof.ts';
import type { ImageFindings } from './verification.ts';

/** The object. */
export type ImageVerdictObject = KubeObject & {
  readonly spec: ImageVerdictSpec;
  readonly status?: ImageVerdictStatus;
};

/** What was seen when an ImageVerdict is decided on. */
export interface VerdictObserved {
  /** What is proved from now on. */
  readonly proof: Proof | undefined;
  /** The same, signed; the one before where that says it already. */
  readonly sealed: string | undefined;
  readonly findings: ImageFindings | undefined;
  /** Whether any policy is about the image. */
  readonly isAsked: boolean;
  /** Whether what was proved before is not to count any more, though nothing is proved in its place yet. */
  readonly isWithdrawn?: boolean;
  /** In how many milliseconds it is to be looked at again. */
  readonly againMs: number | undefined;
}

/** Of all policies together: an object is as large as etcd takes. */
const MAX_CHECKS_OF_ALL = 256;
const MAX_SIGNERS = 32;

/** What an ImageVerdict says. Where no policy asks, what it said before stays until it goes: nobody goes by it. */
export function planImageVerdict(
  object: ImageVerdictObject,
  { proof, sealed, findings, isAsked, isWithdrawn, againMs }: VerdictObserved,
  now: Date,
): Plan<ImageVerdictStatus | undefined> {
  const result: Result =
    againMs === undefined ? DONE : { kind: 'requeueAfter', afterMs: againMs, why: 'to look again' };
  if (!isAsked) return statusOnly(object.status, result);
  if (proof === undefined || sealed === undefined) {
    return statusOnly(isWithdrawn === true ? withoutProof(object, now) : object.status, result);
  }
  // What is proved as before is told as before: nothing is written.
  if (sealed === object.status?.proof) return statusOnly(object.status, result);
  return statusOnly(statusFor(object, { proof, sealed, findings }, now), result);
}

/** What is left of a status when nothing of it counts: what the image was. Whoever stated something of it may be trusted no more. */
function withoutProof({ metadata, status }: ImageVerdictObject, now: Date): ImageVerdictStatus {
  const at = { generation: metadata.generation ?? 0, now };
  const message = 'what it is judged by has changed: it is being verified again';
  const waits = { type: 'Verified', status: 'Unknown', reason: 'BeingVerified', message } as const;
  return {
    ...defined({ digest: status?.digest }),
    conditions: [...setConditions(status?.conditions ?? [], [waits], at)] as NonNullable<
      ImageVerdictStatus['conditions']
    >,
  };
}

function statusFor(
  { metadata, status }: ImageVerdictObject,
  { proof, sealed, findings }: { proof: Proof; sealed: string; findings: ImageFindings | undefined },
  now: Date,
): ImageVerdictStatus {
  const at = { generation: metadata.generation ?? 0, now };
  const most = Math.min(MAX_VERDICT_CHECKS, Math.floor(MAX_CHECKS_OF_ALL / proof.policies.length));
  const policies = proof.policies.map((one) => {
    const found = findings?.verdicts.get(one.uid);
    const before = status?.policies?.find(({ kind, name }) => kind === one.kind && name === one.name);
    const { kind, name, outcome, reason, message, validUntil } = one;
    const checks = (found?.outcome === outcome ? checksOf(found) : before?.checks)?.slice(0, most);
    return { kind, name, outcome, message, ...defined({ reason, checks, validUntil }) };
  });
  return {
    ...defined({ digest: proof.digest, facts: factsOf(findings) ?? keptFacts(status, { proof, findings }) }),
    policies,
    verifiedAt: proof.verifiedAt,
    expiresAt: proof.expiresAt,
    proof: sealed,
    conditions: [...setConditions(status?.conditions ?? [], [verifiedCondition(proof)], at)] as NonNullable<
      ImageVerdictStatus['conditions']
    >,
  };
}

/** What was stated before goes on to be told while something that was said then does, of the same image. */
function keptFacts(
  status: ImageVerdictStatus | undefined,
  { proof, findings }: { readonly proof: Proof; readonly findings: ImageFindings | undefined },
): ImageVerdictStatus['facts'] | undefined {
  const isKept = proof.policies.some(({ uid, outcome }) => findings?.verdicts.get(uid)?.outcome !== outcome);
  return isKept && status?.digest === proof.digest ? status?.facts : undefined;
}

function checksOf({ checks }: Verdict) {
  return checks.map(({ name, outcome, reason, message }) => ({
    name,
    outcome,
    message: truncate(message, MAX_VERDICT_MESSAGE),
    ...defined({ reason }),
  }));
}

const STATUSES = { Verified: 'True', Refused: 'False', Unknown: 'Unknown' } as const;

/** One refusal decides, as it does for pods; then what is not known. */
function verifiedCondition({ policies }: Proof): ConditionInput {
  const deciding =
    policies.find(({ outcome }) => outcome === 'Refused') ??
    policies.find(({ outcome }) => outcome === 'Unknown');
  if (deciding === undefined) {
    const message = `all that is asked for was verified, by ${policies.length} policies`;
    return { type: 'Verified', status: 'True', reason: 'Verified', message };
  }
  return {
    type: 'Verified',
    status: STATUSES[deciding.outcome],
    reason: deciding.reason ?? deciding.outcome,
    message: messageOf(deciding),
  };
}

function messageOf({ kind, name, message }: PolicyVerdict): string {
  return `${kind} ${name}: ${message}`;
}

/** What most policies found together: of each fact that of the first policy that found any. */
function factsOf(findings: ImageFindings | undefined): ImageVerdictStatus['facts'] | undefined {
  const all = [...(findings?.verdicts.values() ?? [])].map(({ facts }) => facts);
  const facts = { ...signersOf(all), ...builtOf(all), ...listedOf(all), ...scannedOf(all) };
  return Object.keys(facts).length === 0 ? undefined : facts;
}

type Told = NonNullable<ImageVerdictStatus['facts']>;
type AllFacts = readonly Verdict['facts'][];

function signersOf(all: AllFacts): Told {
  const signers = uniqueBy(
    all.flatMap((one) => one.signers),
    ({ authority, fingerprint }) => `${authority}/${fingerprint}`,
  );
  return signers.length === 0
    ? {}
    : { signers: signers.slice(0, MAX_SIGNERS).map((one) => ({ ...one, states: [...one.states] })) };
}

function builtOf(all: AllFacts): Told {
  const found = all.flatMap((one) => one.provenance ?? [])[0];
  return found === undefined
    ? {}
    : { builder: found.builder.slice(0, 512), source: found.source.slice(0, 2048) };
}

function listedOf(all: AllFacts): Told {
  const found = all.flatMap((one) => one.sbom ?? [])[0];
  return found === undefined ? {} : { sbom: found.format, components: found.components };
}

function scannedOf(all: AllFacts): Told {
  const found = all.flatMap((one) => one.vulnerabilities ?? [])[0];
  if (found === undefined) return {};
  const { Critical: critical, High: high, Medium: medium, Low: low, Unscored: unscored } = found.counts;
  const { excluded, waived, scannedAt } = found;
  return { critical, high, medium, low, unscored, excluded, waived, scannedAt };
}

function uniqueBy<T>(items: readonly T[], keyOf: (item: T) => string): readonly T[] {
  return [...new Map(items.map((one) => [keyOf(one), one])).values()];
}

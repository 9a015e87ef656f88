// SPDX-License-Identifier: Apache-2.0
import { adviceOn } from '#operator/core/images/advice';
import type { ImagePolicyFacts } from '#operator/core/images/policy';
import { formatReference, type Reference } from '#operator/core/oci/reference';
import { isUnanswered, quote } from '#operator/core/supply-chain/judgement';
import type { ImageFacts, ImageVerdict, Outcome as Result } from '#operator/core/supply-chain/verdict';
import { EXIT, type ExitCode, type Outcome } from '../cli/command.ts';
import type { Place } from './place.ts';

/** What one policy says. */
export interface NamedVerdict {
  readonly name: string;
  readonly facts: ImagePolicyFacts;
  readonly verdict: ImageVerdict;
  /** What else there is to say of it. */
  readonly notes: readonly string[];
}

/** What was verified. */
export interface Verified {
  readonly reference: Reference;
  /** Undefined where the registry did not tell. */
  readonly digest: string | undefined;
  readonly place: Place | undefined;
  readonly notes: readonly string[];
}

/** What becomes of pods. */
type Pods = 'Start' | 'StartWithWarning' | 'DoNotStart';

const CODES: Readonly<Record<Result, ExitCode>> = {
  Verified: EXIT.ok,
  Refused: EXIT.no,
  Unknown: EXIT.unavailable,
};

const PODS: Readonly<Record<Pods, string>> = {
  Start: 'start',
  StartWithWarning: 'start, with a warning: policies that do not verify it have enforcement Warn',
  DoNotStart: 'do not start',
};

/** All of it, in words and as data. */
export function outcomeOf(
  { reference, digest, place, notes }: Verified,
  verdicts: readonly NamedVerdict[],
): Outcome {
  const outcome = worst(verdicts.map(({ verdict }) => verdict.outcome));
  const pods = podsOf(verdicts);
  const image = formatReference(reference);
  const namespace = place?.namespace;
  return {
    code: CODES[outcome],
    value: {
      image,
      ...(digest !== undefined && { digest }),
      ...(namespace !== undefined && { namespace }),
      outcome,
      pods,
      ...(notes.length > 0 && { notes }),
      policies: verdicts.map(valueOf),
    },
    before: [
      `image: ${image}`,
      `digest: ${digest ?? 'not known'}`,
      ...(namespace === undefined ? [] : [`namespace: ${namespace}`]),
      `outcome: ${outcome}`,
      `pods: ${PODS[pods]}`,
      ...notes.map((note) => `note: ${note}`),
      '',
    ],
    table: { head: ['POLICY', 'CHECK', 'OUTCOME', 'REASON', 'FOUND'], rows: verdicts.flatMap(rowsOf) },
    after: verdicts.flatMap(linesOf),
  };
}

function worst(outcomes: readonly Result[]): Result {
  if (outcomes.includes('Refused')) return 'Refused';
  return outcomes.includes('Unknown') ? 'Unknown' : 'Verified';
}

function podsOf(verdicts: readonly NamedVerdict[]): Pods {
  const failed = verdicts.filter((one) => !passes(one));
  if (failed.some(({ facts }) => facts.enforcement === 'Enforce')) return 'DoNotStart';
  return failed.length > 0 ? 'StartWithWarning' : 'Start';
}

/** As admission decides: only that a registry did not answer may be allowed. */
function passes({ verdict, facts }: NamedVerdict): boolean {
  if (verdict.outcome === 'Verified') return true;
  return verdict.outcome === 'Unknown' && facts.unknown === 'Allow' && isUnanswered(verdict.reason);
}

function valueOf({ name, facts: { enforcement }, verdict, notes }: NamedVerdict): object {
  const advice = adviceFor(verdict);
  return {
    name,
    enforcement,
    ...verdict,
    notes: [...verdict.notes, ...notes],
    ...(advice !== undefined && { advice }),
  };
}

function adviceFor({ reason }: ImageVerdict): string | undefined {
  return reason === undefined ? undefined : adviceOn(reason);
}

/** Each check; of what nothing could be checked the one reason for that. */
function rowsOf({ name, verdict }: NamedVerdict): readonly (readonly string[])[] {
  const { checks, outcome, reason = '', message } = verdict;
  if (checks.length === 0) return [[name, '', outcome, reason, message]];
  return checks.map((one) => [name, one.name, one.outcome, one.reason ?? '', one.message]);
}

function linesOf({ name, facts: { enforcement }, verdict, notes: own }: NamedVerdict): readonly string[] {
  const { facts, notes, validUntil } = verdict;
  const advice = adviceFor(verdict);
  const lines = [
    ...factLines(facts),
    ...[...notes, ...own].map((note) => `note: ${note}`),
    ...(validUntil === undefined ? [] : [`holds until: ${validUntil}`]),
    ...(advice === undefined ? [] : [`what to do: ${advice}`]),
  ];
  return lines.length === 0 ? [] : ['', `${name} (${enforcement}):`, ...lines.map((line) => `  ${line}`)];
}

function factLines({ signers, provenance, sbom, vulnerabilities }: ImageFacts): readonly string[] {
  const counts = Object.entries(vulnerabilities?.counts ?? {}).map(
    ([severity, count]) => `${severity} ${count}`,
  );
  return [
    ...signers.map(({ authority, fingerprint, subject, issuer, signedAt }) => {
      const who =
        subject === undefined ? `key sha256:${fingerprint}` : `${quote(subject)} by ${quote(issuer ?? '')}`;
      return `${authority}: ${who}${signedAt === undefined ? '' : `, at ${signedAt}`}`;
    }),
    ...(provenance === undefined
      ? []
      : [`built by ${quote(provenance.builder)} from ${quote(provenance.source)}`]),
    ...(sbom === undefined ? [] : [`${sbom.format}, ${sbom.components} components`]),
    ...(vulnerabilities === undefined
      ? []
      : [
          `vulnerabilities: ${counts.join(', ')}; ${vulnerabilities.excluded} do not affect it, ${vulnerabilities.waived} waived; scanned at ${vulnerabilities.scannedAt}`,
        ]),
  ];
}

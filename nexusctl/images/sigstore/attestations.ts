// SPDX-License-Identifier: Apache-2.0
import { PREDICATES, type StatementKind } from '#operator/core/supply-chain/requirement';
import type { DocumentReport } from './report.ts';

/** Parts of a policy of ours that an authority there stands for. */
export type Part = 'signatures' | 'provenance' | 'sbom' | 'vulnerabilities';

/** The short names of cosign. */
const SHORT: Readonly<Record<string, Part>> = {
  slsaprovenance: 'provenance',
  slsaprovenance02: 'provenance',
  slsaprovenance1: 'provenance',
  spdx: 'sbom',
  spdxjson: 'sbom',
  cyclonedx: 'sbom',
  vuln: 'vulnerabilities',
};

const KINDS = ['provenance', 'sbom', 'vulnerabilities'] as const satisfies readonly StatementKind[];

/**
 * What an authority stands for: its attestations, or where it names none, signatures. All of them have to be there, so one that
 * cannot be asked for here is a problem.
 */
export function partsOf(
  attestations: readonly unknown[],
  field: string,
  report: DocumentReport,
): readonly Part[] {
  if (attestations.length === 0) return ['signatures'];
  const parts = attestations.flatMap((one, index): readonly Part[] => {
    const at = `${field}[${index}]`;
    const { predicateType, policy } = report.object(one, at, ['name', 'predicateType', 'policy']);
    policyProblem(policy, `${at}.policy`, report);
    const type = report.text(predicateType, `${at}.predicateType`);
    const part = partOf(type);
    if (part === undefined) {
      report.laxer(
        `${at}.predicateType`,
        `statements of type ${type || '(none)'} are not asked for here: provenance, bills of materials (SPDX, CycloneDX) and vulnerabilities are`,
      );
      return [];
    }
    tellOf(part, type, { at, report });
    return [part];
  });
  return [...new Set(parts)];
}

function partOf(type: string): Part | undefined {
  if (Object.hasOwn(SHORT, type)) return SHORT[type];
  return KINDS.find((kind) => (PREDICATES[kind] as readonly string[]).includes(type));
}

function tellOf(
  part: Part,
  type: string,
  { at, report }: { readonly at: string; readonly report: DocumentReport },
): void {
  if (part === 'sbom') {
    report.note(
      `${at}.predicateType`,
      `${type}: a bill of materials of the same authority in the other form (SPDX, CycloneDX) counts as well; each is held against its schema`,
    );
  }
  if (part === 'vulnerabilities') {
    report.note(
      `${at}.predicateType`,
      'a report may be a week old (require.vulnerabilities.maxAgeSeconds); how many it may have is yours to say, in budget',
    );
  }
}

/** Policies in CUE or Rego see a statement here otherwise than there, and are not run. */
export function policyProblem(policy: unknown, field: string, report: DocumentReport): void {
  if (policy === undefined || policy === null) return;
  const type = (policy as { readonly type?: unknown }).type;
  const language = typeof type === 'string' ? type : 'another language';
  report.laxer(
    field,
    `a policy in ${language} is not run here: say what it asks in spec.require (builders, sources, licences, budget, age of the report), or in a PolicyPack`,
  );
}

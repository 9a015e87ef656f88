// SPDX-License-Identifier: Apache-2.0
import { CLUSTER_IMAGE_POLICY } from '#crds/v1alpha1/image-policy';
import { API_VERSION } from '#crds/v1alpha1/names';
import { isObject, type JsonObject } from '#operator/rego/gatekeeper/json';
import { readyPolicy } from '#operator/supply-chain/ready-policy';
import { type Part, partsOf, policyProblem } from './attestations.ts';
import { type AuthorityRead, authorityOf } from './authority.ts';
import { imagesOf } from './globs.ts';
import type { DocumentReport } from './report.ts';

/** What is chosen by who converts. */
export interface PolicyChoices {
  /** The TrustRoot of authorities that name none. */
  readonly trustRoot: string;
  /** Who may have built images, where provenance is asked for. */
  readonly builders: readonly { readonly id: string; readonly level: number }[];
}

/** A ClusterImagePolicy of the policy-controller, and what is to be made of it. */
export interface PolicyCase {
  readonly name: string;
  readonly spec: unknown;
  readonly choices: PolicyChoices;
  readonly report: DocumentReport;
}

const SPEC = ['images', 'authorities', 'policy', 'mode', 'match'];
const AUTHORITY = [
  'name',
  'key',
  'keyless',
  'static',
  'source',
  'ctlog',
  'attestations',
  'rfc3161timestamp',
  'signatureFormat',
];

/** The objects that a policy becomes: itself, and TrustRoots of certificates that stand in it. None where it asks nothing, or cannot be taken over. */
export function convertPolicy({ name, spec: given, choices, report }: PolicyCase): readonly JsonObject[] {
  const spec = report.object(given, 'spec', SPEC);
  policyProblem(spec['policy'], 'spec.policy', report);
  noteMatch(spec['match'], report);
  const images = imagesOf(report.list(spec['images'], 'spec.images'), report);
  if (images.length === 0) report.problem('spec.images', 'is needed');
  const enforcement = enforcementOf(spec['mode'], report);
  const authorities = report
    .list(spec['authorities'], 'spec.authorities')
    .map((one, index) => report.object(one, `spec.authorities[${index}]`, AUTHORITY));
  const asking = askingAuthorities(authorities, report);
  if (asking.length === 0) return [];
  const read = asking.flatMap((index) =>
    readAuthority(authorities[index] ?? {}, { index, name, choices, report }),
  );
  const require = requireOf(read, choices, report);
  const made = {
    apiVersion: API_VERSION,
    kind: CLUSTER_IMAGE_POLICY.kind,
    metadata: { name },
    spec: { images, enforcement, authorities: read.map((one) => one.made), require },
  };
  if (!report.isGood) return [];
  checkMade(made.spec, report);
  return [...read.flatMap(({ ownRoot }) => (ownRoot === undefined ? [] : [rootOf(ownRoot)])), made];
}

function noteMatch(match: unknown, report: DocumentReport): void {
  if (report.list(match, 'spec.match').length === 0) return;
  report.note(
    'spec.match',
    'is not taken over: here a policy is about all pods of tenants, and what makes them',
  );
}

function enforcementOf(mode: unknown, report: DocumentReport): 'Enforce' | 'Warn' {
  const text = report.text(mode, 'spec.mode');
  if (!['', 'enforce', 'warn'].includes(text)) report.problem('spec.mode', 'is neither enforce nor warn');
  return text === 'warn' ? 'Warn' : 'Enforce';
}

/** Those that have something to ask. One of them suffices there, so one that always passes makes the others say nothing. */
function askingAuthorities(authorities: readonly JsonObject[], report: DocumentReport): readonly number[] {
  if (authorities.length === 0) report.problem('spec.authorities', 'is needed');
  const actions = authorities.map(({ static: one }, index) =>
    one === undefined ? undefined : actionOf(one, `spec.authorities[${index}].static`, report),
  );
  const asking = [...actions.keys()].filter((index) => actions[index] === undefined);
  const passes = actions.indexOf('pass');
  if (passes !== -1 && asking.length === 0) {
    report.note(
      'spec',
      'lets everything pass: what no policy is about runs here anyhow, so nothing is made of it',
    );
  } else if (passes !== -1) {
    const field = `spec.authorities[${passes}].static`;
    report.problem(
      field,
      'lets every image pass, whatever the others say: take it away, or all of the policy',
    );
  } else if (asking.length === 0 && actions.length > 0) {
    const advice =
      'lets no image pass, which a policy on images does not say here: refuse them by a PolicyPack';
    report.problem('spec.authorities[0].static', advice);
  } else if (actions.includes('fail')) {
    report.note(
      `spec.authorities[${actions.indexOf('fail')}].static`,
      'lets nothing pass, and another authority suffices: left out',
    );
  }
  return asking;
}

function actionOf(value: unknown, field: string, report: DocumentReport): 'pass' | 'fail' {
  const { action } = report.object(value, field, ['action', 'message']);
  const text = report.text(action, `${field}.action`);
  if (text === 'pass') return 'pass';
  if (text !== 'fail') report.problem(`${field}.action`, 'is neither pass nor fail');
  return 'fail';
}

interface Read extends AuthorityRead {
  readonly field: string;
  readonly parts: readonly Part[];
}

function readAuthority(
  authority: JsonObject,
  { index, name, choices, report }: Omit<PolicyCase, 'spec'> & { readonly index: number },
): readonly Read[] {
  const field = `spec.authorities[${index}]`;
  const called = report.text(authority['name'], `${field}.name`) || `authority-${index}`;
  const { trustRoot } = choices;
  const read = authorityOf(authority, { report, field, name: labelOf(called), policy: name, trustRoot });
  const attestations = report.list(authority['attestations'], `${field}.attestations`);
  const parts = partsOf(attestations, `${field}.attestations`, report);
  return read === undefined ? [] : [{ ...read, field, parts }];
}

/** A name as ours have to be. */
function labelOf(name: string): string {
  return name
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 63)
    .replace(/-+$/, '');
}

/**
 * There one authority with all that it names suffices; here all parts hold, each by any of its authorities. The two are the same for one
 * authority, and for several that stand for one and the same part.
 */
function requireOf(read: readonly Read[], { builders }: PolicyChoices, report: DocumentReport): object {
  const [first, ...others] = read;
  if (first === undefined) return {};
  const isSame = first.parts.length <= 1 && others.every(({ parts }) => parts.join() === first.parts.join());
  if (others.length > 0 && !isSame) {
    report.problem(
      'spec.authorities',
      'ask for different things, and one of them suffices there; here all that a policy asks has to hold: write a policy of those that have to',
    );
    return {};
  }
  if (first.parts.length === 0)
    report.problem(`${first.field}.attestations`, 'nothing is left to be asked for');
  const from = read.map(({ made }) => made.name);
  return Object.fromEntries(first.parts.map((part) => [part, asked(part, { from, builders, report })]));
}

function asked(
  part: Part,
  {
    from,
    builders,
    report,
  }: {
    readonly from: readonly string[];
    readonly builders: PolicyChoices['builders'];
    readonly report: DocumentReport;
  },
): object {
  if (part !== 'provenance') return { from };
  if (builders.length === 0) {
    report.problem(
      'spec.authorities',
      'provenance is asked for, and by whom images may have been built is not said: name them by --builders ID=LEVEL',
    );
  }
  return { from, builders };
}

function rootOf({ name, pem }: NonNullable<AuthorityRead['ownRoot']>): JsonObject {
  return {
    apiVersion: API_VERSION,
    kind: 'TrustRoot',
    metadata: { name },
    spec: { parts: { certificateAuthorities: [{ pem }] } },
  };
}

/** What was made is held against our own schema and readers, as the cluster would. */
function checkMade(spec: object, report: DocumentReport): void {
  const read = CLUSTER_IMAGE_POLICY.spec.safeParse(spec);
  if (!read.success) {
    for (const { path, message } of read.error.issues) {
      report.problem(`spec.${path.map(String).join('.')}`, `would not be taken: ${message}`);
    }
    return;
  }
  const ready = readyPolicy({ spec: read.data, roots: {}, keys: {}, waivers: [] });
  if (!isObject(ready) || !('problems' in ready)) return;
  for (const { field, found, wanted, isMissing } of ready.problems) {
    // Secrets and roots are made by somebody else.
    if (isMissing !== true) report.problem(field, `found ${found}; wanted is ${wanted}`);
  }
}

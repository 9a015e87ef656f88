// SPDX-License-Identifier: Apache-2.0
import { asDocument, asList, asText, type Document } from './documents.ts';
import type { Component, Sbom } from './bill.ts';
import { type Judgement, quote, refuse, type Refused } from './judgement.ts';
import type { SbomAsked } from './requirement.ts';
import { spdx2, spdx2Problem } from './spdx.ts';
import { spdx3 } from './spdx3.ts';
import type { LicenceCount } from './verdict.ts';

const MAX_COMPONENTS = 100_000;
const CYCLONEDX = new Set(['1.4', '1.5', '1.6', '1.7']);

/** By what documents say what they are. One of two forms would be read by one, and not held to the other. */
const FORMS = ['bomFormat', 'spdxVersion', '@context'];

/**
 * Reads a bill of materials in JSON: CycloneDX 1.4 to 1.7, SPDX 2.2, 2.3 and 3.0. Whether one in CycloneDX or SPDX 2 fits its schema is for others
 * and has to be known before: here its fields are taken for what their names say. Of SPDX 3 it is looked at what packages and licences are read from.
 */
export function readSbom(predicate: Document): Judgement<Sbom> {
  const forms = FORMS.filter((field) => Object.hasOwn(predicate, field));
  if (forms.length > 1) {
    return refuse(
      'SbomInvalid',
      `the bill of materials has ${forms.join(' and ')}, and can be of one form only`,
    );
  }
  const listed = cycloneDx(predicate);
  if (listed !== undefined) return bounded(listed) ?? checked(listed);
  const second = spdx2(predicate);
  if (second !== undefined) return bounded(second) ?? spdx2Problem(predicate) ?? checked(second);
  const third = spdx3(predicate) ?? unread(predicate);
  return third.kind === 'verified' ? (bounded(third.value) ?? checked(third.value)) : third;
}

function unread(predicate: Document): Refused {
  // What is no JSON, signers put into a text.
  if (asText(predicate['Data']) !== undefined) {
    return refuse(
      'Unsupported',
      'the bill of materials is a text that is no XML; wanted is CycloneDX in JSON or XML, or SPDX in JSON',
    );
  }
  const found = asText(predicate['specVersion']) ?? asText(predicate['spdxVersion']) ?? '';
  return refuse(
    'Unsupported',
    `the bill of materials is of version ${quote(found)}; CycloneDX 1.4 to 1.7 and SPDX 2.2, 2.3 and 3.0 are read`,
  );
}

function bounded({ components: { length } }: Sbom): Refused | undefined {
  return length > MAX_COMPONENTS
    ? refuse('TooLarge', `the bill of materials has ${length} components; ${MAX_COMPONENTS} are allowed`)
    : undefined;
}

function checked(sbom: Sbom): Judgement<Sbom> {
  const nameless = sbom.components.findIndex(({ name }) => name === '');
  return nameless === -1
    ? { kind: 'verified', value: sbom }
    : refuse('SbomInvalid', `component ${nameless} of the bill of materials has no name`);
}

function cycloneDx(predicate: Document): Sbom | undefined {
  const version = asText(predicate['specVersion']) ?? '';
  if (predicate['bomFormat'] !== 'CycloneDX' || !CYCLONEDX.has(version)) return undefined;
  const components: Component[] = [];
  // Components may be nested; documents are no deeper than they may be.
  const pending = [...asList(predicate['components'])];
  while (pending.length > 0 && components.length <= MAX_COMPONENTS) {
    const one = asDocument(pending.pop()) ?? NOTHING;
    components.push(componentOf(one));
    // One by one: there may be more of them than a call has room for.
    for (const inner of asList(one['components'])) pending.push(inner);
  }
  return { format: `CycloneDX ${version}`, components };
}

/** Of what is no object nothing is read. */
const NOTHING: Document = {};

/** Its fields are read as they are, since there are so many: no object has any of these names unless it was written there. */
function componentOf(one: Document): Component {
  const licences: string[] = [];
  for (const choice of asList(one['licenses'])) {
    const found = licenceOf(asDocument(choice) ?? NOTHING);
    if (found !== undefined) licences.push(found);
  }
  return { name: asText(one['name']) ?? '', purl: asText(one['purl']) ?? '', licences };
}

function licenceOf(choice: Document): string | undefined {
  const licence = asDocument(choice['license']) ?? NOTHING;
  return asText(choice['expression']) ?? asText(licence['id']) ?? asText(licence['name']);
}

/** Whether all components have licences that are allowed. */
export function hasAllowedLicences(sbom: Sbom, asked: SbomAsked): Judgement<Sbom> {
  const { allowedLicences, deniedLicences } = asked;
  const isAsked = allowedLicences.length + deniedLicences.length > 0;
  const isFine = once((licence) => isAllowed(licence, asked));
  for (const { name, licences, untold = [] } of sbom.components) {
    if (isAsked && untold[0] !== undefined) {
      const what = `component ${quote(name)} names a licence ${quote(untold[0])}`;
      return refuse('LicenceNotAllowed', `${what}, and the bill of materials does not say which that is`);
    }
    const wrong = licences.find((one) => !isFine(one));
    if (wrong !== undefined) {
      return refuse('LicenceNotAllowed', `component ${quote(name)} has licence ${quote(wrong)}`);
    }
    if (allowedLicences.length > 0 && licences.length === 0) {
      return refuse(
        'LicenceNotAllowed',
        `component ${quote(name)} names no licence, and only some are allowed`,
      );
    }
  }
  return { kind: 'verified', value: sbom };
}

/** Thousands of components have a few licences. */
function once(isFine: (licence: string) => boolean): (licence: string) => boolean {
  const known = new Map<string, boolean>();
  return (licence) => {
    const before = known.get(licence);
    if (before !== undefined) return before;
    const is = isFine(licence);
    known.set(licence, is);
    return is;
  };
}

/** Of an expression with AND all have to be allowed, of one with OR one of them. Parentheses are not taken apart: all in them have to be. */
function isAllowed(
  expression: string,
  { allowedLicences, deniedLicences }: Pick<SbomAsked, 'allowedLicences' | 'deniedLicences'>,
): boolean {
  const isOne = (identifier: string): boolean =>
    !deniedLicences.includes(identifier) &&
    (allowedLicences.length === 0 || allowedLicences.includes(identifier));
  const words = expression.split(/[\s()]+/).filter((word) => word !== '');
  const joiners = new Set<string>(words.filter((word) => word === 'AND' || word === 'OR' || word === 'WITH'));
  const identifiers = words.filter((word, index) => !joiners.has(word) && words[index - 1] !== 'WITH');
  if (identifiers.length === 0) return false;
  return joiners.has('OR') && !joiners.has('AND') ? identifiers.some(isOne) : identifiers.every(isOne);
}

/** A bill of materials in short: how many components there are, and of which licences, the most frequent first. */
export function sbomSummary({ format, components }: Sbom): {
  readonly format: string;
  readonly components: number;
  readonly withoutLicence: number;
  readonly licences: readonly LicenceCount[];
} {
  const counts = new Map<string, number>();
  for (const { licences } of components) {
    const named = licences.length > 1 ? new Set(licences) : licences;
    for (const one of named) counts.set(one, (counts.get(one) ?? 0) + 1);
  }
  const counted = [...counts].map(([licence, count]) => ({ licence, components: count }));
  return {
    format,
    components: components.length,
    withoutLicence: components.filter(({ licences }) => licences.length === 0).length,
    licences: counted.toSorted(
      (one, other) => other.components - one.components || (one.licence < other.licence ? -1 : 1),
    ),
  };
}

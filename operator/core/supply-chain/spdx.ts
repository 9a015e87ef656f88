// SPDX-License-Identifier: Apache-2.0
import type { Sbom } from './bill.ts';
import { asDocument, asList, asText, at, type Document } from './documents.ts';
import { quote, refuse, type Refused } from './judgement.ts';

const VERSIONS = new Set(['SPDX-2.2', 'SPDX-2.3']);
const NOTHING = new Set(['NOASSERTION', 'NONE']);

/** What of a document in SPDX 2 no schema says, and is not so: that nothing is twice. Undefined where nothing is; that it fits its schema is for others. */
export function spdx2Problem(predicate: Document): Refused | undefined {
  const packages: unknown = predicate['packages'];
  if (!Array.isArray(packages)) return refuse('SbomInvalid', 'the bill of materials has no list packages');
  const odd = packages.findIndex((one) => asDocument(one) === undefined);
  if (odd !== -1) return refuse('SbomInvalid', `packages[${odd}] of the bill of materials is no object`);
  const twice = firstTwice(packages.map((one) => asText(at(one, 'SPDXID'))));
  return twice === undefined
    ? undefined
    : refuse('SbomInvalid', `packages of the bill of materials has ${quote(twice)} twice`);
}

/** The first id that two things have; undefined where each has its own. */
export function firstTwice(ids: readonly (string | undefined)[]): string | undefined {
  const seen = new Set<string>();
  for (const id of ids) {
    if (id === undefined) continue;
    if (seen.has(id)) return id;
    seen.add(id);
  }
  return undefined;
}

/** What SPDX 2 tells of parts; undefined of what is none. */
export function spdx2(predicate: Document): Sbom | undefined {
  const version = asText(predicate['spdxVersion']) ?? '';
  if (!VERSIONS.has(version)) return undefined;
  const components = asList(predicate['packages']).map((one) => {
    const concluded = [asText(at(one, 'licenseConcluded')), asText(at(one, 'licenseDeclared'))];
    const licence = concluded.find((text) => text !== undefined && !NOTHING.has(text));
    const purl = asList(at(one, 'externalRefs')).find((ref) => at(ref, 'referenceType') === 'purl');
    return {
      name: asText(at(one, 'name')) ?? '',
      purl: asText(at(purl, 'referenceLocator')) ?? '',
      licences: licence === undefined ? [] : [licence],
    };
  });
  return { format: version.replace('-', ' '), components };
}

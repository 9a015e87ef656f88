// SPDX-License-Identifier: Apache-2.0
import { asList, asText, at, type Document } from './documents.ts';
import { type Judgement, quote, refuse } from './judgement.ts';
import type { ProvenanceAsked } from './requirement.ts';

/** Who built an image, and from what. */
export interface Provenance {
  readonly builder: string;
  readonly buildType: string;
  /** The repository, as `https://host/path`; empty where the provenance does not say. */
  readonly source: string;
}

/** Reads SLSA provenance, 1 or 0.2. */
export function readProvenance(predicate: Document): Judgement<Provenance> {
  const builder =
    asText(at(predicate, 'runDetails', 'builder', 'id')) ?? asText(at(predicate, 'builder', 'id'));
  if (builder === undefined) return refuse('Malformed', 'the provenance does not name its builder');
  const buildType =
    asText(at(predicate, 'buildDefinition', 'buildType')) ?? asText(predicate['buildType']) ?? '';
  return { kind: 'verified', value: { builder, buildType, source: sourceOf(predicate) } };
}

/**
 * What was asked to be built, as builders write it. Of dependencies only the first counts, which by convention is the source: any other is whatever the
 * build happened to fetch.
 */
function sourceOf(predicate: Document): string {
  const parameters = at(predicate, 'buildDefinition', 'externalParameters');
  const found =
    asText(at(parameters, 'workflow', 'repository')) ??
    asText(at(parameters, 'source', 'uri')) ??
    asText(at(parameters, 'source')) ??
    asText(at(predicate, 'invocation', 'configSource', 'uri')) ??
    asText(at(asList(at(predicate, 'buildDefinition', 'resolvedDependencies'))[0], 'uri')) ??
    asText(at(asList(predicate['materials'])[0], 'uri'));
  return found === undefined ? '' : repositoryOf(found);
}

/**
 * repositoryOf('git+https://github.com/o/r.git@refs/heads/main') -> 'https://github.com/o/r'
 */
function repositoryOf(uri: string): string {
  const plain = uri.replace(/^git\+/, '');
  const scheme = plain.indexOf('://');
  // An at sign before the path is a user name, and stays: it is no such repository then.
  const path = plain.indexOf('/', scheme + 3);
  const end = path === -1 ? -1 : plain.indexOf('@', path);
  return (end === -1 ? plain : plain.slice(0, end)).replace(/\.git$/, '');
}

/** Whether an image was built as is asked for. */
export function isBuiltAsAsked(provenance: Provenance, asked: ProvenanceAsked): Judgement<Provenance> {
  const builder = asked.builders.find((one) => one.id === provenance.builder);
  if (builder === undefined) {
    const wanted = asked.builders.map((one) => quote(one.id)).join(' or ');
    return refuse('ProvenanceBuilder', `built by ${quote(provenance.builder)}; wanted is ${wanted}`);
  }
  if (builder.level < asked.minLevel) {
    return refuse(
      'ProvenanceLevel',
      `${quote(builder.id)} builds at level ${builder.level}; wanted is ${asked.minLevel}`,
    );
  }
  if (asked.sources.length > 0 && !asked.sources.includes(provenance.source)) {
    const wanted = asked.sources.map(quote).join(' or ');
    return refuse('ProvenanceSource', `built from ${quote(provenance.source)}; wanted is ${wanted}`);
  }
  return { kind: 'verified', value: provenance };
}

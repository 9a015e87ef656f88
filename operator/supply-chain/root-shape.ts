// SPDX-License-Identifier: Apache-2.0
import { quote } from '../core/supply-chain/judgement.ts';
import type { RootDocument } from './root-parts.ts';
import type { TrustRootProblem } from './trust-root.ts';

/** What a field of a `trusted_root.json` may hold: something that is read as it is, fields, or a list of these. */
type Shape = 'value' | Fields | readonly [Fields];

interface Fields {
  readonly [field: string]: Shape;
}

const TIMES: Fields = { start: 'value', end: 'value' };

const LOG: Fields = {
  baseUrl: 'value',
  hashAlgorithm: 'value',
  publicKey: { rawBytes: 'value', keyDetails: 'value', validFor: TIMES },
  logId: { keyId: 'value' },
  checkpointKeyId: { keyId: 'value' },
  operator: 'value',
};

const AUTHORITY: Fields = {
  subject: { organization: 'value', commonName: 'value' },
  uri: 'value',
  certChain: { certificates: [{ rawBytes: 'value' }] },
  validFor: TIMES,
  operator: 'value',
};

const ROOT: Fields = {
  mediaType: 'value',
  tlogs: [LOG],
  ctlogs: [LOG],
  certificateAuthorities: [AUTHORITY],
  timestampAuthorities: [AUTHORITY],
};

const MEDIA_TYPE = 'application/vnd.dev.sigstore.trustedroot+json;version=0.1';

/**
 * What of a root nobody here would hold signatures to. The library leaves out what it does not know, and what is of another type: a quorum of
 * witnesses, as of version 0.2, or an end of validity that is spelt otherwise, would ask for nothing without a word.
 */
export function shapeProblem(document: RootDocument): TrustRootProblem | undefined {
  const type = document['mediaType'];
  if (type !== undefined && type !== MEDIA_TYPE) {
    return { field: 'mediaType', found: textOf(type), wanted: `${MEDIA_TYPE}, or nothing` };
  }
  return problemIn('', document, ROOT);
}

function problemAt(field: string, value: unknown, shape: Shape): TrustRootProblem | undefined {
  if (shape === 'value' || value === undefined || value === null) return undefined;
  if (!isListShape(shape)) return problemIn(field, value, shape);
  if (!Array.isArray(value)) return { field, found: textOf(value), wanted: 'a list' };
  return firstProblem(value.map((one, index) => () => problemIn(`${field}[${index}]`, one, shape[0])));
}

function problemIn(field: string, value: unknown, fields: Fields): TrustRootProblem | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { field, found: textOf(value), wanted: 'an object' };
  }
  const place = (name: string) => (field === '' ? name : `${field}.${name}`);
  return firstProblem(
    Object.entries(value).map(([name, one]) => () => {
      const shape = Object.hasOwn(fields, name) ? fields[name] : undefined;
      if (shape !== undefined) return problemAt(place(name), one, shape);
      const found = `a field ${quote(name)} that is not known`;
      return { field, found, wanted: `no others than ${Object.keys(fields).join(', ')}` };
    }),
  );
}

function isListShape(shape: Fields | readonly [Fields]): shape is readonly [Fields] {
  return Array.isArray(shape);
}

function firstProblem(looks: readonly (() => TrustRootProblem | undefined)[]): TrustRootProblem | undefined {
  for (const look of looks) {
    const problem = look();
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return quote(value);
  return Array.isArray(value) ? 'a list' : typeof value;
}

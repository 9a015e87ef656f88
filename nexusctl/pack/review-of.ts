// SPDX-License-Identifier: Apache-2.0
import { isJsonObject, type JsonObject, readReview, type Review } from '#operator/core/policy/review';
import { pluralOf } from './plural.ts';

/** A review, or what about it cannot be read. */
export type Reviewed =
  | { readonly kind: 'ok'; readonly review: Review }
  | { readonly kind: 'refused'; readonly message: string };

/** Who asks in reviews that are made of objects alone. */
const NOBODY = { username: 'nexusctl', groups: [] };

/** The review of creating an object. The plural of its kind is guessed, unless `resource` says it. */
export function reviewOfObject(object: JsonObject, resource = ''): Reviewed {
  return reviewOfRequest({ operation: 'CREATE', object, resource: { resource } });
}

/** A review out of `request` of an AdmissionReview, as people write them: what can be told from the object is filled in. */
export function reviewOfRequest(request: JsonObject): Reviewed {
  const body = [request['object'], request['oldObject']].find(isJsonObject);
  if (body === undefined) return { kind: 'refused', message: 'has neither object nor oldObject to review' };
  const kind = kindOf(body);
  const metadata = isJsonObject(body['metadata']) ? body['metadata'] : {};
  const resource = isJsonObject(request['resource']) ? request['resource'] : {};
  const read = readReview({
    uid: 'nexusctl',
    name: metadata['name'],
    namespace: metadata['namespace'],
    userInfo: NOBODY,
    operation: 'CREATE',
    ...request,
    kind: { ...kind, ...(isJsonObject(request['kind']) ? request['kind'] : {}) },
    resource: {
      group: kind.group,
      version: kind.version,
      ...resource,
      resource: resource['resource'] || pluralOf(String(kind.kind)),
    },
  });
  if (read.kind === 'ok') return read;
  return { kind: 'refused', message: `${read.field}: must be ${read.wanted}, is ${read.found}` };
}

/** `apps/v1`, `Deployment` -> group, version and kind. */
function kindOf(object: JsonObject): {
  readonly group: string;
  readonly version: string;
  readonly kind: unknown;
} {
  const apiVersion = typeof object['apiVersion'] === 'string' ? object['apiVersion'] : '';
  const [group, version] = apiVersion.includes('/') ? apiVersion.split('/', 2) : ['', apiVersion];
  return { group: group ?? '', version: version ?? '', kind: object['kind'] };
}

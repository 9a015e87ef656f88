// SPDX-License-Identifier: Apache-2.0
import type { RequestFacts, TenantFacts } from './facts.ts';
import { imageInputs } from './image-input.ts';
import type { Trust } from './mutate.ts';
import { isJsonObject, type JsonObject, type Review } from './review.ts';

/** What `input` of a pack looks like: ours, or what the API server sends to a webhook. */
export type InputShape = 'Review' | 'AdmissionReview';

/** Which input a pack takes. */
export interface InputWanted {
  readonly shape: InputShape;
  readonly trust: Trust;
  /** Whether the pack looks for what must not be written anywhere, the copy that kubectl keeps of a manifest included. */
  readonly detects?: boolean | undefined;
  /** Whether the pack is told what is known of images. */
  readonly seesImages?: boolean | undefined;
  /** JSON text of the pack's parameters. */
  readonly parameters: string;
  /** JSON text of the constraints that match, where the pack has any. */
  readonly constraints?: string | undefined;
}

/** What stands in place of the values of Secrets. */
export const MASKED = '[masked]';
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/** An input in two parts, which are JSON text together. */
export interface InputParts {
  /** The same text for all packs that see the same of a request: the object is most of it. */
  readonly shared: string;
  /** What the pack has of its own. */
  readonly own: string;
}

/** Makes the inputs of packs for one request, as JSON text. */
export function projector(review: Review, facts: RequestFacts, now: Date): (wanted: InputWanted) => string {
  const partsOf = inputParts(review, facts, now);
  return (wanted) => {
    const { shared, own } = partsOf(wanted);
    return shared + own;
  };
}

/** The same in parts: what packs share is written once, when the first of them asks for it. */
export function inputParts(
  review: Review,
  facts: RequestFacts,
  now: Date,
): (wanted: InputWanted) => InputParts {
  const texts = new Map<string, string>();
  let images: string | undefined;
  const imagesText = (): string => {
    images ??= JSON.stringify(imageInputs(review, facts.images, now));
    return images;
  };
  const namespaceText = (): string =>
    keptIn(texts, 'namespaceObject', () => fieldsIn(JSON.stringify(namespaceInput(facts))));
  const hasCopy = [review.object, review.oldObject].some(keepsCopy);
  const bodies = (keep: Keep): string =>
    keptIn(texts, `bodies/${keep.isMasked}/${keep.copy}`, () =>
      fieldsIn(JSON.stringify(bodiesOf(review, keep))),
    );
  const shared = (shape: InputShape, trust: Trust, detects: boolean): string =>
    keptIn(texts, `${shape}/${trust}/${detects}`, () => {
      const head = fieldsIn(JSON.stringify(headOf(review, trust)));
      const text = `{${head},${bodies(keepFor(review, trust, detects))}}`;
      return sharedPart(shape, text, { facts, now });
    });
  return ({ shape, trust, parameters, constraints, detects = false, seesImages = false }) => {
    const text = shared(shape, trust, detects && hasCopy);
    if (shape === 'AdmissionReview') return { shared: text, own: '' };
    const more = constraints === undefined ? '' : `,"constraints":${constraints},${namespaceText()}`;
    const known = seesImages ? `,"images":${imagesText()}` : '';
    return { shared: text, own: `,"parameters":${parameters}${more}${known}}` };
  };
}

/** What is kept under a key, or else is made and kept. */
function keptIn(texts: Map<string, string>, key: string, make: () => string): string {
  const text = texts.get(key) ?? make();
  texts.set(key, text);
  return text;
}

/** The text of an object without its braces. */
function fieldsIn(text: string): string {
  return text.slice(1, -1);
}

/** Of ours, all but the last brace: what a pack has of its own comes before it. */
function sharedPart(
  shape: InputShape,
  review: string,
  { facts, now }: { readonly facts: RequestFacts; readonly now: Date },
): string {
  if (shape === 'AdmissionReview')
    return `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":${review}}`;
  const { tenant, namespace } = facts;
  const text = JSON.stringify({
    tenant: tenant === undefined ? null : tenantInput(tenant),
    namespace: namespace === undefined ? null : { name: namespace.name, labels: namespace.labels },
    time: now.toISOString(),
  });
  return `{"review":${review},${fieldsIn(text)}`;
}

function tenantInput({ name, plan, tier, residency, entitlements }: TenantFacts) {
  return { name, plan, tier, residency: residency ?? {}, entitlements: entitlements ?? {} };
}

/** What templates of Gatekeeper find at `input.review.namespaceObject`, as far as it is known here. */
function namespaceInput({ namespace }: RequestFacts) {
  if (namespace === undefined) return { namespaceObject: null };
  const { name, labels, annotations = {} } = namespace;
  const metadata = metadataOf({ name, labels, annotations }, false);
  return { namespaceObject: { apiVersion: 'v1', kind: 'Namespace', metadata } };
}

/** The review as packs of this trust see it: without what nobody reads, and for those of tenants without values of Secrets. */
export function projectionOf(review: Review, trust: Trust, detects = false): JsonObject {
  return { ...headOf(review, trust), ...bodiesOf(review, keepFor(review, trust, detects)) };
}

/** All but the objects, which are most of it, and mostly the same for everybody. */
function headOf(review: Review, trust: Trust): JsonObject {
  return {
    uid: review.uid,
    kind: review.kind,
    resource: review.resource,
    ...(review.subResource !== '' && { subResource: review.subResource }),
    name: review.name,
    ...(review.namespace !== '' && { namespace: review.namespace }),
    operation: review.operation,
    userInfo: userOf(review, trust),
    dryRun: review.dryRun,
    ...(review.options !== undefined && { options: review.options }),
  };
}

function bodiesOf({ object, oldObject }: Review, keep: Keep): JsonObject {
  const body = (one: JsonObject | undefined) => (one === undefined ? null : bodyOf(one, keep));
  return { object: body(object), oldObject: body(oldObject) };
}

function keepFor(review: Review, trust: Trust, detects: boolean): Keep {
  const isMasked = trust === 'Tenant' && isSecret(review);
  // The copy of a Secret has its values, too.
  return { isMasked, copy: detects && !isMasked };
}

/** Whose values no pack of a tenant sees, and no log shows. */
export function isSecret({ kind, resource }: Pick<Review, 'kind' | 'resource'>): boolean {
  return kind.group === '' && (kind.kind === 'Secret' || resource.resource === 'secrets');
}

/** What an authenticator adds may be a credential's: a tenant's pack has no use for it. */
function userOf({ userInfo }: Review, trust: Trust): JsonObject {
  const { extra, ...user } = userInfo;
  return trust === 'Platform' && extra !== undefined ? { ...user, extra } : user;
}

interface Keep {
  readonly isMasked: boolean;
  readonly copy: boolean;
}

function bodyOf(object: JsonObject, { isMasked, copy }: Keep): JsonObject {
  const { metadata } = object;
  const light = isJsonObject(metadata) ? { ...object, metadata: metadataOf(metadata, copy) } : object;
  return isMasked ? withoutValues(light) : light;
}

function keepsCopy(object: JsonObject | undefined): boolean {
  const metadata = object?.['metadata'];
  const annotations = isJsonObject(metadata) ? metadata['annotations'] : undefined;
  return isJsonObject(annotations) && Object.hasOwn(annotations, LAST_APPLIED);
}

function metadataOf(metadata: JsonObject, copy: boolean): JsonObject {
  const { managedFields: _, ...rest } = metadata;
  const { annotations } = rest;
  if (copy || !isJsonObject(annotations) || !Object.hasOwn(annotations, LAST_APPLIED)) return rest;
  const { [LAST_APPLIED]: __, ...others } = annotations;
  return { ...rest, annotations: others };
}

/** A Secret with its keys and without its values. */
function withoutValues(secret: JsonObject): JsonObject {
  const { data, stringData } = secret;
  return {
    ...secret,
    ...(data !== undefined && { data: masked(data) }),
    ...(stringData !== undefined && { stringData: masked(stringData) }),
  };
}

function masked(value: unknown): unknown {
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(Object.keys(value).map((key) => [key, MASKED]));
}

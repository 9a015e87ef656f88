// SPDX-License-Identifier: Apache-2.0
import type { ImageTeller } from './image-input.ts';
import type { JsonObject, Review } from './review.ts';

type Labels = Readonly<Record<string, string>>;

/** What policy may know of the tenant that a request is in: a fixed part of its spec, which its own packs may see too. */
export interface TenantFacts {
  readonly name: string;
  readonly labels: Labels;
  readonly plan: string;
  readonly tier: string;
  readonly residency?: JsonObject;
  readonly entitlements?: JsonObject;
  /** Whom its users ask. */
  readonly contact?: string;
}

/** What policy may know of the namespace of a request. */
export interface NamespaceFacts {
  readonly name: string;
  readonly labels: Labels;
  /** Of these only templates of Gatekeeper are told. Absent: none are known. */
  readonly annotations?: Readonly<Record<string, string>>;
}

/** What is known about a request besides itself. */
export interface RequestFacts {
  readonly tenant: TenantFacts | undefined;
  readonly namespace: NamespaceFacts | undefined;
  /** What says what is known of images, the same to all who ask; only packs that want it are told. Absent: nobody does. */
  readonly images?: ImageTeller;
}

/** Whether the request is about a Namespace itself. The API server names it as its own namespace. */
export function isNamespaceReview(review: Pick<Review, 'kind' | 'resource'>): boolean {
  return review.resource.group === '' && review.resource.resource === 'namespaces';
}

/** Labels of an object of a review; nothing that is no text counts as one. */
export function labelsOf(object: JsonObject | undefined): Labels {
  const metadata = object?.['metadata'];
  if (typeof metadata !== 'object' || metadata === null) return {};
  const labels = (metadata as JsonObject)['labels'];
  if (typeof labels !== 'object' || labels === null) return {};
  const texts = Object.entries(labels).filter((one): one is [string, string] => typeof one[1] === 'string');
  return Object.fromEntries(texts);
}

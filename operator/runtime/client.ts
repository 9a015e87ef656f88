// SPDX-License-Identifier: Apache-2.0
import type { KubeObject, Resource } from '../core/object.ts';
import { ApiError, hasStatus, isAnswerTooLarge } from './api-error.ts';
import { type Key, keyOf } from './controller.ts';
import { Discovery } from './discovery.ts';
import type { Outage } from './outage.ts';
import type { Fence } from './request-limit.ts';
import { collectionPath, objectPath } from './resource.ts';
import { type ApiRequest, createTransport, type Transport, type TransportOptions } from './transport.ts';

/** What to list or watch. */
export interface Selection {
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  /** Only `apiVersion`, `kind` and `metadata` of each object. */
  readonly metadataOnly?: boolean | undefined;
}

/** How a list is read. */
export interface ListSelection extends Selection {
  /** How many objects the first page has at most; by default as many as are small in general. */
  readonly firstPage?: number | undefined;
  /** How long, and how often, each page is asked for; by default as the transport does. */
  readonly effort?: Pick<ApiRequest, 'timeoutMs' | 'attempts'>;
}

/** One page of a list. */
export interface ListPage {
  readonly items: readonly KubeObject[];
  /** Version of the whole list, the same on every page. */
  readonly resourceVersion: string;
}

/** How a watch starts and ends. */
export interface WatchOptions extends Selection {
  readonly resourceVersion?: string;
  /** Have all that is there told first, ended by a bookmark. */
  readonly sendInitialEvents?: boolean;
  /** The API server ends the watch after so long. */
  readonly timeoutSeconds: number;
  /** The watch fails after so long without a byte, in milliseconds. */
  readonly idleMs: number;
  readonly signal: AbortSignal;
}

/** How a delete is guarded. */
export interface DeleteOptions {
  /** Only that very object. */
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly propagation?: 'Background' | 'Foreground' | 'Orphan';
}

/** A merge patch (RFC 7386) of an object or a subresource. */
export interface MergePatch {
  readonly body: unknown;
  readonly subresource?: string;
  readonly fieldManager?: string;
}

/** Typed requests to one API server. All methods throw `ApiError`. */
export interface Client {
  /** Tells when the API server is back after it was away. */
  readonly outage: Outage;
  /** The object; undefined when there is none. */
  get(resource: Resource, key: Key): Promise<KubeObject | undefined>;
  /** All objects, page by page; pages are sized by bytes. Throws status 410 when it took too long. */
  list(resource: Resource, selection?: ListSelection): AsyncGenerator<ListPage>;
  /** The bytes of a watch: one JSON event per line. */
  watch(resource: Resource, options: WatchOptions): Promise<AsyncIterable<Buffer>>;
  /** Creates; a namesake is status 409, reason AlreadyExists. */
  create(resource: Resource, object: KubeObject, fieldManager: string): Promise<KubeObject>;
  /** Server-side apply, taking over fields of others. With `metadata.uid`, only onto that very object. */
  apply(resource: Resource, object: KubeObject, fieldManager: string): Promise<KubeObject>;
  /** Replaces `status`, if the object is still at `metadata.resourceVersion`; else status 409. */
  replaceStatus(resource: Resource, object: KubeObject, fieldManager: string): Promise<KubeObject>;
  /** Writes the whole object on the condition that it still has the resourceVersion that `object` carries. */
  replace(resource: Resource, object: KubeObject, fieldManager: string): Promise<KubeObject>;
  /** Changes some fields. With `metadata.resourceVersion` in the body, only of that version. */
  patch(resource: Resource, key: Key, patch: MergePatch): Promise<KubeObject>;
  /** Deletes. Returns the object while it lingers (finalizers, grace); undefined when it is gone. */
  delete(resource: Resource, key: Key, options?: DeleteOptions): Promise<KubeObject | undefined>;
  /** Any other request. */
  raw(request: ApiRequest): Promise<unknown>;
  /** How the API server serves a kind; remembered. */
  resourceOf(apiVersion: string, kind: string): Promise<Resource>;
  /** The same client, whose writes are sent only while `fence` holds. */
  withFence(fence: Fence): Client;
  /** Ends all connections. */
  close(): Promise<void>;
}

/**
 * The API server gives a write up before we do, which wait for half a minute: then it says so, and what waited for is told. A webhook that never answers may
 * be waited for as long as that, and who has hung up by then knows nothing.
 */
const ANSWERED_WITHIN = '25s';

/** How a client is made: a transport's options, and kinds that need no discovery. */
export interface ClientOptions extends TransportOptions {
  readonly resources?: readonly Resource[];
}

const LIST_ACCEPT = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json';
const WATCH_ACCEPT = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json';
/** A page of a megabyte blocks the event loop for some ten milliseconds. */
const PAGE_BYTES = 1024 * 1024;
const FIRST_PAGE = 100;
const MAX_PAGE = 500;

/** A client on connections of its own. */
export function createClient(options: ClientOptions): Client {
  const transport = createTransport(options);
  return new ApiClient(transport, new Discovery(transport, options.resources ?? []));
}

class ApiClient implements Client {
  readonly #transport: Transport;
  readonly #discovery: Discovery;
  readonly #fence: Fence | undefined;

  constructor(transport: Transport, discovery: Discovery, fence?: Fence) {
    this.#transport = transport;
    this.#discovery = discovery;
    this.#fence = fence;
  }

  get outage(): Outage {
    return this.#transport.outage;
  }

  async get(resource: Resource, key: Key): Promise<KubeObject | undefined> {
    try {
      return asObject(await this.#transport.request({ verb: 'get', path: objectPath(resource, key) }));
    } catch (error) {
      // Without a name in its details, the answer means that the kind is not served.
      if (hasStatus(error, 404) && error.details?.name === key.name) return undefined;
      throw error;
    }
  }

  async *list(resource: Resource, selection: ListSelection = {}): AsyncGenerator<ListPage> {
    let limit = selection.firstPage ?? FIRST_PAGE;
    let next: string | undefined;
    do {
      const page = await this.#page(resource, selection, { limit, next });
      const { metadata } = page.list;
      const items = page.list.items ?? [];
      limit = nextLimit(page, items.length);
      next = metadata.continue;
      yield {
        items: items.map((item) => withKind(item, resource, selection)),
        resourceVersion: metadata.resourceVersion,
      };
    } while (next !== undefined && next !== '');
  }

  watch(resource: Resource, options: WatchOptions): Promise<AsyncIterable<Buffer>> {
    return this.#transport.stream({
      verb: 'watch',
      path: collectionPath(resource, options.namespace),
      query: {
        ...queryOf(options),
        watch: true,
        allowWatchBookmarks: true,
        timeoutSeconds: options.timeoutSeconds,
        resourceVersion: options.resourceVersion,
        ...(options.sendInitialEvents === true && {
          sendInitialEvents: true,
          resourceVersionMatch: 'NotOlderThan',
        }),
      },
      ...(options.metadataOnly === true && { accept: WATCH_ACCEPT }),
      idleMs: options.idleMs,
      signal: options.signal,
    });
  }

  create(resource: Resource, object: KubeObject, fieldManager: string): Promise<KubeObject> {
    const path = collectionPath(resource, object.metadata.namespace);
    return this.#write({ verb: 'create', path, query: { fieldManager }, body: object });
  }

  apply(resource: Resource, object: KubeObject, fieldManager: string): Promise<KubeObject> {
    return this.#write({
      verb: 'patch',
      path: objectPath(resource, keyOf(object)),
      query: { fieldManager, force: true },
      contentType: 'application/apply-patch+yaml',
      body: object,
    });
  }

  replaceStatus(resource: Resource, object: KubeObject, fieldManager: string): Promise<KubeObject> {
    const path = objectPath(resource, keyOf(object), 'status');
    return this.#write({ verb: 'update', path, query: { fieldManager }, body: object });
  }

  replace(resource: Resource, object: KubeObject, fieldManager: string): Promise<KubeObject> {
    const path = objectPath(resource, keyOf(object));
    return this.#write({ verb: 'update', path, query: { fieldManager }, body: object });
  }

  patch(resource: Resource, key: Key, patch: MergePatch): Promise<KubeObject> {
    return this.#write({
      verb: 'patch',
      path: objectPath(resource, key, patch.subresource),
      query: { fieldManager: patch.fieldManager },
      contentType: 'application/merge-patch+json',
      body: patch.body,
    });
  }

  async delete(resource: Resource, key: Key, options: DeleteOptions = {}): Promise<KubeObject | undefined> {
    const { uid, resourceVersion, propagation } = options;
    const answer = await this.raw({
      verb: 'delete',
      path: objectPath(resource, key),
      body: {
        apiVersion: 'v1',
        kind: 'DeleteOptions',
        propagationPolicy: propagation ?? 'Background',
        ...((uid ?? resourceVersion) !== undefined && { preconditions: { uid, resourceVersion } }),
      },
    });
    return isObject(answer) && answer.kind !== 'Status' ? answer : undefined;
  }

  raw(request: ApiRequest): Promise<unknown> {
    const isRead = request.verb === 'get' || request.verb === 'list';
    return this.#transport.request(isRead ? request : { ...request, fence: this.#fence });
  }

  resourceOf(apiVersion: string, kind: string): Promise<Resource> {
    return this.#discovery.resourceOf(apiVersion, kind);
  }

  withFence(fence: Fence): Client {
    return new ApiClient(this.#transport, this.#discovery, fence);
  }

  close(): Promise<void> {
    return this.#transport.close();
  }

  /** One page of at most `limit` objects, and of fewer if these are more than can be read at once. */
  async #page(
    resource: Resource,
    selection: ListSelection,
    { limit, next }: { readonly limit: number; readonly next: string | undefined },
  ): Promise<Page> {
    for (let asked = limit; ; asked = Math.floor(asked / 2)) {
      try {
        const { answer, bytes } = await this.#transport.measure({
          verb: 'list',
          path: collectionPath(resource, selection.namespace),
          query: { ...queryOf(selection), limit: asked, continue: next },
          ...(selection.metadataOnly === true && { accept: LIST_ACCEPT }),
          ...selection.effort,
        });
        return { list: asList(answer), bytes, limit: asked };
      } catch (error) {
        if (asked === 1 || !isAnswerTooLarge(error)) throw error;
      }
    }
  }

  /**
   * Without strict validation: for it the API server decodes a body twice (a tenth of the cost of an apply), and what it
   * finds goes into a Warning header that nobody here reads. An apply is refused unknown fields all the same.
   */
  async #write(request: ApiRequest): Promise<KubeObject> {
    const query = { ...request.query, fieldValidation: 'Ignore', timeout: ANSWERED_WITHIN };
    return asObject(await this.raw({ ...request, query }));
  }
}

function queryOf(selection: Selection) {
  const { labelSelector, fieldSelector } = selection;
  return { labelSelector, fieldSelector };
}

/** Items of a list carry no kind of their own, except in lists of metadata. */
function withKind(item: KubeObject, resource: Resource, selection: Selection): KubeObject {
  if (selection.metadataOnly === true) return item;
  const { apiVersion, kind } = resource;
  return { ...item, apiVersion, kind };
}

interface Page {
  readonly list: ListAnswer;
  readonly bytes: number;
  /** How many objects were asked for. */
  readonly limit: number;
}

/**
 * Page size for the next request: what the objects of this page were on average fills a page. It doubles at most, since what
 * comes next may be larger, by who knows whose will.
 */
function nextLimit({ bytes, limit }: Page, count: number): number {
  if (count === 0) return limit;
  const fitting = Math.floor((PAGE_BYTES * count) / bytes);
  return Math.min(Math.max(fitting, 1), limit * 2, MAX_PAGE);
}

interface ListAnswer {
  /** Null in a list of metadata that is empty. */
  readonly items?: readonly KubeObject[] | null;
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string };
}

function asList(answer: unknown): ListAnswer {
  if (typeof answer === 'object' && answer !== null && 'metadata' in answer) return answer as ListAnswer;
  throw malformed('a list');
}

function asObject(answer: unknown): KubeObject {
  if (isObject(answer)) return answer;
  throw malformed('an object');
}

function isObject(answer: unknown): answer is KubeObject {
  return typeof answer === 'object' && answer !== null && 'kind' in answer && 'metadata' in answer;
}

function malformed(what: string): ApiError {
  return new ApiError({
    status: 0,
    code: 'dependency_unavailable',
    reason: 'Malformed',
    message: `the API server answered something that is not ${what}`,
  });
}

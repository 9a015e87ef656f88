// SPDX-License-Identifier: Apache-2.0
import { type Answer, broken, type Failure, ok } from '../core/oci/answer.ts';
import type { Keychain } from '../core/oci/credentials.ts';
import { algorithmOf, digestOfBytes, isDigest } from '../core/oci/digest.ts';
import { mediaTypeOf } from '../core/oci/headers.ts';
import {
  type Descriptor,
  type Index,
  type Manifest,
  MANIFEST_LIMITS,
  MEDIA_TYPES,
  readManifest,
} from '../core/oci/manifest.ts';
import { isTag, type Reference, type Repository } from '../core/oci/reference.ts';
import { ByteCache } from './byte-cache.ts';
import { Flights } from './flights.ts';
import { findReferrers, type Referrers } from './referrers.ts';
import { Requester, type RequesterOptions } from './requester.ts';
import { mirrorOf, type RegistrySettings } from './settings.ts';
import type { Reply } from '../sources/outbound.ts';
import { TimeLimit } from './time-limit.ts';

/** Who asks, and how long he waits. */
export interface Asking {
  /** Of one tenant, or of the platform. */
  readonly keychain: Keychain;
  /** Whose question it is: the name of a tenant; empty: the platform. Places are dealt out by it. Default: by keychain. */
  readonly whose?: string | undefined;
  /** Ends the waiting of this caller. What he asked may go on, if others ask the same. */
  readonly signal?: AbortSignal | undefined;
}

/** What a reference stands for at the moment. */
export interface Resolved {
  readonly digest: string;
  readonly mediaType: string | undefined;
}

/** What can be asked of registries. Nothing of it ever rejects. */
export interface Registry {
  /** The digest that a reference stands for; of one with a digest, whether it is there. */
  resolve(reference: Reference, asking: Asking): Promise<Answer<Resolved>>;
  /** What a tag stands for at the moment, read: one question where it may well stand for nothing. */
  tagged(repository: Repository, tag: string, asking: Asking): Promise<Answer<Manifest | Index>>;
  /** A manifest or an index. Its bytes have the digest that it was asked by. */
  manifest(repository: Repository, digest: string, asking: Asking): Promise<Answer<Manifest | Index>>;
  /** Bytes that have a digest and a size; at most `maxBytes`, which are 8 MiB if nothing is said. */
  blob(
    repository: Repository,
    blob: Pick<Descriptor, 'digest' | 'size' | 'data'>,
    asking: Asking & { readonly maxBytes?: number },
  ): Promise<Answer<Uint8Array>>;
  /** What refers to a digest: signatures, attestations and so on. Whoever may write to the repository may have put it there. */
  referrers(
    repository: Repository,
    digest: string,
    asking: Asking & { readonly artifactTypes?: readonly string[] },
  ): Promise<Answer<Referrers>>;
}

/** How registries are asked. */
export interface ClientOptions extends RequesterOptions {
  /** For one question, with all that it takes: redirects, tokens, mirrors, another try. Default 15 s. */
  readonly timeoutMs?: number;
  /** How much is kept in memory of what was read. Default 64 MiB. */
  readonly cacheBytes?: number;
}

const TIMEOUT_MS = 15_000;
export const CACHE_BYTES = 64 * 1024 * 1024;
const MAX_BLOB_BYTES = 8 * 1024 * 1024;
/** Of errors. */
const MIN_ANSWER_BYTES = 64 * 1024;
const ACCEPT = [
  MEDIA_TYPES.ociIndex,
  MEDIA_TYPES.ociManifest,
  MEDIA_TYPES.dockerList,
  MEDIA_TYPES.dockerManifest,
].join(', ');

const MANIFEST = { accept: ACCEPT, maxBytes: MANIFEST_LIMITS.bytes } as const;
/** What registries answer to HEAD that would say more to GET. */
const ASK_AGAIN: readonly number[] = [400, 404, 405, 501];
/** A mirror that is slow leaves time for the registry itself. */
const MIRROR_SHARE = 1 / 3;

/** Somebody's question: all that what is remembered of the answer goes by. */
interface Asked {
  readonly repository: Repository;
  readonly asking: Asking;
  readonly what: string;
}

/** Puts a question to one repository. */
type AskAt<T> = (place: Repository, signal: AbortSignal) => Promise<Answer<T>>;

/** Reads from registries, and believes nothing that a digest does not vouch for. */
export class RegistryClient implements Registry {
  readonly #registries: readonly RegistrySettings[];
  readonly #timeoutMs: number;
  readonly #requester: Requester;
  readonly #cache: ByteCache<Manifest | Index | Uint8Array>;
  readonly #flights: Flights;

  constructor(options: ClientOptions) {
    this.#registries = options.registries;
    this.#timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
    this.#requester = new Requester(options);
    this.#cache = new ByteCache(options.cacheBytes ?? CACHE_BYTES);
    this.#flights = new Flights(this.#timeoutMs);
  }

  resolve(reference: Reference, asking: Asking): Promise<Answer<Resolved>> {
    const { digest, tag = 'latest', registry, repository: name } = reference;
    const wanted = digest ?? tag;
    if (!isDigest(wanted) && !isTag(wanted)) return Promise.resolve(broken('what is asked for is no tag'));
    const repository = { registry, repository: name };
    return this.#once(
      { what: `resolve ${wanted}`, repository, asking },
      digest !== undefined,
      (place, signal) => this.#resolveAt({ ...whoOf(asking), repository: place, wanted, signal }),
    );
  }

  async tagged(repository: Repository, tag: string, asking: Asking): Promise<Answer<Manifest | Index>> {
    if (!isTag(tag)) return broken('what is asked for is no tag');
    return this.#once({ what: `tagged ${tag}`, repository, asking }, false, async (place, signal) => {
      const reply = await this.#requester.ask({
        ...MANIFEST,
        repository: place,
        path: `manifests/${tag}`,
        what: tag,
        algorithm: 'sha256',
        signal,
        ...whoOf(asking),
      });
      if (reply.kind !== 'ok') return reply;
      return readManifest({ ...contentOf(reply.value), digest: digestFound(reply.value) });
    });
  }

  manifest(repository: Repository, digest: string, asking: Asking): Promise<Answer<Manifest | Index>> {
    return this.#kept({ what: `manifest ${digest}`, repository, asking }, digest, async (place, signal) => {
      const path = `manifests/${digest}`;
      const reply = await this.#requester.ask({
        ...MANIFEST,
        repository: place,
        path,
        what: digest,
        algorithm: algorithmOf(digest),
        signal,
        ...whoOf(asking),
      });
      if (reply.kind !== 'ok') return reply;
      return liesAbout(digest, reply.value) ?? readManifest({ ...contentOf(reply.value), digest });
    });
  }

  async blob(
    repository: Repository,
    { digest, size, data }: Pick<Descriptor, 'digest' | 'size' | 'data'>,
    asking: Asking & { readonly maxBytes?: number },
  ): Promise<Answer<Uint8Array>> {
    const { maxBytes = MAX_BLOB_BYTES } = asking;
    if (size > maxBytes) return broken(`${digest} has ${size} bytes; at most ${maxBytes} are taken`);
    if (data !== undefined) return ok(data);
    const what = `blob ${size} ${digest}`;
    return this.#kept({ what, repository, asking }, digest, async (place, signal) => {
      const asked = { ...whoOf(asking), repository: place, path: `blobs/${digest}`, what: digest, signal };
      // What is longer is another; an error has to have room.
      const most = Math.max(size, MIN_ANSWER_BYTES);
      const algorithm = algorithmOf(digest);
      const question = { ...asked, accept: '*/*', maxBytes: most, expected: size, algorithm };
      const reply = await this.#requester.ask(question);
      if (reply.kind !== 'ok') return reply;
      return liesAbout(digest, reply.value, size) ?? ok(reply.value.bytes);
    });
  }

  referrers(
    repository: Repository,
    digest: string,
    asking: Asking & { readonly artifactTypes?: readonly string[] },
  ): Promise<Answer<Referrers>> {
    const { artifactTypes = [] } = asking;
    if (!isDigest(digest)) return Promise.resolve(broken('what referrers are asked for by is no digest'));
    const what = `referrers ${digest} ${artifactTypes.join(' ')}`;
    return this.#once({ what, repository, asking }, false, (place, signal) =>
      findReferrers({ repository: place, digest, artifactTypes }, (asked) =>
        this.#requester.ask({ ...MANIFEST, ...asked, ...whoOf(asking), repository: place, signal }),
      ),
    );
  }

  /** Ends connections. */
  close(): Promise<void> {
    return this.#requester.close();
  }

  /** Without reading the manifest, where the registry says its digest: what a tag stands for is its to say. */
  async #resolveAt(place: ResolveAt): Promise<Answer<Resolved>> {
    const { wanted } = place;
    const what = `${place.repository.repository}${isDigest(wanted) ? '@' : ':'}${wanted}`;
    const asked = { ...MANIFEST, ...place, path: `manifests/${wanted}`, what };
    const head = await this.#requester.ask({ ...asked, method: 'HEAD', passes: ASK_AGAIN });
    if (head.kind !== 'ok') return head;
    const said = saidBy(head.value);
    if (said !== undefined)
      return isDigest(wanted) && said.digest !== wanted
        ? broken(`${head.value.url.host} has ${said.digest} for ${wanted}`)
        : ok(said);
    const reply = await this.#requester.ask({ ...asked, algorithm: algorithmOf(wanted) });
    if (reply.kind !== 'ok') return reply;
    const digest = isDigest(wanted) ? wanted : digestFound(reply.value);
    const read = liesAbout(digest, reply.value) ?? readManifest({ ...contentOf(reply.value), digest });
    return read.kind === 'ok' ? ok({ digest, mediaType: read.value.mediaType }) : read;
  }

  /** What a digest names never changes: it is kept for those who asked. */
  async #kept<T extends Manifest | Index | Uint8Array>(
    asked: Asked,
    digest: string,
    ask: AskAt<T>,
  ): Promise<Answer<T>> {
    if (!isDigest(digest)) return broken('what is asked for is no digest');
    const key = keyOf(asked);
    const known = this.#cache.get(key);
    if (known !== undefined) return ok(known as T);
    const answer = await this.#once(asked, true, ask);
    if (answer.kind === 'ok') this.#cache.set(key, answer.value, sizeOf(answer.value));
    return answer;
  }

  /** Mirrors first, where they may be believed. Whatever they say that is not it, the registry itself is asked. */
  #once<T>(asked: Asked, isPinned: boolean, ask: AskAt<T>): Promise<Answer<T>> {
    const { repository, asking } = asked;
    // Nobody waits for an answer in the place of somebody else.
    const key = `${asking.whose ?? '-'} ${keyOf(asked)}`;
    return this.#flights.join(key, asking.signal, async (signal) => {
      for (const mirror of this.#mirrorsOf(repository, isPinned)) {
        const soon = new TimeLimit(this.#timeoutMs * MIRROR_SHARE, signal);
        const answer = await ask(mirror, soon.signal).finally(() => soon.end());
        if (answer.kind === 'ok') return answer;
      }
      return ask(repository, signal);
    });
  }

  #mirrorsOf({ registry, repository }: Repository, isPinned: boolean): readonly Repository[] {
    const settings = this.#registries.find(({ host }) => host === registry);
    const mirrors = isPinned || settings?.trustsMirrors === true ? (settings?.mirrors ?? []) : [];
    return mirrors.map((mirror) => {
      const { host, prefix } = mirrorOf(mirror);
      return { registry: host, repository: prefix === '' ? repository : `${prefix}/${repository}` };
    });
  }
}

interface ResolveAt extends Pick<Asking, 'keychain' | 'whose'> {
  readonly repository: Repository;
  readonly wanted: string;
  readonly signal: AbortSignal;
}

/** What the headers of an answer tell, if they tell it. */
function saidBy({ status, headers }: Reply): Resolved | undefined {
  const digest = headers['docker-content-digest'];
  if (status !== 200 || typeof digest !== 'string' || !isDigest(digest)) return undefined;
  return { digest, mediaType: mediaTypeOf(headers['content-type']) };
}

function whoOf({ keychain, whose }: Asking): Pick<Asking, 'keychain' | 'whose'> {
  return { keychain, whose };
}

/** By who asks as well: what one may read is not another's to know of. */
function keyOf({ what, repository: { registry, repository }, asking }: Asked): string {
  return `${asking.keychain.id} ${registry}/${repository} ${what}`;
}

function contentOf({ bytes, headers }: Reply) {
  return { bytes, contentType: mediaTypeOf(headers['content-type']) };
}

/** As it was found while the answer came: to hash it now would hold up all else. */
function digestFound({ digest, bytes }: Reply, like?: string): string {
  return digest ?? digestOfBytes(bytes, like);
}

function liesAbout(digest: string, reply: Reply, size = reply.bytes.length): Failure | undefined {
  const { bytes, url } = reply;
  if (bytes.length !== size)
    return broken(`${url.host} has ${bytes.length} bytes for ${digest}; it should have ${size}`);
  const found = digestFound(reply, digest);
  return found === digest ? undefined : broken(`${url.host} has ${found} for ${digest}`);
}

function sizeOf(value: Manifest | Index | Uint8Array): number {
  // What is read of a manifest takes about as much again.
  return value instanceof Uint8Array ? value.length : value.bytes.length * 3;
}

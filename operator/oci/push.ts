// SPDX-License-Identifier: Apache-2.0
import { type Answer, broken, type Failure, ok } from '../core/oci/answer.ts';
import { digestOfBytes } from '../core/oci/digest.ts';
import { type Descriptor, MEDIA_TYPES } from '../core/oci/manifest.ts';
import type { Repository } from '../core/oci/reference.ts';
import type { Asking } from './client.ts';
import { Requester, type RequesterOptions } from './requester.ts';

/** What is pushed: an artifact of some layers. */
export interface Artifact {
  readonly artifactType: string;
  readonly layers: readonly { readonly mediaType: string; readonly bytes: Uint8Array }[];
  readonly annotations?: Readonly<Record<string, string>>;
  /** What it refers to. */
  readonly subject?: Pick<Descriptor, 'mediaType' | 'digest' | 'size'>;
}

/** What was pushed. */
export interface Pushed {
  readonly digest: string;
  readonly mediaType: string;
  readonly size: number;
}

/** Where something is pushed to. */
export interface Target extends Repository {
  /** Without, it has no other name than its digest. */
  readonly tag?: string | undefined;
}

const PUSH_MS = 60_000;
const ANSWER_BYTES = 64 * 1024;
/** The configuration of what has none. */
const EMPTY = Buffer.from('{}');

interface Doing {
  readonly repository: Repository;
  readonly keychain: Asking['keychain'];
  readonly whose: Asking['whose'];
  readonly signal: AbortSignal;
}

/** Pushes artifacts. What is there already is not sent again, and the same artifact has the same digest wherever it is made. */
export class ArtifactPusher {
  readonly #requester: Requester;

  constructor(options: RequesterOptions) {
    this.#requester = new Requester(options);
  }

  /** Pushes an artifact, its manifest last: nobody sees half of it. */
  async push(target: Target, artifact: Artifact, asking: Asking): Promise<Answer<Pushed>> {
    const doing = doingOf(target, asking);
    for (const bytes of [EMPTY, ...artifact.layers.map((layer) => layer.bytes)]) {
      const failure = await this.#pushBlob(doing, bytes);
      if (failure !== undefined) return failure;
    }
    return this.#pushManifest(doing, target, manifestOf(artifact));
  }

  /** Pushes a list of manifests that are there. */
  pushIndex(
    target: Target,
    manifests: readonly Readonly<Record<string, unknown>>[],
    asking: Asking,
  ): Promise<Answer<Pushed>> {
    const content = { schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests };
    return this.#pushManifest(doingOf(target, asking), target, content);
  }

  /** Ends connections. */
  close(): Promise<void> {
    return this.#requester.close();
  }

  async #pushBlob(doing: Doing, bytes: Uint8Array): Promise<Failure | undefined> {
    const digest = digestOfBytes(bytes);
    const asked = { ...doing, what: digest, accept: '*/*', maxBytes: ANSWER_BYTES };
    const there = await this.#requester.ask({
      ...asked,
      method: 'HEAD',
      path: `blobs/${digest}`,
      passes: [404],
    });
    if (there.kind !== 'ok') return there;
    if (there.value.status === 200) return undefined;
    const begun = await this.#requester.ask({
      ...asked,
      method: 'POST',
      path: 'blobs/uploads/',
      passes: [202],
    });
    if (begun.kind !== 'ok') return begun;
    const at = begun.value.headers['location'];
    if (typeof at !== 'string' || !URL.canParse(at, begun.value.url.href))
      return broken(`${begun.value.url.host} does not say where to send ${digest}`);
    const path = new URL(at, begun.value.url);
    path.searchParams.set('digest', digest);
    const contentType = 'application/octet-stream';
    const sent = await this.#requester.ask({
      ...asked,
      method: 'PUT',
      path,
      body: bytes,
      contentType,
      passes: [201, 204],
    });
    return sent.kind === 'ok' ? undefined : sent;
  }

  async #pushManifest(
    doing: Doing,
    { tag }: Target,
    content: Readonly<Record<string, unknown>> & { readonly mediaType: string },
  ): Promise<Answer<Pushed>> {
    const body = Buffer.from(JSON.stringify(content));
    const digest = digestOfBytes(body);
    const path = `manifests/${tag ?? digest}`;
    const contentType = content.mediaType;
    const asked = { ...doing, what: digest, accept: '*/*', maxBytes: ANSWER_BYTES, method: 'PUT' } as const;
    const sent = await this.#requester.ask({ ...asked, path, body, contentType, passes: [201] });
    return sent.kind === 'ok' ? ok({ digest, mediaType: contentType, size: body.length }) : sent;
  }
}

function doingOf({ registry, repository }: Target, { keychain, whose, signal }: Asking): Doing {
  const inTime = AbortSignal.timeout(PUSH_MS);
  return {
    repository: { registry, repository },
    keychain,
    whose,
    signal: signal === undefined ? inTime : AbortSignal.any([signal, inTime]),
  };
}

function manifestOf({ artifactType, layers, annotations, subject }: Artifact) {
  return {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociManifest,
    artifactType,
    config: { mediaType: MEDIA_TYPES.empty, digest: digestOfBytes(EMPTY), size: EMPTY.length },
    layers: layers.map(({ mediaType, bytes }) => ({
      mediaType,
      digest: digestOfBytes(bytes),
      size: bytes.length,
    })),
    ...(subject !== undefined && { subject }),
    ...(annotations !== undefined && { annotations }),
  };
}

// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { BUNDLE_TYPE } from '#hack/sigstore/media-types';
import { pushImage } from './signing.ts';

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const INDEX = 'application/vnd.oci.image.index.v1+json';
const EMPTY = { mediaType: 'application/vnd.oci.empty.v1+json', bytes: Buffer.from('{}') };
const ACCEPT = [
  INDEX,
  MANIFEST,
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
].join(', ');

/** An image in a registry, by what it is. */
export interface ImageAt {
  readonly repository: string;
  readonly digest: string;
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** A manifest or an index, as far as it is read here. */
interface Content {
  readonly config?: Descriptor;
  readonly layers?: readonly Descriptor[];
  readonly manifests?: readonly Descriptor[];
}

interface Stored {
  readonly type: string;
  readonly bytes: Buffer;
}

/** What is in a registry, read and written by hand: so that what somebody signed gets where he never put it. */
export class RegistryContent {
  readonly host: string;

  constructor(host: string) {
    this.host = host;
  }

  /** Pushes an image that differs by its name. */
  async image(repository: string): Promise<ImageAt> {
    return { repository, digest: await pushImage(this.host, `${repository}:1`, repository) };
  }

  /** Pushes an index of images of a repository, for platforms one after the other. */
  async index(repository: string, digests: readonly string[]): Promise<ImageAt> {
    const platforms = ['amd64', 'arm64', 's390x'];
    const manifests = await Promise.all(
      digests.map(async (digest, number) => {
        const { type, bytes } = await this.#read(repository, digest);
        const platform = { os: 'linux', architecture: platforms[number] };
        return { mediaType: type, digest, size: bytes.length, platform };
      }),
    );
    const bytes = bytesOf({ schemaVersion: 2, mediaType: INDEX, manifests });
    return { repository, digest: await this.#put(repository, '1', { type: INDEX, bytes }) };
  }

  /** Copies an image, with what it lists and all that is attached to it, to another repository, where it has the tag `1`. */
  async copy({ repository, digest }: ImageAt, to: string): Promise<ImageAt> {
    const between = { from: repository, to };
    await this.#copyManifest(digest, between);
    await this.#put(to, '1', await this.#read(repository, digest));
    for (const suffix of ['', '.sig', '.att']) {
      const tag = `${digest.replace(':', '-')}${suffix}`;
      const found = await this.#find(repository, tag);
      if (found !== undefined) await this.#copyStored(found, { ...between, reference: tag });
    }
    return { repository: to, digest };
  }

  /** What is attached as bundles, in the order in which it was. */
  async bundles({ repository, digest }: ImageAt): Promise<readonly Buffer[]> {
    const list = await this.#find(repository, digest.replace(':', '-'));
    const { manifests = [] } = list === undefined ? {} : contentOf(list);
    return Promise.all(
      manifests.map(async (one) => {
        const { layers = [] } = contentOf(await this.#read(repository, one.digest));
        return this.#blob(repository, layers[0]?.digest ?? '');
      }),
    );
  }

  /** Attaches a bundle, whatever it says, as cosign does in a registry that does not list what refers to an image. */
  async attach({ repository, digest }: ImageAt, bundle: Buffer): Promise<void> {
    const subject = await this.#read(repository, digest);
    const layer = { mediaType: BUNDLE_TYPE, ...(await this.#putBlob(repository, bundle)) };
    const config = { mediaType: EMPTY.mediaType, ...(await this.#putBlob(repository, EMPTY.bytes)) };
    const bytes = bytesOf({
      schemaVersion: 2,
      mediaType: MANIFEST,
      artifactType: BUNDLE_TYPE,
      config,
      layers: [layer],
      subject: { mediaType: subject.type, digest, size: subject.bytes.length },
    });
    const referrer = await this.#put(repository, digestOf(bytes), { type: MANIFEST, bytes });
    const tag = digest.replace(':', '-');
    const list = await this.#find(repository, tag);
    const { manifests = [] } = list === undefined ? {} : contentOf(list);
    const entry = { mediaType: MANIFEST, artifactType: BUNDLE_TYPE, digest: referrer, size: bytes.length };
    const listed = bytesOf({ schemaVersion: 2, mediaType: INDEX, manifests: [...manifests, entry] });
    await this.#put(repository, tag, { type: INDEX, bytes: listed });
  }

  /** Takes away all bundles. */
  async detach({ repository, digest }: ImageAt): Promise<void> {
    const bytes = bytesOf({ schemaVersion: 2, mediaType: INDEX, manifests: [] });
    await this.#put(repository, digest.replace(':', '-'), { type: INDEX, bytes });
  }

  /** Puts a signature of the older form under another image, changed or not. */
  async movesOlder(from: ImageAt, to: ImageAt, change = (text: string): string => text): Promise<void> {
    const { type, bytes } = await this.#read(from.repository, `${from.digest.replace(':', '-')}.sig`);
    await this.#copyStored(
      { type, bytes: Buffer.from(change(bytes.toString('utf8'))) },
      { from: from.repository, to: to.repository, reference: `${to.digest.replace(':', '-')}.sig` },
    );
  }

  async #copyManifest(digest: string, between: Between): Promise<void> {
    const stored = await this.#read(between.from, digest);
    await this.#copyStored(stored, { ...between, reference: digest });
  }

  async #copyStored(
    stored: Stored,
    { reference, ...between }: Between & { reference: string },
  ): Promise<void> {
    const { config, layers = [], manifests = [] } = contentOf(stored);
    for (const { digest } of manifests) await this.#copyManifest(digest, between);
    for (const { digest } of [...(config ? [config] : []), ...layers]) await this.#mount(digest, between);
    await this.#put(between.to, reference, stored);
  }

  async #mount(digest: string, { from, to }: Between): Promise<void> {
    if (from === to) return;
    await this.#asks('POST', `${to}/blobs/uploads/?mount=${digest}&from=${from}`, { wanted: 201 });
  }

  async #read(repository: string, reference: string): Promise<Stored> {
    const found = await this.#find(repository, reference);
    if (found === undefined) throw new Error(`there is no ${repository} ${reference}`);
    return found;
  }

  async #find(repository: string, reference: string): Promise<Stored | undefined> {
    const response = await fetch(`http://${this.host}/v2/${repository}/manifests/${reference}`, {
      headers: { accept: ACCEPT },
    });
    const bytes = Buffer.from(await response.arrayBuffer());
    if (response.status === 404) return undefined;
    if (response.status !== 200)
      throw new Error(`${repository} ${reference}: ${response.status} ${bytes.toString('utf8')}`);
    return { type: response.headers.get('content-type') ?? MANIFEST, bytes };
  }

  async #blob(repository: string, digest: string): Promise<Buffer> {
    const response = await this.#asks('GET', `${repository}/blobs/${digest}`, { wanted: 200 });
    return Buffer.from(await response.arrayBuffer());
  }

  async #put(repository: string, reference: string, { type, bytes }: Stored): Promise<string> {
    const sent = { wanted: 201, body: bytes, type };
    await this.#asks('PUT', `${repository}/manifests/${reference}`, sent);
    return digestOf(bytes);
  }

  async #putBlob(repository: string, bytes: Buffer): Promise<{ digest: string; size: number }> {
    const begun = await this.#asks('POST', `${repository}/blobs/uploads/`, { wanted: 202 });
    const place = new URL(begun.headers.get('location') ?? '', `http://${this.host}`);
    place.searchParams.set('digest', digestOf(bytes));
    const sent = { wanted: 201, body: bytes, type: 'application/octet-stream' };
    await this.#asks('PUT', place.href, sent);
    return { digest: digestOf(bytes), size: bytes.length };
  }

  async #asks(
    method: string,
    path: string,
    { wanted, body, type }: { readonly wanted: number; readonly body?: Buffer; readonly type?: string },
  ): Promise<Response> {
    const response = await fetch(new URL(path, `http://${this.host}/v2/`), {
      method,
      ...(body !== undefined && { body: new Uint8Array(body) }),
      ...(type !== undefined && { headers: { 'content-type': type } }),
    });
    if (response.status === wanted) return response;
    throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  }
}

interface Between {
  readonly from: string;
  readonly to: string;
}

function contentOf({ bytes }: Stored): Content {
  return JSON.parse(bytes.toString('utf8')) as Content;
}

function bytesOf(content: object): Buffer {
  return Buffer.from(JSON.stringify(content));
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

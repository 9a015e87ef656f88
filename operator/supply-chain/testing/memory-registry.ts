// SPDX-License-Identifier: Apache-2.0
import { createHash, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Evidence, Gathered } from '../evidence.ts';

const INDEX = 'application/vnd.oci.image.index.v1+json';
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const CONFIG = 'application/vnd.oci.image.config.v1+json';

/** As registries say it: a 404 of anybody else is not believed. */
const UNKNOWN = Buffer.from('{"errors":[{"code":"MANIFEST_UNKNOWN","message":"no"}]}');

interface Stored {
  readonly type: string;
  readonly bytes: Buffer;
}

interface Descriptor {
  readonly digest: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** A registry in memory that the real cosign pushes to: what it wrote is read here without fetching it. */
export class MemoryRegistry {
  readonly #blobs = new Map<string, Buffer>();
  readonly #manifests = new Map<string, Stored>();
  readonly #uploads = new Map<string, Buffer>();
  readonly #server = createServer((request, response) => void this.#answer(request, response));

  /** Begins to listen on loopback. */
  async start(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#server.listen(0, '127.0.0.1', resolve);
    });
  }

  /** Ends, with all connections. */
  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => {
      this.#server.close(resolve);
    });
  }

  /** host:port. */
  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Stores an image that differs by its seed; its digest. */
  image(seed: string): string {
    const config = this.#blob(Buffer.from(JSON.stringify({ os: 'linux', architecture: 'amd64', seed })));
    const layer = this.#blob(Buffer.from(`layer of ${seed}`));
    return this.#manifest(MANIFEST, {
      config: { mediaType: CONFIG, ...config },
      layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', ...layer }],
    });
  }

  /** Stores an index of images, or of indexes of them; its digest. */
  index(images: readonly string[], annotations: Readonly<Record<string, string>> = {}): string {
    const manifests = images.map((digest, number) => ({
      mediaType: this.#manifests.get(digest)?.type ?? MANIFEST,
      digest,
      size: this.#manifests.get(digest)?.bytes.length ?? 0,
      platform: { os: 'linux', architecture: ['amd64', 'arm64'][number] ?? `variant${number}` },
    }));
    return this.#manifest(INDEX, { manifests, annotations });
  }

  /** All that is attached to an image, in both forms of cosign. */
  gathered(digest: string): Gathered {
    const tagged = (suffix: string): readonly Evidence[] => {
      const stored = this.#manifests.get(`${digest.replace(':', '-')}.${suffix}`);
      return stored === undefined ? [] : this.#layers(stored, suffix === 'sig' ? 'signature' : 'attestation');
    };
    const bundles = this.#referrers(digest).flatMap((one) => this.#layers(one, 'bundle'));
    return {
      subject: this.#manifests.get(digest)?.bytes ?? Buffer.alloc(0),
      evidence: [...bundles, ...tagged('sig'), ...tagged('att')],
    };
  }

  #layers(stored: Stored, form: Evidence['form']): readonly Evidence[] {
    const { layers } = JSON.parse(stored.bytes.toString()) as { layers: readonly Descriptor[] };
    return layers.map((layer) => ({
      form,
      origin: digestOf(stored.bytes),
      bytes: this.#blobs.get(layer.digest) ?? Buffer.alloc(0),
      annotations: layer.annotations ?? {},
    }));
  }

  #referrers(digest: string): readonly Stored[] {
    return [...this.#manifests].flatMap(([name, stored]) => {
      if (!name.startsWith('sha256:')) return [];
      const { subject } = JSON.parse(stored.bytes.toString()) as { subject?: Descriptor };
      return subject?.digest === digest ? [stored] : [];
    });
  }

  #blob(bytes: Buffer): { digest: string; size: number } {
    const digest = digestOf(bytes);
    this.#blobs.set(digest, bytes);
    return { digest, size: bytes.length };
  }

  #manifest(type: string, content: object): string {
    const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: type, ...content }));
    this.#manifests.set(digestOf(bytes), { type, bytes });
    return digestOf(bytes);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://registry');
    const { kind, name } = routeOf(url.pathname);
    const body = await bodyOf(request);
    const reply = replyTo(request, response);
    if (url.pathname === '/v2/') return reply(200, {});
    if (kind === 'blobs/uploads') return this.#upload({ request, url, name, body }, reply);
    if (kind === 'referrers') return reply(200, { 'content-type': INDEX }, this.#listing(name));
    if (request.method === 'PUT')
      return this.#put(name, { type: request.headers['content-type'] ?? MANIFEST, bytes: body }, reply);
    const found = kind === 'manifests' ? this.#manifests.get(name) : this.#found(name);
    // In the words of registries: another 404 could be that of whatever stands in between.
    if (found === undefined) return reply(404, { 'content-type': 'application/json' }, UNKNOWN);
    reply(200, { 'content-type': found.type, 'docker-content-digest': digestOf(found.bytes) }, found.bytes);
  }

  #put(name: string, stored: Stored, reply: Reply): void {
    const digest = digestOf(stored.bytes);
    this.#manifests.set(digest, stored);
    this.#manifests.set(name, stored);
    reply(201, { 'docker-content-digest': digest, 'oci-subject': 'yes' });
  }

  #found(digest: string): Stored | undefined {
    const bytes = this.#blobs.get(digest);
    return bytes === undefined ? undefined : { type: 'application/octet-stream', bytes };
  }

  #upload(asked: { request: IncomingMessage; url: URL; name: string; body: Buffer }, reply: Reply): void {
    const id = asked.name === '' ? randomUUID() : asked.name;
    const whole = Buffer.concat([this.#uploads.get(id) ?? Buffer.alloc(0), asked.body]);
    const digest = asked.url.searchParams.get('digest');
    const location = `${asked.url.pathname.replace(/\/uploads\/.*$/, '')}/uploads/${id}`;
    if (asked.request.method === 'PUT' && digest !== null) {
      this.#blobs.set(digest, whole);
      return reply(201, { location, 'docker-content-digest': digest });
    }
    this.#uploads.set(id, whole);
    reply(202, { location, range: `0-${Math.max(0, whole.length - 1)}` });
  }

  #listing(digest: string): Buffer {
    const manifests = this.#referrers(digest).map(({ type, bytes }) => {
      const { artifactType, annotations } = JSON.parse(bytes.toString()) as Record<string, unknown>;
      return { mediaType: type, digest: digestOf(bytes), size: bytes.length, artifactType, annotations };
    });
    return Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests }));
  }
}

type Reply = (status: number, headers: Record<string, string>, bytes?: Buffer) => void;

function replyTo(request: IncomingMessage, response: ServerResponse): Reply {
  return (status, headers, bytes = Buffer.alloc(0)) => {
    response.writeHead(status, { 'content-length': String(bytes.length), ...headers });
    response.end(request.method === 'HEAD' ? undefined : bytes);
  };
}

function routeOf(path: string): { kind: string; name: string } {
  const [, kind = '', name = ''] = /\/(blobs\/uploads|manifests|blobs|referrers)\/?(.*)$/.exec(path) ?? [];
  return { kind, name };
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

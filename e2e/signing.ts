// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureTools } from '#hack/tools/build';
import { runProgram } from '#hack/tools/run-program';

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** Pushes an image with one small layer, so that `content` decides what it is; its digest. */
export async function pushImage(host: string, name: string, content: string): Promise<string> {
  const [repository = '', tag = 'latest'] = name.split(':');
  const base = `http://${host}/v2/${repository}`;
  const put = async (bytes: Buffer): Promise<{ digest: string; size: number }> => {
    const begun = await fetch(`${base}/blobs/uploads/`, { method: 'POST' });
    const place = new URL(begun.headers.get('location') ?? '', base);
    place.searchParams.set('digest', digestOf(bytes));
    const done = await fetch(place, {
      method: 'PUT',
      body: new Uint8Array(bytes),
      headers: { 'content-type': 'application/octet-stream' },
    });
    if (done.status !== 201) throw new Error(`${name}: ${done.status} ${await done.text()}`);
    return { digest: digestOf(bytes), size: bytes.length };
  };
  const type = 'application/vnd.oci.image.manifest.v1+json';
  const config = await put(Buffer.from(JSON.stringify({ os: 'linux', architecture: 'amd64', content })));
  const layer = await put(Buffer.from(content));
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: type,
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...config },
      layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', ...layer }],
    }),
  );
  const headers = { 'content-type': type };
  const put2 = await fetch(`${base}/manifests/${tag}`, {
    method: 'PUT',
    body: new Uint8Array(manifest),
    headers,
  });
  if (put2.status !== 201) throw new Error(`${name}: ${put2.status} ${await put2.text()}`);
  return digestOf(manifest);
}

/** Somebody with a key and the real cosign, without the internet. */
export class Signer {
  readonly #cosign: string;
  readonly #folder: string;
  /** The public key, in PEM. */
  readonly pem: string;

  private constructor(cosign: string, folder: string, pem: string) {
    this.#cosign = cosign;
    this.#folder = folder;
    this.pem = pem;
  }

  /** With a key of its own. */
  static async create(): Promise<Signer> {
    const { cosign } = await ensureTools(['cosign']);
    const folder = await mkdtemp(join(tmpdir(), `nexusos-signer-${process.pid}-`));
    const signer = new Signer(cosign, folder, '');
    await signer.#run('generate-key-pair', '--output-key-prefix', join(folder, 'key'));
    return new Signer(cosign, folder, await readFile(join(folder, 'key.pub'), 'utf8'));
  }

  /** Signs an image, by its digest. */
  async sign(host: string, repository: string, digest: string): Promise<void> {
    const offline = ['--new-bundle-format=false', '--use-signing-config=false', '--tlog-upload=false'];
    const key = join(this.#folder, 'key.key');
    await this.#run('sign', '--yes', '--key', key, ...offline, `${host}/${repository}@${digest}`);
  }

  /** States something of an image, by its digest: `type` is a name that cosign knows, or a predicate type. */
  async attest(image: string, type: string, predicate: object): Promise<void> {
    const path = join(this.#folder, 'predicate.json');
    await writeFile(path, JSON.stringify(predicate));
    const offline = ['--new-bundle-format=false', '--use-signing-config=false', '--tlog-upload=false'];
    const stated = ['--type', type, '--predicate', path];
    await this.#run('attest', '--yes', '--key', join(this.#folder, 'key.key'), ...stated, ...offline, image);
  }

  /** Removes its key. */
  async remove(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #run(...args: readonly string[]): Promise<void> {
    const env = {
      PATH: process.env['PATH'] ?? '',
      HOME: this.#folder,
      COSIGN_PASSWORD: '',
      HTTPS_PROXY: 'http://127.0.0.1:9',
    };
    const ran = await runProgram(this.#cosign, { args, cwd: this.#folder, env });
    if (ran.code !== 0) throw new Error(`cosign ${args.join(' ')}: ${ran.stderr}`);
  }
}

// SPDX-License-Identifier: Apache-2.0
import { createHash, createPublicKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Cosign, type CosignOutcome } from '#hack/sigstore/cosign';
import { signedBy } from '#hack/sigstore/late-signature';
import { ISSUER, type PrivateSigstore, startSigstore, tokenOf } from '#hack/sigstore/private-sigstore';
import { type ImageAt, RegistryContent } from './registry-content.ts';

export {
  cycloneDx,
  cycloneDxVex,
  cycloneDxXml,
  openVex,
  provenance,
  report,
  spdx,
} from '#hack/sigstore/predicates';
export { ISSUER };

/** Who signs without a key. */
export const CI = 'https://ci.example/builds/main';
const DAY_MS = 86_400_000;
const KEYS = ['builder', 'scanner', 'analyst', 'stranger'] as const;

/** Who has a key. */
export type KeyName = (typeof KEYS)[number];
/** Roots that are trusted: the right one, one with another's part in place of its own, and one whose certificates had run out. */
export type RootName = 'private' | 'late' | 'authorities' | 'certificate-logs' | 'logs' | 'timestamps';

/** Which part of a root is another's. */
const PARTS = {
  authorities: 'certificateAuthorities',
  'certificate-logs': 'ctlogs',
  logs: 'tlogs',
  timestamps: 'timestampAuthorities',
} as const;

interface Key {
  readonly privatePath: string;
  readonly publicPath: string;
  readonly pem: string;
}

/**
 * Those who sign, with the real cosign and without the internet: with keys, and without by a certificate authority, logs and a timestamp
 * authority of their own.
 */
export class ImageSigner {
  readonly content: RegistryContent;
  readonly #cosign: Cosign;
  readonly #sigstore: PrivateSigstore;
  readonly #late: PrivateSigstore;
  readonly #keys = new Map<KeyName, Key>();
  readonly #files = new Map<string, string>();
  readonly #turns = new Turns(3);

  private constructor(host: string, cosign: Cosign, instances: readonly [PrivateSigstore, PrivateSigstore]) {
    this.content = new RegistryContent(host);
    this.#cosign = cosign;
    [this.#sigstore, this.#late] = instances;
  }

  /** Starts all of it, for a registry. */
  static async start(host: string): Promise<ImageSigner> {
    const yesterday = new Date(Date.now() - DAY_MS);
    const instances = await Promise.all([startSigstore(), startSigstore(yesterday)]);
    const signer = new ImageSigner(host, await Cosign.create(), instances);
    await signer.#writeFiles();
    await Promise.all(KEYS.map((name) => signer.#makeKey(name)));
    return signer;
  }

  /** Ends it, and removes all that it wrote. */
  async stop(): Promise<void> {
    await Promise.all([this.#cosign.remove(), this.#sigstore.stop(), this.#late.stop()]);
  }

  /** A public key, in PEM. */
  pem(name: KeyName): string {
    return this.#key(name).pem;
  }

  /** The path of a public key. */
  publicPath(name: KeyName): string {
    return this.#key(name).publicPath;
  }

  /** SHA-256 of the DER form of a public key, in hex. */
  fingerprint(name: KeyName): string {
    const der = createPublicKey(this.pem(name)).export({ type: 'spki', format: 'der' });
    return createHash('sha256').update(der).digest('hex');
  }

  /** A `trusted_root.json`. */
  root(name: RootName): string {
    const own = this.#sigstore.trustedRoot;
    if (name === 'private') return JSON.stringify(own);
    if (name === 'late') return JSON.stringify(this.#late.trustedRoot);
    return JSON.stringify({ ...own, [PARTS[name]]: this.#late.trustedRoot[PARTS[name]] });
  }

  /** The path of a `trusted_root.json`. */
  rootPath(name: RootName): string {
    return this.#file(name);
  }

  /** Signs by a key, in the form of today. */
  async sign(image: ImageAt, name: KeyName): Promise<void> {
    await this.#run('sign', '--yes', ...this.#byKey(name), this.reference(image));
  }

  /** Signs by a key, in the older form. */
  async signOlder(image: ImageAt, name: KeyName): Promise<void> {
    const older = ['--new-bundle-format=false', '--use-signing-config=false', '--tlog-upload=false'];
    const key = ['--key', this.#key(name).privatePath];
    await this.#run('sign', '--yes', ...key, ...older, this.reference(image));
  }

  /** Signs without a key, with a log entry, a timestamp, or both. */
  async signKeyless(image: ImageAt, services: 'both' | 'rekor' | 'tsa' = 'both'): Promise<void> {
    const trust = ['--signing-config', this.#file(services), '--trusted-root', this.#file('private')];
    const token = ['--identity-token', tokenOf(CI)];
    await this.#run('sign', '--yes', ...token, ...trust, this.reference(image));
  }

  /** Signs with a certificate that had run out by then: cosign itself does not. */
  async signLate(image: ImageAt): Promise<void> {
    const { bytes } = await signedBy(this.#late.url, CI, image.digest);
    await this.content.attach(image, Buffer.from(bytes));
  }

  /** States something by a key; `type` is a name that cosign knows. */
  async attest(
    image: ImageAt,
    name: KeyName,
    stated: { type: string; predicate: object | string },
  ): Promise<void> {
    const { predicate } = stated;
    const text = typeof predicate === 'string' ? predicate : JSON.stringify(predicate);
    const file = `${createHash('sha256').update(text).digest('hex')}.json`;
    const what = ['--type', stated.type, '--predicate', await this.#cosign.write(file, text)];
    await this.#run('attest', '--yes', ...this.#byKey(name), ...what, this.reference(image));
  }

  /** What cosign itself says of an image. */
  asks(image: ImageAt, args: readonly string[]): Promise<CosignOutcome> {
    return this.#turns.of(() => this.#cosign.try(...args, this.reference(image)));
  }

  /** How tools name an image. */
  reference({ repository, digest }: ImageAt): string {
    return `${this.content.host}/${repository}@${digest}`;
  }

  #run(...args: readonly string[]): Promise<string> {
    return this.#turns.of(() => this.#cosign.run(...args));
  }

  async #writeFiles(): Promise<void> {
    const configs = {
      both: this.#sigstore.signingConfig(['rekor', 'tsa']),
      rekor: this.#sigstore.signingConfig(['rekor']),
      tsa: this.#sigstore.signingConfig(['tsa']),
      none: { ...this.#sigstore.signingConfig([]), caUrls: [] },
    };
    const roots = (['private', 'late', ...Object.keys(PARTS)] as RootName[]).map(
      (name) => [name, this.root(name)] as const,
    );
    for (const [name, content] of [...Object.entries(configs), ...roots]) {
      this.#files.set(name, await this.#cosign.write(`${name}.json`, content));
    }
  }

  async #makeKey(name: KeyName): Promise<void> {
    const paths = await this.#cosign.keys(name);
    this.#keys.set(name, { ...paths, pem: await readFile(paths.publicPath, 'utf8') });
  }

  #byKey(name: KeyName): readonly string[] {
    return ['--key', this.#key(name).privatePath, '--signing-config', this.#file('none')];
  }

  #key(name: KeyName): Key {
    const found = this.#keys.get(name);
    if (found === undefined) throw new Error(`no key ${name}`);
    return found;
  }

  #file(name: string): string {
    const found = this.#files.get(name);
    if (found === undefined) throw new Error(`no file ${name}`);
    return found;
  }
}

/** Does so much at a time: one cosign wants a processor of its own. */
class Turns {
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(atOnce: number) {
    this.#free = atOnce;
  }

  async of<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free === 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#free -= 1;
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Cosign } from '#hack/sigstore/cosign';
import { ISSUER, type PrivateSigstore, startSigstore, tokenOf } from '#hack/sigstore/private-sigstore';
import type { ReadyAuthority } from '../authority.ts';
import type { EvidenceSource, Gathered } from '../evidence.ts';
import { exactly } from '../identity.ts';
import { isTrustedKey, readPublicKey, type TrustedKey } from '../keys.ts';
import type { ReadyPolicy } from '../policy.ts';
import { isTrustRoot, readTrustRoot, type TrustRoot } from '../trust-root.ts';
import { MemoryRegistry } from './memory-registry.ts';

/** Who signs without a key in the tests. */
export const CI = 'https://ci.example/builds/main';

/** Key pairs of the tests: who they belong to. */
export type KeyName = 'builder' | 'scanner' | 'analyst' | 'stranger';

/** A registry, the real cosign, and a Sigstore instance of one's own. */
export class SignedWorld {
  readonly cosign: Cosign;
  readonly registry = new MemoryRegistry();
  readonly sigstore: PrivateSigstore;
  readonly #keys = new Map<KeyName, { privatePath: string; key: TrustedKey; publicPath: string }>();
  readonly #files = new Map<string, string>();

  private constructor(cosign: Cosign, sigstore: PrivateSigstore) {
    this.cosign = cosign;
    this.sigstore = sigstore;
  }

  /** Starts all of it. */
  static async start(issuedAt?: Date): Promise<SignedWorld> {
    const world = new SignedWorld(await Cosign.create(), await startSigstore(issuedAt));
    await world.registry.start();
    const { sigstore } = world;
    const files = {
      root: sigstore.trustedRoot,
      both: sigstore.signingConfig(['rekor', 'tsa']),
      rekor: sigstore.signingConfig(['rekor']),
      tsa: sigstore.signingConfig(['tsa']),
      none: { ...sigstore.signingConfig([]), caUrls: [] },
    };
    for (const [name, content] of Object.entries(files)) {
      world.#files.set(name, await world.cosign.write(`${name}.json`, content));
    }
    for (const name of ['builder', 'scanner', 'analyst', 'stranger'] as const) {
      const paths = await world.cosign.keys(name);
      const key = readPublicKey(await readFile(paths.publicPath, 'utf8'));
      if (!isTrustedKey(key)) throw new Error(key.found);
      world.#keys.set(name, { ...paths, key });
    }
    return world;
  }

  /** Ends all of it. */
  async stop(): Promise<void> {
    await Promise.all([this.cosign.remove(), this.registry.stop(), this.sigstore.stop()]);
  }

  /** How tools name an image. */
  reference(image: string): string {
    return `${this.registry.host}/app@${image}`;
  }

  /** The path of a public key. */
  publicPath(name: KeyName): string {
    return this.#key(name).publicPath;
  }

  /** Signs by a key, in the form of today. */
  async sign(image: string, name: KeyName): Promise<void> {
    await this.cosign.run('sign', '--yes', ...this.#byKey(name), this.reference(image));
  }

  /** Signs by a key, in the older form. */
  async signClassic(image: string, name: KeyName): Promise<void> {
    const older = ['--new-bundle-format=false', '--use-signing-config=false', '--tlog-upload=false'];
    const { privatePath } = this.#key(name);
    await this.cosign.run('sign', '--yes', '--key', privatePath, ...older, this.reference(image));
  }

  /** Signs without a key, with a log entry, a timestamp, or both. */
  async signKeyless(image: string, services: 'both' | 'rekor' | 'tsa' = 'both'): Promise<void> {
    const trust = ['--signing-config', this.#file(services), '--trusted-root', this.#file('root')];
    await this.cosign.run('sign', '--yes', '--identity-token', tokenOf(CI), ...trust, this.reference(image));
  }

  /** States something by a key. */
  async attest(
    image: string,
    name: KeyName,
    { type, predicate }: { type: string; predicate: object | string },
  ): Promise<void> {
    const text = typeof predicate === 'string' ? predicate : JSON.stringify(predicate);
    const path = await this.cosign.write(`${createHash('sha256').update(text).digest('hex')}.json`, text);
    const stated = ['--type', type, '--predicate', path];
    await this.cosign.run('attest', '--yes', ...this.#byKey(name), ...stated, this.reference(image));
  }

  /** All that is attached, as a policy is given it; `change` spoils it first. */
  source(change: (gathered: Gathered) => Gathered = (gathered) => gathered): EvidenceSource {
    return { gather: (digest) => Promise.resolve(change(this.registry.gathered(digest))) };
  }

  /** An authority of one key. */
  byKey(name: KeyName): ReadyAuthority {
    const { key } = this.#key(name);
    return { name, signer: { kind: 'keys', keys: [key] }, log: 'Ignored', time: 'Observer' };
  }

  /** The fingerprint of a key. */
  fingerprint(name: KeyName): string {
    return this.#key(name).key.fingerprint;
  }

  /** The authority that signs without a key. */
  keyless(change: Partial<ReadyAuthority> = {}): ReadyAuthority {
    const identities = [{ issuer: exactly(ISSUER), subject: exactly(CI) }];
    const signer = { kind: 'certificates', identities, certificateLog: 'Required' } as const;
    return {
      name: 'ci',
      signer,
      root: rootOf(this.sigstore.trustedRoot),
      log: 'Required',
      time: 'Log',
      ...change,
    };
  }

  /** A policy that asks for nothing but what is given. */
  policy(given: Partial<ReadyPolicy>): ReadyPolicy {
    return {
      digest: 'sha256:policy',
      authorities: [this.byKey('builder'), this.byKey('scanner'), this.byKey('analyst')],
      requirement: { signatures: { from: ['builder'], threshold: 1 } },
      revoked: new Set(),
      waivers: [],
      platforms: 'Index',
      ...given,
    };
  }

  #byKey(name: KeyName): readonly string[] {
    return ['--key', this.#key(name).privatePath, '--signing-config', this.#file('none')];
  }

  #key(name: KeyName): { privatePath: string; key: TrustedKey; publicPath: string } {
    const found = this.#keys.get(name);
    if (found === undefined) throw new Error(`no key ${name}`);
    return found;
  }

  #file(name: string): string {
    return this.#files.get(name) ?? name;
  }
}

/** A trust root that is known to be good. */
export function rootOf(root: object): TrustRoot {
  const read = readTrustRoot(JSON.stringify(root));
  if (!isTrustRoot(read)) throw new Error(`${read.field}: ${read.found}`);
  return read;
}

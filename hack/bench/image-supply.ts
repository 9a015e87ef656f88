// SPDX-License-Identifier: Apache-2.0
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ImagePolicySpec } from '#crds/v1alpha1/image-policy';
import { ANONYMOUS } from '#operator/core/oci/credentials';
import { giveWay } from '#operator/image-verification/give-way';
import { ArtifactPusher } from '#operator/oci/push';
import { KeylessSigner } from '../sigstore/keyless-signer.ts';
import { BUNDLE_TYPE } from '../sigstore/media-types.ts';
import { ISSUER, type PrivateSigstore, startSigstore } from '../sigstore/private-sigstore.ts';
import { type RunningRegistry, startRegistry } from '../tools/registry-process.ts';
import { CountingProxy } from './counting-proxy.ts';
import { inParallel } from './statistics.ts';

const SIGNER = 'https://ci.example/builds/main';
const AT_ONCE = 8;
/** A tenth of the weight: what registries do is done on machines of their own, and is not to take the processor of who is measured. */
const REGISTRY_NICER_BY = 10;
const EMPTY = 'application/vnd.oci.empty.v1+json';

/** The repository that all images of a measurement are in. */
export const REPOSITORY = 'bench/app';
/** The name of the TrustRoot. */
export const ROOT = 'bench';

/** Images in the registry that many run, signed without keys by an instance of Sigstore of one's own. */
export class ImageSupply {
  readonly registry: RunningRegistry;
  /** In front of the registry. */
  readonly proxy: CountingProxy;
  readonly sigstore: PrivateSigstore;
  readonly #signer: KeylessSigner;
  readonly #pusher: ArtifactPusher;
  readonly #folder: string;

  private constructor(
    parts: Pick<ImageSupply, 'registry' | 'proxy' | 'sigstore'>,
    signer: KeylessSigner,
    folder: string,
  ) {
    this.registry = parts.registry;
    this.proxy = parts.proxy;
    this.sigstore = parts.sigstore;
    this.#signer = signer;
    this.#folder = folder;
    this.#pusher = new ArtifactPusher({
      registries: [{ host: this.registry.host, isPrivate: true, isPlainHttp: true }],
      limits: { perHost: AT_ONCE, perOwner: AT_ONCE },
    });
  }

  /** Starts all of it, without an image. */
  static async start(): Promise<ImageSupply> {
    const folder = await mkdtemp(join(tmpdir(), `nexusos-images-${process.pid}-`));
    const [registry, sigstore] = await Promise.all([
      startRegistry({ folder: join(folder, 'registry') }),
      startSigstore(),
    ]);
    giveWay(registry.pid, REGISTRY_NICER_BY);
    const proxy = new CountingProxy(registry.host);
    await proxy.start();
    const signer = await KeylessSigner.create(sigstore, SIGNER);
    return new ImageSupply({ registry, proxy, sigstore }, signer, folder);
  }

  /** Ends all of it. */
  async stop(): Promise<void> {
    await Promise.all([this.registry.stop(), this.proxy.stop(), this.sigstore.stop(), this.#pusher.close()]);
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** Pushes so many images, no two alike, each with a signature; their digests. */
  async images(names: readonly string[]): Promise<readonly string[]> {
    const digests = new Map<string, string>();
    await inParallel(names, AT_ONCE, async (name) => digests.set(name, await this.#image(name)));
    return names.map((name) => digests.get(name) ?? '');
  }

  /** What the operator, and the client of registries, are told of hosts. */
  get hosts() {
    return [this.registry.host, this.proxy.host].map((host) => ({
      host,
      isPrivate: true,
      isPlainHttp: true,
    }));
  }

  /** The policy that all of them keep. */
  get policy(): ImagePolicySpec {
    const identities = [{ issuer: ISSUER, subject: SIGNER }];
    return {
      images: [`${this.proxy.host}/*`, `${this.registry.host}/*`],
      enforcement: 'Enforce',
      unknown: 'Deny',
      maxAgeSeconds: 86_400,
      platforms: 'Index',
      authorities: [
        { name: 'ci', keyless: { identities, certificateLog: 'Required' }, trustRootRef: { name: ROOT } },
      ],
      require: { signatures: { from: ['ci'], threshold: 1 } },
    };
  }

  /** Arguments by which cosign verifies one of them. */
  async cosignArguments(): Promise<readonly string[]> {
    const path = join(this.#folder, 'trusted-root.json');
    await writeFile(path, JSON.stringify(this.sigstore.trustedRoot));
    const who = ['--certificate-identity', SIGNER, '--certificate-oidc-issuer', ISSUER];
    return ['verify', '--trusted-root', path, ...who, '--allow-http-registry'];
  }

  async #image(name: string): Promise<string> {
    const layers = [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', bytes: Buffer.from(name) }];
    const image = await this.#push(undefined, { artifactType: 'application/vnd.example.image', layers });
    const bytes = await this.#signer.bundleOf(image.digest);
    const bundle = { artifactType: BUNDLE_TYPE, layers: [{ mediaType: BUNDLE_TYPE, bytes }], subject: image };
    const attached = await this.#push(undefined, bundle);
    // The registry that many run has no list of what refers to what: who attaches something keeps it, in these words.
    const place = { registry: this.registry.host, repository: REPOSITORY };
    const tag = image.digest.replace(':', '-');
    const listed = await this.#pusher.pushIndex({ ...place, tag }, [{ ...attached, artifactType: EMPTY }], {
      keychain: ANONYMOUS,
    });
    if (listed.kind !== 'ok') throw new Error(JSON.stringify(listed));
    return image.digest;
  }

  async #push(tag: string | undefined, artifact: Parameters<ArtifactPusher['push']>[1]) {
    const place = { registry: this.registry.host, repository: REPOSITORY, tag };
    const answer = await this.#pusher.push(place, artifact, { keychain: ANONYMOUS });
    if (answer.kind !== 'ok') throw new Error(JSON.stringify(answer));
    return answer.value;
  }
}

// SPDX-License-Identifier: Apache-2.0
import type { Answer, Failure } from '../core/oci/answer.ts';
import type { Descriptor, Index, Manifest } from '../core/oci/manifest.ts';
import type { Repository } from '../core/oci/reference.ts';
import { LARGE } from '../core/supply-chain/documents.ts';
import type { NotKnown, Unknown } from '../core/supply-chain/judgement.ts';
import { SIMPLE_SIGNING } from '../core/supply-chain/statement.ts';
import type { Asking, Registry } from '../oci/client.ts';
import { type Evidence, type EvidenceSource, type Gathered, MAX_EVIDENCE } from './evidence.ts';

const BUNDLE = 'application/vnd.dev.sigstore.bundle';
const ENVELOPE = 'application/vnd.dsse.envelope.v1+json';
/** What a fallback index says of bundles: the type of their configuration. */
const EMPTY = 'application/vnd.oci.empty.v1+json';

/** All documents of one image together. */
export const MAX_EVIDENCE_BYTES = 64 << 20;

/** Where to look, and as whom. */
export interface RegistryPlace {
  readonly registry: Registry;
  readonly repository: Repository;
  /** Of the tenant whose image it is, and of nobody else. */
  readonly keychain: Asking['keychain'];
  /** Whose question it is: who asks slow registries holds up nobody else. */
  readonly whose?: string | undefined;
}

/** What is attached to images of a repository, in both forms of cosign: as referrers, and under tags. */
export function registryEvidence(place: RegistryPlace): EvidenceSource {
  return { gather: (digest, signal) => new Gathering(place, signal).gather(digest) };
}

/** One look at one image. What fails is kept: it may have been just what was looked for. */
class Gathering {
  readonly #place: RegistryPlace;
  readonly #asking: Asking;
  readonly #evidence: Evidence[] = [];
  #bytes = 0;
  #incomplete: NotKnown | undefined;

  constructor(place: RegistryPlace, signal: AbortSignal | undefined) {
    this.#place = place;
    this.#asking = { keychain: place.keychain, whose: place.whose, signal };
  }

  async gather(digest: string): Promise<Gathered | NotKnown> {
    const subject = await this.#manifest(digest);
    if (subject.kind !== 'ok') return notKnown(subject, 'ImageNotFound');
    await this.#addReferrers(digest);
    await this.#addTagged(digest, { suffix: 'sig', form: 'signature', mediaType: SIMPLE_SIGNING });
    await this.#addTagged(digest, { suffix: 'att', form: 'attestation', mediaType: ENVELOPE });
    return {
      subject: subject.value.bytes,
      evidence: this.#evidence,
      ...(this.#incomplete !== undefined && { incomplete: this.#incomplete }),
    };
  }

  #manifest(digest: string): Promise<Answer<Manifest | Index>> {
    return this.#place.registry.manifest(this.#place.repository, digest, this.#asking);
  }

  async #addReferrers(digest: string): Promise<void> {
    const listed = await this.#place.registry.referrers(this.#place.repository, digest, this.#asking);
    if (listed.kind !== 'ok') {
      // A registry without referrers says so with an empty list: that it has none is never an error.
      this.#missed(notKnown(listed, 'RegistryBroken'));
      return;
    }
    if (!listed.value.isComplete) this.#missedSome('the list of what refers to the image is cut');
    const bundles = listed.value.descriptors.filter(mayBeBundle);
    if (bundles.length > MAX_EVIDENCE) this.#missedSome(`${bundles.length} documents refer to the image`);
    for (const descriptor of bundles.slice(0, MAX_EVIDENCE)) await this.#addBundle(digest, descriptor);
  }

  async #addBundle(subject: string, { digest }: Descriptor): Promise<void> {
    const read = await this.#manifest(digest);
    if (read.kind !== 'ok') {
      this.#missed(notKnown(read, 'RegistryBroken'));
      return;
    }
    const manifest = read.value;
    if (manifest.kind !== 'manifest' || manifest.subject?.digest !== subject) return;
    if (!(manifest.artifactType ?? '').startsWith(BUNDLE)) return;
    for (const layer of manifest.layers.slice(0, 1))
      await this.#add({ form: 'bundle', origin: digest, layer });
  }

  async #addTagged(
    digest: string,
    { suffix, form, mediaType }: { suffix: string; form: Evidence['form']; mediaType: string },
  ): Promise<void> {
    const { registry, repository } = this.#place;
    const tag = `${digest.replace(':', '-')}.${suffix}`;
    const resolved = await registry.resolve({ ...repository, tag }, this.#asking);
    if (resolved.kind === 'absent') return;
    const read = resolved.kind === 'ok' ? await this.#manifest(resolved.value.digest) : resolved;
    if (read.kind !== 'ok') {
      this.#missed(notKnown(read, 'RegistryBroken'));
      return;
    }
    const layers = read.value.kind === 'manifest' ? read.value.layers : [];
    const signed = layers.filter((layer) => layer.mediaType === mediaType);
    if (signed.length > MAX_EVIDENCE) this.#missedSome(`${signed.length} signatures are under tag ${tag}`);
    for (const layer of signed.slice(0, MAX_EVIDENCE)) {
      await this.#add({ form, origin: read.value.digest, layer });
    }
  }

  async #add({
    form,
    origin,
    layer,
  }: {
    form: Evidence['form'];
    origin: string;
    layer: Descriptor;
  }): Promise<void> {
    if (this.#bytes + layer.size > MAX_EVIDENCE_BYTES) {
      this.#missedSome(`more than ${MAX_EVIDENCE_BYTES} bytes are attached to the image`);
      return;
    }
    const asking = { ...this.#asking, maxBytes: LARGE.maxBytes };
    const read = await this.#place.registry.blob(this.#place.repository, layer, asking);
    if (read.kind !== 'ok') {
      this.#missed(notKnown(read, 'RegistryBroken'));
      return;
    }
    this.#bytes += read.value.length;
    this.#evidence.push({ form, origin, bytes: read.value, annotations: layer.annotations });
  }

  #missed(problem: NotKnown): void {
    this.#incomplete ??= problem;
  }

  #missedSome(message: string): void {
    this.#missed({ kind: 'unknown', reason: 'TooMuchAttached', message });
  }
}

function mayBeBundle({ artifactType }: Descriptor): boolean {
  return artifactType === undefined || artifactType === EMPTY || artifactType.startsWith(BUNDLE);
}

const REASONS: Readonly<Record<Exclude<Failure['kind'], 'absent'>, Unknown>> = {
  refused: 'RegistryRefused',
  throttled: 'RegistryThrottled',
  unreachable: 'RegistryUnreachable',
  broken: 'RegistryBroken',
};

/** What a failure means; that something is not there means what it was looked for as. */
function notKnown(failure: Failure, absent: Unknown): NotKnown {
  const reason = failure.kind === 'absent' ? absent : REASONS[failure.kind];
  const retryAfterMs = 'retryAfterMs' in failure ? failure.retryAfterMs : undefined;
  return {
    kind: 'unknown',
    reason,
    message: failure.message,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  };
}

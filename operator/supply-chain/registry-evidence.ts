// SPDX-License-Identifier: Apache-2.0
import type { Answer, Failure } from '../core/oci/answer.ts';
import type { Descriptor, Index, Manifest } from '../core/oci/manifest.ts';
import type { Repository } from '../core/oci/reference.ts';
import { LARGE } from '../core/supply-chain/documents.ts';
import type { NotKnown, Unknown } from '../core/supply-chain/judgement.ts';
import { SIMPLE_SIGNING } from '../core/supply-chain/statement.ts';
import type { Asking, Registry } from '../oci/client.ts';
import { type Evidence, type EvidenceSource, type Gathered, MAX_EVIDENCE, type Room } from './evidence.ts';
import { sideBySide } from './side-by-side.ts';

const BUNDLE = 'application/vnd.dev.sigstore.bundle';
const ENVELOPE = 'application/vnd.dsse.envelope.v1+json';
/** What a fallback index says of bundles: the type of their configuration. */
const EMPTY = 'application/vnd.oci.empty.v1+json';

/** All documents of one image together. */
export const MAX_EVIDENCE_BYTES = 64 << 20;

/** Documents of one image that are asked for at the same time. */
const AT_ONCE = 4;

/** Where to look, and as whom. */
export interface RegistryPlace {
  readonly registry: Registry;
  readonly repository: Repository;
  /** Of the tenant whose image it is, and of nobody else. */
  readonly keychain: Asking['keychain'];
  /** Whose question it is: who asks slow registries holds up nobody else. */
  readonly whose?: string | undefined;
  /** Where what is fetched is held. Default: nobody counts it. */
  readonly room?: Room | undefined;
}

/** What is attached to images of a repository, in both forms of cosign: as referrers, and under tags. */
export function registryEvidence(place: RegistryPlace): EvidenceSource {
  return { gather: (digest, signal) => new Gathering(place, signal).gather(digest) };
}

/** A document that is attached, before it is fetched. */
interface Attached {
  readonly form: Evidence['form'];
  readonly origin: string;
  readonly layer: Descriptor;
}

/** Where the older form has what. */
interface Tagged {
  readonly suffix: 'sig' | 'att';
  readonly form: Evidence['form'];
  readonly mediaType: string;
}

/** What was found, in an order that does not depend on who answered first; with what could not be, which may have been just what was looked for. */
type Found<T> = readonly (T | NotKnown)[];

/** One look at one image. Registries may be far away: what does not wait for an answer is asked for side by side. */
class Gathering {
  readonly #place: RegistryPlace;
  readonly #asking: Asking;

  constructor(place: RegistryPlace, signal: AbortSignal | undefined) {
    this.#place = place;
    this.#asking = { keychain: place.keychain, whose: place.whose, signal };
  }

  async gather(digest: string): Promise<Gathered | NotKnown> {
    const subject = await this.#manifest(digest);
    if (subject.kind !== 'ok') return notKnown(subject, 'ImageNotFound');
    const { bytes } = subject.value;
    const full = await this.#place.room?.take(bytes.length);
    if (full !== undefined) return full;
    const found = await Promise.all([
      this.#referring(digest),
      this.#tagged(digest, { suffix: 'sig', form: 'signature', mediaType: SIMPLE_SIGNING }),
      this.#tagged(digest, { suffix: 'att', form: 'attestation', mediaType: ENVELOPE }),
    ]);
    const held = await this.#withRoom(found.flat());
    const read = await sideBySide(held, AT_ONCE, (one) => this.#read(one));
    const incomplete = read.find(isNotKnown);
    return {
      subject: bytes,
      evidence: read.filter((one): one is Evidence => !isNotKnown(one)),
      ...(incomplete !== undefined && { incomplete }),
    };
  }

  #manifest(digest: string): Promise<Answer<Manifest | Index>> {
    return this.#place.registry.manifest(this.#place.repository, digest, this.#asking);
  }

  async #referring(digest: string): Promise<Found<Attached>> {
    const listed = await this.#place.registry.referrers(this.#place.repository, digest, this.#asking);
    // A registry without referrers says so with an empty list: that it has none is never an error.
    if (listed.kind !== 'ok') return [notKnown(listed, 'RegistryBroken')];
    const { isComplete, descriptors } = listed.value;
    const bundles = descriptors.filter(mayBeBundle);
    const found = await sideBySide(bundles.slice(0, MAX_EVIDENCE), AT_ONCE, (one) =>
      this.#bundle(digest, one),
    );
    return [
      ...(isComplete ? [] : [tooMuch('the list of what refers to the image is cut')]),
      ...(bundles.length > MAX_EVIDENCE ? [tooMuch(`${bundles.length} documents refer to the image`)] : []),
      ...found.flat(),
    ];
  }

  async #bundle(subject: string, { digest }: Descriptor): Promise<Found<Attached>> {
    const read = await this.#manifest(digest);
    if (read.kind !== 'ok') return [notKnown(read, 'RegistryBroken')];
    const manifest = read.value;
    if (manifest.kind !== 'manifest' || manifest.subject?.digest !== subject) return [];
    if (!(manifest.artifactType ?? '').startsWith(BUNDLE)) return [];
    return manifest.layers.slice(0, 1).map((layer) => ({ form: 'bundle', origin: digest, layer }));
  }

  async #tagged(digest: string, { suffix, form, mediaType }: Tagged): Promise<Found<Attached>> {
    const { registry, repository } = this.#place;
    const tag = `${digest.replace(':', '-')}.${suffix}`;
    // Mostly there is none: to ask what it stands for first would be a question more.
    const read = await registry.tagged(repository, tag, this.#asking);
    if (read.kind === 'absent') return [];
    if (read.kind !== 'ok') return [notKnown(read, 'RegistryBroken')];
    const { value } = read;
    const layers = value.kind === 'manifest' ? value.layers : [];
    const signed = layers.filter((layer) => layer.mediaType === mediaType);
    return [
      ...(signed.length > MAX_EVIDENCE ? [tooMuch(`${signed.length} signatures are under tag ${tag}`)] : []),
      ...signed.slice(0, MAX_EVIDENCE).map((layer) => ({ form, origin: value.digest, layer })),
    ];
  }

  /** One after the other, so that what is left out does not depend on who answered first either. */
  async #withRoom(found: Found<Attached>): Promise<Found<Attached>> {
    const held: (Attached | NotKnown)[] = [];
    let bytes = 0;
    for (const one of found) {
      const problem = isNotKnown(one) ? one : await this.#problemOf(one, bytes);
      held.push(problem ?? one);
      // Whoever waited for room as long as there was time has none left to read the rest.
      if (problem?.reason === 'EvidenceIncomplete') break;
      if (problem === undefined && !isNotKnown(one)) bytes += one.layer.size;
    }
    return held;
  }

  async #problemOf({ layer: { size } }: Attached, held: number): Promise<NotKnown | undefined> {
    if (held + size <= MAX_EVIDENCE_BYTES) return this.#place.room?.take(size);
    return tooMuch(`more than ${MAX_EVIDENCE_BYTES} bytes are attached to the image`);
  }

  async #read(one: Attached | NotKnown): Promise<Evidence | NotKnown> {
    if (isNotKnown(one)) return one;
    const { form, origin, layer } = one;
    const asking = { ...this.#asking, maxBytes: LARGE.maxBytes };
    const read = await this.#place.registry.blob(this.#place.repository, layer, asking);
    if (read.kind !== 'ok') return notKnown(read, 'RegistryBroken');
    return { form, origin, bytes: read.value, annotations: layer.annotations };
  }
}

function isNotKnown(one: object): one is NotKnown {
  return 'kind' in one;
}

function tooMuch(message: string): NotKnown {
  return { kind: 'unknown', reason: 'TooMuchAttached', message };
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
export function notKnown(failure: Failure, absent: Unknown): NotKnown {
  const reason = failure.kind === 'absent' ? absent : REASONS[failure.kind];
  const retryAfterMs = 'retryAfterMs' in failure ? failure.retryAfterMs : undefined;
  return {
    kind: 'unknown',
    reason,
    message: failure.message,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  };
}

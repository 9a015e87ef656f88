// SPDX-License-Identifier: Apache-2.0
import type { ImageVerdictStatus } from '#crds/v1alpha1/image-verdict';
import type { KnownImages } from '#operator/core/images/admit';
import type { Proof } from '#operator/core/images/proof';
import { toldBy, withProof } from '#operator/core/images/several-names';
import { parseReference } from '#operator/core/oci/reference';
import type { KubeObject } from '#operator/core/object';
import { isTrustedKey, readPublicKey, type TrustedKey } from '#operator/supply-chain/keys';
import { openProof } from '#operator/supply-chain/signed-proof';

/** Keys of the operator at a time: the one that it signs with, and those before and after. */
const MAX_KEYS = 8;

interface Entry {
  readonly text: string;
  readonly proof: Proof | undefined;
}

/** What is known of one namespace. */
class Shelf implements KnownImages {
  /** By name of the object. */
  readonly entries = new Map<string, Entry>();
  readonly #byImage = new Map<string, Proof>();
  readonly #byDigest = new Map<string, readonly Proof[]>();

  proofOf(image: string): Proof | undefined {
    return this.#byImage.get(image);
  }

  proofsOfDigest(repository: string, digest: string): readonly Proof[] {
    return this.#byDigest.get(`${repository}@${digest}`) ?? [];
  }

  /** Takes in what is there now under a name, in place of what was. */
  put(name: string, entry: Entry | undefined): void {
    const before = this.entries.get(name)?.proof;
    const { proof } = entry ?? {};
    if (entry === undefined) this.entries.delete(name);
    else this.entries.set(name, entry);
    if (before !== undefined && !isRenewed(before, proof)) this.sort();
    else if (proof !== undefined) this.#add(proof);
  }

  /** Sorts what is there anew: of several proofs of one thing the latest counts. */
  sort(): void {
    this.#byImage.clear();
    this.#byDigest.clear();
    for (const { proof } of this.entries.values()) if (proof !== undefined) this.#add(proof);
  }

  #add(proof: Proof): void {
    keepLatest(this.#byImage, proof.image, proof);
    const read = parseReference(proof.image);
    if (read.kind === 'refused' || proof.digest === undefined) return;
    const { registry, repository } = read.reference;
    const key = `${registry}/${repository}@${proof.digest}`;
    this.#byDigest.set(key, withProof(this.#byDigest.get(key) ?? [], proof));
  }
}

/** Whether one proof is the other again: then it takes its place, and nothing else has to. One that tells less leaves room for what others tell. */
function isRenewed(before: Proof, proof: Proof | undefined): boolean {
  const isSame = before.image === proof?.image && before.digest === proof.digest;
  const isLater = isSame && Date.parse(before.verifiedAt) < Date.parse(proof.verifiedAt);
  return isLater && toldBy(proof) >= toldBy(before);
}

function keepLatest(proofs: Map<string, Proof>, key: string, proof: Proof): void {
  const before = proofs.get(key);
  if (before === undefined || Date.parse(before.verifiedAt) < Date.parse(proof.verifiedAt))
    proofs.set(key, proof);
}

const NOTHING: KnownImages = { proofOf: () => undefined, proofsOfDigest: () => [] };

/**
 * What the operator vouches for, by namespace. An object is believed for what is signed in it and for nothing else: who can
 * write one cannot say that an image is as asked, nor take what was said of one to another namespace.
 */
export class VerdictBook {
  readonly #shelves = new Map<string, Shelf>();
  #keys: readonly TrustedKey[] = [];

  /** What is known of a namespace. */
  in(namespace: string): KnownImages {
    return this.#shelves.get(namespace) ?? NOTHING;
  }

  /** Objects that are believed. */
  get size(): number {
    return this.#count(({ proof }) => proof !== undefined);
  }

  /** Objects that tell something which is not believed. */
  get untrusted(): number {
    return this.#count(({ text, proof }) => text !== '' && proof === undefined);
  }

  /** Public keys of the operator, as a ConfigMap has them; all that was told is looked at again. What is proved by that. */
  setKeys(configMap: KubeObject | undefined): readonly Proof[] {
    const data = (configMap?.['data'] ?? {}) as Readonly<Record<string, string>>;
    this.#keys = Object.values(data)
      .slice(0, MAX_KEYS)
      .map((pem) => readPublicKey(pem))
      .filter((read) => isTrustedKey(read));
    for (const [namespace, shelf] of this.#shelves) {
      for (const [name, { text }] of shelf.entries)
        shelf.entries.set(name, { text, proof: this.#open(text, namespace) });
      shelf.sort();
    }
    return [...this.#shelves.values()].flatMap(({ entries }) =>
      [...entries.values()].flatMap(({ proof }) => proof ?? []),
    );
  }

  /** Takes in an ImageVerdict as it is now; what was proved anew. */
  set(object: KubeObject): Proof | undefined {
    const { name, namespace = '' } = object.metadata;
    const text = (object['status'] as ImageVerdictStatus | undefined)?.proof ?? '';
    const shelf = this.#shelves.get(namespace) ?? new Shelf();
    this.#shelves.set(namespace, shelf);
    if (shelf.entries.get(name)?.text === text) return undefined;
    const proof = this.#open(text, namespace);
    shelf.put(name, { text, proof });
    return proof;
  }

  /** Forgets an ImageVerdict that is gone. */
  delete(namespace: string, name: string): void {
    const shelf = this.#shelves.get(namespace);
    shelf?.put(name, undefined);
    if (shelf?.entries.size === 0) this.#shelves.delete(namespace);
  }

  #open(text: string, namespace: string): Proof | undefined {
    if (text === '') return undefined;
    const opened = openProof(text, this.#keys);
    return opened.kind === 'verified' && opened.value.namespace === namespace ? opened.value : undefined;
  }

  #count(isOne: (entry: Entry) => boolean): number {
    return [...this.#shelves.values()].reduce(
      (sum, { entries }) => sum + [...entries.values()].filter(isOne).length,
      0,
    );
  }
}

// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { API_VERSION, LABELS, MANAGED_BY } from '#crds/v1alpha1/names';
import { POLICY_PACK } from '#crds/v1alpha1/policy-pack';
import { type PolicyBlob, POLICY_PACK_REVISION } from '#crds/v1alpha1/policy-pack-revision';
import { defined, type KubeObject } from '../object.ts';
import { type Removal, removalOf } from '../plan.ts';
import type { PolicyPack, PolicyPackRevision } from './pack.ts';
import { digestOf } from './source.ts';
import type { PackRequest, StoredBlob, VerifiedPack } from './verification.ts';

/** Key of the part of a module in a ConfigMap. */
export const PART = 'part';
/** What names of ConfigMaps begin with that modules are kept in. */
export const CHUNK_PREFIX = 'nexusos-policy-';
const NAME_DIGITS = 12;
const CHUNK_DIGITS = 24;

/** What a revision of a pack is called, and the digest that its name follows from. */
export interface RevisionName {
  readonly name: string;
  readonly digest: string;
  readonly sourceDigest: string;
}

/**
 * The revision that a pack comes to whose source has `sourceDigest`. It is of what people wrote, and not of what a compiler made of it: so the
 * name is the same in every cluster, and known before anything is compiled.
 */
export function revisionNameOf({ metadata, spec }: PolicyPack, sourceDigest: string): RevisionName {
  const { version, regoVersion, binding, parameters, inventory, facts, enforcement, input, evaluation } =
    spec;
  const kept = {
    version,
    regoVersion,
    binding,
    parameters,
    ...defined({ inventory, facts }),
    enforcement,
    input,
    evaluation,
  };
  const digest = digestOf({ ...kept, sourceDigest });
  const suffix = digest.slice('sha256:'.length, 'sha256:'.length + NAME_DIGITS);
  return { name: `${metadata.name}-${suffix}`, digest, sourceDigest };
}

/** Whether a revision is of this very pack, and not of a namesake that was there before. */
export function isRevisionOf({ spec }: PolicyPackRevision, { metadata }: PolicyPack): boolean {
  return spec.packRef.uid === metadata.uid && spec.packRef.name === metadata.name;
}

/** What a revision is kept in: its ConfigMaps in the namespace of the platform, and itself, to be made in this order. */
export function objectsOf(
  pack: PolicyPack,
  wanted: RevisionName,
  { verified, platformNamespace }: { readonly verified: VerifiedPack; readonly platformNamespace: string },
): readonly KubeObject[] {
  const { module, data } = verified;
  const chunks = [module, data]
    .filter((blob) => blob !== undefined)
    .flatMap(({ parts }) => parts)
    .map((part) => chunkOf(pack, part, platformNamespace));
  return [...chunks, revisionOf(pack, wanted, verified)];
}

/** What a revision would be, for who tries it before there is one. */
export function draftRevision({ pack, spec, key }: PackRequest, verified: VerifiedPack): KubeObject {
  const [namespace = '', name = ''] = pack.split('/');
  const { binding, parameters, facts, enforcement, input, evaluation } = spec;
  return {
    apiVersion: API_VERSION,
    kind: POLICY_PACK_REVISION.kind,
    metadata: { name: 'draft', namespace },
    spec: {
      entrypoints: verified.entrypoints,
      hasMutate: verified.hasMutate,
      packRef: { name, uid: '' },
      version: 'draft',
      digest: key,
      ...defined({ parameters, facts }),
      binding,
      enforcement,
      input,
      evaluation,
    },
  };
}

function revisionOf(pack: PolicyPack, wanted: RevisionName, verified: VerifiedPack): KubeObject {
  const { name, namespace, uid = '' } = pack.metadata;
  const { version, binding, parameters, inventory, facts, enforcement, input, evaluation } = pack.spec;
  const { module, data, entrypoints, builtins, floor, hasMutate, provenance, compiler } = verified;
  return {
    apiVersion: API_VERSION,
    kind: POLICY_PACK_REVISION.kind,
    metadata: {
      name: wanted.name,
      ...(namespace !== undefined && { namespace }),
      labels: { [LABELS.managedBy]: MANAGED_BY, [LABELS.pack]: name },
      ownerReferences: [
        // Not blocking: nobody who deletes the pack in the foreground should need a permission on finalizers.
        {
          apiVersion: API_VERSION,
          kind: POLICY_PACK.kind,
          name,
          uid,
          controller: true,
          blockOwnerDeletion: false,
        },
      ],
    },
    spec: {
      packRef: { name, uid },
      version,
      digest: wanted.digest,
      sourceDigest: wanted.sourceDigest,
      module: blobOf(pack, module),
      entrypoints,
      input,
      hasMutate,
      binding,
      enforcement,
      evaluation,
      provenance,
      ...defined({
        data: data && blobOf(pack, data),
        builtins,
        floor,
        parameters,
        inventory,
        facts,
        compiler,
      }),
    },
  };
}

function blobOf(pack: PolicyPack, { digest, size, parts }: StoredBlob): PolicyBlob {
  return { digest, size, chunks: parts.map((part) => chunkName(pack, part)) };
}

/** By what is in it: parts of two ways to compress the same are never mixed. And by the pack, so that no two have one in common. */
function chunkName({ metadata }: PolicyPack, part: string): string {
  const digest = createHash('sha256').update(`${metadata.uid}/${part}`).digest('hex');
  return `${CHUNK_PREFIX}${digest.slice(0, CHUNK_DIGITS)}`;
}

/**
 * Without the label of what is managed: stores hold all that has it, and nobody needs this in a store. No owner, since that is in
 * another namespace.
 */
function chunkOf(pack: PolicyPack, part: string, namespace: string): KubeObject {
  const { name, uid = '' } = pack.metadata;
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: chunkName(pack, part),
      namespace,
      labels: { [LABELS.pack]: name, [LABELS.packUid]: uid },
    },
    immutable: true,
    binaryData: { [PART]: part },
  };
}

/** Of revisions that were fetched, those that are not what the source names now, and the digest of what each was made of. */
export function strangersTo(
  { spec }: PolicyPack,
  revisions: readonly PolicyPackRevision[],
): ReadonlyMap<string, string> {
  const { oci, bundle } = spec.source;
  const named = (oci ?? bundle)?.digest;
  const fetched = revisions.filter(({ spec: { provenance } }) => FETCHED.has(provenance));
  return new Map(
    fetched
      .filter(({ spec: { sourceDigest } }) => sourceDigest !== named)
      .map((one) => [one.metadata.name, one.spec.sourceDigest]),
  );
}

const FETCHED: ReadonlySet<PolicyPackRevision['spec']['provenance']> = new Set(['Bundle', 'Prebuilt']);

/** ConfigMaps that a revision is kept in. */
function chunksOf({ spec }: PolicyPackRevision): readonly string[] {
  return [...spec.module.chunks, ...(spec.data?.chunks ?? [])];
}

/** A revision that can be used: it is this pack's and of this digest, stays, and all that it is kept in is there. */
export function isWhole(
  pack: PolicyPack,
  revision: PolicyPackRevision,
  chunks: ReadonlySet<string>,
): boolean {
  return (
    isRevisionOf(revision, pack) &&
    revision.metadata.deletionTimestamp === undefined &&
    chunksOf(revision).every((one) => chunks.has(one))
  );
}

/** What there is of a pack. */
export interface Kept {
  readonly revisions: readonly PolicyPackRevision[];
  /** ConfigMaps that are marked as the pack's: metadata is enough. */
  readonly chunks: readonly KubeObject[];
}

/**
 * Revisions over the limit of the history, the oldest first, and ConfigMaps that none of the others is kept in. What `used` names stays
 * whatever the limit is. While a store does not know one of these, it may not know others either: then nothing goes.
 */
export function surplusOf(
  pack: PolicyPack,
  { revisions, chunks }: Kept,
  used: ReadonlySet<string>,
): readonly Removal[] {
  const own = revisions.filter((one) => isRevisionOf(one, pack));
  const known = new Set(own.map(({ metadata }) => metadata.name));
  if ([...used].some((name) => !known.has(name))) return [];
  const idle = own
    .filter(({ metadata }) => !used.has(metadata.name))
    .toSorted((a, b) => (ageOf(a) < ageOf(b) ? -1 : 1));
  const excess = idle.slice(0, Math.max(0, idle.length - pack.spec.revisionHistoryLimit));
  const needed = new Set(own.filter((one) => !excess.includes(one)).flatMap(chunksOf));
  const loose = chunks.filter(({ metadata }) => !needed.has(metadata.name));
  return [...excess.map(gone), ...loose.map(chunkGone)];
}

/** All that is kept of a pack which goes: what is in its own namespace goes with it. */
export function allChunksOf(chunks: readonly KubeObject[]): readonly Removal[] {
  return chunks.map(chunkGone);
}

/** Revisions of a namesake that was deleted without them: their names are in the way. */
export function leftoversOf(pack: PolicyPack, revisions: readonly PolicyPackRevision[]): readonly Removal[] {
  return revisions
    .filter((one) => one.spec.packRef.name === pack.metadata.name && !isRevisionOf(one, pack))
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .map(gone);
}

function gone(object: KubeObject): Removal {
  return { ...removalOf(object), propagation: 'Background' };
}

/** A store of metadata does not say of what kind it is. */
function chunkGone(chunk: KubeObject): Removal {
  return gone({ ...chunk, apiVersion: 'v1', kind: 'ConfigMap' });
}

/** Those of one second sort by name. */
function ageOf({ metadata }: KubeObject): string {
  return `${metadata.creationTimestamp ?? ''} ${metadata.name}`;
}

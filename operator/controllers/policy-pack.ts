// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import { FINALIZERS, LABELS, MANAGED_BY } from '#crds/v1alpha1/names';
import { POLICY_PACK, type PolicyPackStatus } from '#crds/v1alpha1/policy-pack';
import { numberFault, type PackAllowance, type TenantHoldings } from '../core/policy-pack/allowance.ts';
import type { KubeObject, Resource } from '../core/object.ts';
import {
  packKey,
  type PackPlace,
  type PolicyPack,
  type PolicyPackRevision,
} from '../core/policy-pack/pack.ts';
import {
  finalizePolicyPack,
  type PackObserved,
  planHeldUp,
  planPolicyPack,
  planRefused,
  type SourceSeen,
} from '../core/policy-pack/plan.ts';
import { isWhole, type Kept, type RevisionName, revisionNameOf } from '../core/policy-pack/revision.ts';
import { digestOf, readSource } from '../core/policy-pack/source.ts';
import type { PackVerifier, Verification } from '../core/policy-pack/verification.ts';
import { type ArtifactTrust, artifactName, artifactTrust } from '../core/policy-pack/artifact-trust.ts';
import { verdictName } from '../core/images/names.ts';
import type { BlastReports } from '../core/scan/world.ts';
import type { Ledger, PlatformSettings } from '../core/tenant/tenant.ts';
import { clock } from '../runtime/clock.ts';
import {
  type Controller,
  type IndexDeclaration,
  type Key,
  keyOf,
  parseKey,
  parseWith,
  type PolicyRule,
  type Reader,
  type Watch,
} from '../runtime/controller.ts';
import { seeBlast } from './shared/blast-reports.ts';
import { PolicyReplicas } from './shared/policy-replicas.ts';
import { floorsSeen, floorWatches } from './shared/policy-floors.ts';
import { exemptionWatch, WORLD_WATCHES } from './shared/policy-world.ts';
import type { ProvenImages } from './shared/proven-images.ts';
import { CONFIG_MAPS, POLICY_PACK_REVISIONS, POLICY_PACKS, QUOTA_LEDGERS } from '../core/resources.ts';
import { ledgerOf, namespacesOf } from './shared/workloads.ts';

const BY_PACK_UID = 'policy-chunks-of-pack';
const BY_CONFIG_MAP = 'policy-packs-of-config-map';

/** Indexes that the controller looks things up by. */
export const POLICY_PACK_INDEXES: readonly IndexDeclaration[] = [
  {
    resource: CONFIG_MAPS,
    name: BY_PACK_UID,
    of: ({ metadata }) => [metadata.labels?.[LABELS.packUid]].filter((one) => one !== undefined),
  },
  {
    resource: POLICY_PACKS,
    name: BY_CONFIG_MAP,
    of: (pack) => {
      const name = (pack as PolicyPack).spec.source.configMapRef?.name;
      return name === undefined ? [] : [`${pack.metadata.namespace}/${name}`];
    },
  },
];

/** What the controller works with. */
export interface PolicyPackOptions extends Pick<PlatformSettings, 'platformNamespace'> {
  readonly verifier: PackVerifier;
  /** What the packs of a tenant may come to. */
  readonly allowance: PackAllowance;
  /** What finds out what revisions would do to what exists; without, nobody waits for it. */
  readonly reports?: BlastReports | undefined;
  /** Kinds that packs may look at. */
  readonly inventoryKinds?: readonly Resource[] | undefined;
  /** What was proved of images: artifacts of packs are held against it, and rules are told of it. */
  readonly images: ProvenImages;
}

/** The controller of PolicyPacks: from their sources it makes revisions, and has these decide, stage by stage. */
export function policyPackController({
  platformNamespace,
  verifier,
  allowance,
  reports,
  inventoryKinds = [],
  images,
}: PolicyPackOptions): Controller<PolicyPack, PackObserved, PolicyPackStatus> {
  const replicas = new PolicyReplicas(platformNamespace);
  return {
    name: 'policy-pack',
    resource: POLICY_PACKS,
    watches: [
      ...watchesOf(platformNamespace),
      ...replicas.watches(everybody),
      ...floorWatches(packOfChunk),
      ...images.watches({ ofVerdict: packsOfArtifact, ofPolicy: packsWithArtifact }, TOGETHER_MS),
      ...(reports === undefined ? [] : [...WORLD_WATCHES, exemptionWatch(platformNamespace)]),
    ],
    rbac: RBAC,
    finalizer: FINALIZERS.policyPack,
    wakesItself: (wake) => {
      for (const one of [verifier, reports]) one?.onDone((pack) => wake(parseKey(pack)));
    },
    parse: parseWith(z.object({ spec: POLICY_PACK.spec })),
    // What was made by an older release must be able to go, whatever its spec says.
    salvage: (pack) => pack as PolicyPack,
    group: ({ metadata }, read) => ledgerOf(read, metadata.namespace ?? '')?.metadata.name,
    observe: async (pack, read) => {
      const holdings = holdingsOf(pack, read, allowance);
      const artifact = seeArtifact(pack, read, images);
      const source = await seeSource({ pack, read, platformNamespace, verifier, holdings, artifact });
      return {
        ...keptOf(pack, read, platformNamespace),
        place: placeOf(pack, read, platformNamespace),
        holdings,
        platformNamespace,
        inventoryKinds,
        source,
        artifact,
        replicas: replicas.views(read),
        floors: floorsSeen(read),
        ...seeBlast(pack, { read, platformNamespace, source, reports, images }),
      };
    },
    plan: planPolicyPack,
    refused: planRefused,
    heldUp: planHeldUp,
    finalize: finalizePolicyPack,
  };
}

/** What becomes known of an artifact at one time is looked at once. */
const TOGETHER_MS = 100;

/** Packs whose artifact a verdict is on. */
const packsOfArtifact: Watch['keys'] = ({ metadata }, read) =>
  withArtifact(read, { namespace: metadata.namespace ?? '' })
    .filter(({ name }) => verdictName(name) === metadata.name)
    .map(({ pack }) => keyOf(pack));

const packsWithArtifact: Watch['keys'] = (_, read) => withArtifact(read).map(({ pack }) => keyOf(pack));

function withArtifact(read: Reader, filter: { readonly namespace?: string } = {}) {
  return (read.list(POLICY_PACKS, filter) as readonly PolicyPack[]).flatMap((pack) => {
    const { oci } = pack.spec.source;
    const name = oci === undefined ? undefined : artifactName(oci);
    return name === undefined ? [] : [{ pack, name }];
  });
}

/** What policies on images say of the artifact of a pack. */
function seeArtifact(
  { metadata, spec }: PolicyPack,
  read: Reader,
  images: ProvenImages,
): ArtifactTrust | undefined {
  const { oci } = spec.source;
  if (oci === undefined) return undefined;
  return artifactTrust(oci, { ...images.in(metadata.namespace ?? '', read), now: clock.now() });
}

function everybody(read: Reader): readonly Key[] {
  return read.list(POLICY_PACKS).map(keyOf);
}

const RBAC: readonly PolicyRule[] = [
  { apiGroups: ['nexusos.dev'], resources: ['policypackrevisions'], verbs: ['create', 'delete'] },
  { apiGroups: [''], resources: ['configmaps'], verbs: ['create', 'delete'] },
];

/** ConfigMaps that people made: without ours, and without what is in every namespace. */
const OF_PEOPLE: Pick<Watch, 'labelSelector' | 'fieldSelector' | 'metadataOnly'> = {
  labelSelector: `${LABELS.managedBy}!=${MANAGED_BY},!${LABELS.packUid}`,
  fieldSelector: 'metadata.name!=kube-root-ca.crt,metadata.name!=nexusos-guardrails',
  metadataOnly: true,
};

function watchesOf(platformNamespace: string): readonly Watch[] {
  return [
    { resource: POLICY_PACK_REVISIONS, keys: packOfRevision },
    { resource: QUOTA_LEDGERS, keys: packsOfLedger, patienceMs: () => 1000 },
    { resource: CONFIG_MAPS, ...OF_PEOPLE, keys: packsOfConfigMap },
    {
      resource: CONFIG_MAPS,
      namespace: platformNamespace,
      labelSelector: LABELS.packUid,
      metadataOnly: true,
      keys: packOfChunk,
    },
  ];
}

function packOfRevision({ metadata, spec }: KubeObject): readonly Key[] {
  const { namespace } = metadata;
  const { name } = (spec as PolicyPackRevision['spec']).packRef;
  return namespace === undefined ? [] : [{ namespace, name }];
}

/** A namespace that came to a tenant, or left it: packs that know where they are do not change by it. */
function packsOfLedger(ledger: KubeObject, read: Reader): readonly Key[] {
  return namespacesOf(ledger as Ledger)
    .flatMap((namespace) => read.list(POLICY_PACKS, { namespace }))
    .filter((pack) => !isPlaced(pack as PolicyPack))
    .map(keyOf);
}

function isPlaced({ status }: PolicyPack): boolean {
  const verified = status?.conditions?.find(({ type }) => type === 'Verified');
  return verified !== undefined && verified.reason !== 'NotBound';
}

function packsOfConfigMap({ metadata }: KubeObject, read: Reader): readonly Key[] {
  const value = `${metadata.namespace}/${metadata.name}`;
  return read.list(POLICY_PACKS, { index: BY_CONFIG_MAP, value }).map(keyOf);
}

function packOfChunk({ metadata }: KubeObject, read: Reader): readonly Key[] {
  const name = metadata.labels?.[LABELS.pack];
  const uid = metadata.labels?.[LABELS.packUid];
  // Its namespace is in no label: that would have to be cut.
  return read
    .list(POLICY_PACKS)
    .filter((pack) => pack.metadata.name === name && pack.metadata.uid === uid)
    .map(keyOf);
}

function placeOf({ metadata }: PolicyPack, read: Reader, platformNamespace: string): PackPlace {
  const { namespace = '' } = metadata;
  if (namespace === platformNamespace) return { kind: 'platform' };
  const tenant = ledgerOf(read, namespace)?.metadata.name;
  return tenant === undefined ? { kind: 'nobody' } : { kind: 'tenant', tenant };
}

function keptOf({ metadata }: PolicyPack, read: Reader, platformNamespace: string): Kept {
  const { namespace = '', name, uid = '' } = metadata;
  const revisions = read.list(POLICY_PACK_REVISIONS, { namespace }) as readonly PolicyPackRevision[];
  return {
    revisions: revisions.filter(({ spec }) => spec.packRef.name === name),
    chunks: read
      .list(CONFIG_MAPS, { index: BY_PACK_UID, value: uid })
      .filter((one) => one.metadata.namespace === platformNamespace),
  };
}

/** Undefined for packs of the platform, and of nobody. */
function holdingsOf(
  { metadata }: PolicyPack,
  read: Reader,
  allowance: PackAllowance,
): TenantHoldings | undefined {
  const ledger = ledgerOf(read, metadata.namespace ?? '');
  if (ledger === undefined) return undefined;
  const namespaces = namespacesOf(ledger);
  return {
    tenant: ledger.metadata.name,
    packs: namespaces.flatMap((namespace) => read.list(POLICY_PACKS, { namespace })),
    revisions: namespaces.flatMap(
      (namespace) => read.list(POLICY_PACK_REVISIONS, { namespace }) as readonly PolicyPackRevision[],
    ),
    allowance,
  };
}

interface Looking {
  readonly pack: PolicyPack;
  readonly read: Reader;
  readonly platformNamespace: string;
  readonly verifier: PackVerifier;
  readonly holdings: TenantHoldings | undefined;
  readonly artifact: ArtifactTrust | undefined;
}

async function seeSource(looking: Looking): Promise<SourceSeen> {
  const { pack, read } = looking;
  if (pack.spec.suspended || pack.metadata.deletionTimestamp !== undefined) return { kind: 'unread' };
  const { namespace = '' } = pack.metadata;
  const name = pack.spec.source.configMapRef?.name;
  const configMap = name === undefined ? undefined : await read.live(CONFIG_MAPS, { namespace, name });
  const source = readSource(pack.spec, configMap);
  if (source.kind === 'fault') return source;
  const wanted = revisionNameOf(pack, source.digest);
  const place = placeOf(pack, read, looking.platformNamespace);
  // Whoever is not to have a pack here has nothing compiled here.
  if (place.kind === 'nobody' || isHeldBack(looking) || isMade(looking, wanted))
    return { kind: 'found', wanted, verification: PENDING };
  const { minCoveragePercent } = pack.spec.tests;
  const { content } = source;
  const key = digestOf({ digest: wanted.digest, minCoveragePercent, place, url: addressOf(pack) });
  const verification = looking.verifier.ask({ key, pack: packKey(pack), place, content, spec: pack.spec });
  return { kind: 'found', wanted, verification };
}

/** What policies on images do not let through is not even read; neither is what would be one pack too many. */
function isHeldBack({ pack, holdings, artifact }: Looking): boolean {
  if (artifact?.kind === 'fault') return true;
  return holdings !== undefined && numberFault(pack, holdings) !== undefined;
}

/**
 * Where the source is fetched, and as whom: another address is another chance for what failed, and what one may read with a Secret of his
 * is told to nobody who has named another, or none.
 */
function addressOf({ spec, metadata }: PolicyPack): string {
  const { bundle, oci } = spec.source;
  if (oci === undefined) return bundle?.url ?? '';
  return [metadata.namespace ?? '', oci.image, oci.pullSecretRef?.name ?? ''].join(' ');
}

const PENDING: Verification = { kind: 'pending' };

/** What has been made was verified. */
function isMade({ pack, read, platformNamespace }: Looking, { name }: RevisionName): boolean {
  const { revisions, chunks } = keptOf(pack, read, platformNamespace);
  const revision = revisions.find(({ metadata }) => metadata.name === name);
  return (
    revision !== undefined && isWhole(pack, revision, new Set(chunks.map(({ metadata }) => metadata.name)))
  );
}

// SPDX-License-Identifier: Apache-2.0
import type { BlastRadius } from '#crds/v1alpha1/policy-rollout';
import type { KubeObject } from '../object.ts';
import type { Exemption } from '../policy/exemption.ts';
import type { NamespaceFacts, TenantFacts } from '../policy/facts.ts';
import type { ImageTeller } from '../policy/image-input.ts';
import { packState, snapshotRevision } from '../policy/objects.ts';
import { buildSnapshot, type Snapshot } from '../policy/snapshot.ts';

/** What is known of the cluster when something is judged. */
export interface ScanWorld {
  readonly platformNamespace: string;
  readonly namespaces: ReadonlyMap<string, NamespaceFacts>;
  readonly tenants: ReadonlyMap<string, TenantFacts>;
  /** Those of the namespace of the platform. */
  readonly exemptions: readonly Exemption[];
  /** What is known of images, for packs that are told. */
  readonly images?: ImagesWorld | undefined;
}

/** What is known of images in all namespaces. */
export interface ImagesWorld {
  readonly tellerFor: (namespace: string) => ImageTeller;
  /** Another one where something else is known. */
  readonly version: string;
}

/** A pack, and the revision of it that is asked. */
export interface JudgedPack {
  readonly pack: KubeObject;
  readonly revision: KubeObject;
}

/** A snapshot in which each pack decides by the revision that is given with it, for everybody. */
export function snapshotOf(packs: readonly JudgedPack[], world: ScanWorld): Snapshot {
  const { platformNamespace, namespaces, tenants, exemptions } = world;
  const places = { platformNamespace, namespaces };
  const revisions = packs.map(({ pack, revision }) =>
    snapshotRevision(revision, { places, pack, isLoaded: true }),
  );
  return buildSnapshot({
    platformNamespace,
    packs: packs.flatMap(({ pack }, index) => {
      const state = packState(pack, places);
      const active = revisions[index]?.key;
      return state === undefined
        ? []
        : [{ ...state, active, candidate: undefined, rollout: 'None' as const }];
    }),
    revisions: new Map(revisions.map((one) => [one.key, one])),
    quarantined: new Set(),
    enforced: new Map(),
    exemptions,
    tenants,
    namespaces,
    images: world.images?.tellerFor,
  });
}

/** A pack that decides, as it is to be asked about what exists. */
export interface ScanQuestion extends JudgedPack {
  readonly world: ScanWorld;
}

/** What a pack says of what exists. */
export interface PackScan {
  /** The revision that said it. */
  readonly revision: string;
  /** One for each namespace in which it says something. */
  readonly reports: readonly KubeObject[];
  /** false: some of it could not be read or judged. */
  readonly complete: boolean;
}

/** What a report is asked of: a revision, and the one that decides now. */
export interface BlastQuestion extends JudgedPack {
  readonly against: KubeObject | undefined;
  readonly world: ScanWorld;
}

/** A report; or how far it is, in words. */
export type BlastAnswer =
  | { readonly kind: 'known'; readonly report: BlastRadius }
  | { readonly kind: 'pending'; readonly progress: string };

/** What finds out, beside the loop, what revisions would do to what exists. */
export interface BlastReports {
  /** The report, or how far it is. A pack has one: who asks for another gives up the former. */
  ask(question: BlastQuestion): BlastAnswer;
  /** Nobody wants a report of the pack of this uid any more. */
  forget(uid: string): void;
  /** Told `namespace/name` of a pack whose report is there. */
  onDone(listener: (pack: string) => void): void;
}

/** What goes over what exists, beside the loop. */
export interface Scans {
  /** How often it does. */
  readonly intervalMs: number;
  /** What a pack says of what exists; undefined: not known yet. */
  ask(question: ScanQuestion): PackScan | undefined;
  /** A pack decides nothing any more. */
  forget(pack: string): void;
  /** Told `namespace/name` of a pack of which something else is said. */
  onDone(listener: (pack: string) => void): void;
}

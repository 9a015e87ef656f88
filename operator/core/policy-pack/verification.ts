// SPDX-License-Identifier: Apache-2.0
import type { POLICY_PACK_REASONS, PolicyPackSpec } from '#crds/v1alpha1/policy-pack';
import type { PolicyPackRevisionSpec } from '#crds/v1alpha1/policy-pack-revision';
import type { PackPlace } from './pack.ts';

/** Why a pack cannot be what it says, in words for who wrote it. */
export interface PackFault {
  readonly reason: keyof typeof POLICY_PACK_REASONS;
  readonly message: string;
  /** Whether it may be otherwise by and by, though nobody changes the pack. */
  readonly passing: boolean;
  /** When it is looked at again though nobody changes the pack; without, soon where it may pass, and else never. */
  readonly againMs?: number | undefined;
  /** Nothing is known to be wrong, and nothing to be right: that is not said to be the one or the other. */
  readonly isUnknown?: boolean;
}

/** What is to be verified. */
export type SourceContent =
  | {
      readonly kind: 'files';
      readonly files: Readonly<Record<string, string>>;
      readonly regoVersion: 'V0' | 'V1';
      readonly provenance: 'Inline' | 'ConfigMap';
    }
  | { readonly kind: 'bundle'; readonly url: string; readonly digest: string }
  | ArtifactContent;

/** An artifact in a registry. */
export interface ArtifactContent {
  readonly kind: 'oci';
  readonly image: string;
  readonly digest: string;
  /** Name of the Secret with credentials for it, in the namespace of the pack. */
  readonly pullSecretName?: string | undefined;
}

/** A pack as somebody wants it verified. */
export interface PackRequest {
  /** Of all that the outcome depends on: the same is not verified twice. */
  readonly key: string;
  /** The pack, as namespace/name: who is told of the outcome. */
  readonly pack: string;
  readonly place: PackPlace;
  readonly content: SourceContent;
  readonly spec: Pick<
    PolicyPackSpec,
    'binding' | 'enforcement' | 'evaluation' | 'facts' | 'input' | 'parameters' | 'regoVersion' | 'tests'
  >;
}

/** A module, or data, ready to be stored: compressed as a whole, then cut. */
export interface StoredBlob {
  /** Of it as it was before. */
  readonly digest: string;
  readonly size: number;
  /** In base64. */
  readonly parts: readonly string[];
}

/** What a pack was found to be. */
export interface VerifiedPack
  extends Pick<
    PolicyPackRevisionSpec,
    'builtins' | 'compiler' | 'entrypoints' | 'floor' | 'hasMutate' | 'provenance'
  > {
  readonly module: StoredBlob;
  readonly data?: StoredBlob | undefined;
  /** Tests that passed. */
  readonly tests: number;
  /** Lines that they reach, where there are tests. */
  readonly coveragePercent?: number | undefined;
}

/** How far the verification of a pack is. */
export type Verification =
  | { readonly kind: 'pending' }
  | { readonly kind: 'verified'; readonly pack: VerifiedPack }
  | { readonly kind: 'fault'; readonly fault: PackFault };

/** Verifies packs beside everything else. */
export interface PackVerifier {
  /** The outcome, if it is known. Otherwise it is being found out, and whoever `onDone` names is told of it. */
  ask(request: PackRequest): Verification;
  /** Has `tell` called with the pack, as namespace/name, whenever something of it is known anew. */
  onDone(tell: (pack: string) => void): void;
}

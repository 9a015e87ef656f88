// SPDX-License-Identifier: Apache-2.0
import { POLICY_PACK_REASONS } from '#crds/v1alpha1/policy-pack';
import type { KubeObject } from '../object.ts';
import type { PolicyPack, PolicyPackRevision } from './pack.ts';
import type { PackFault, VerifiedPack } from './verification.ts';

/** What the packs of one tenant may come to: every replica loads them, and the cluster keeps them. */
export interface PackAllowance {
  readonly packs: number;
  /** Of all their revisions: modules and data, as they are when they are loaded. */
  readonly mebibytes: number;
}

/** What there is of the packs of one tenant, in all of its namespaces, and what there may be. */
export interface TenantHoldings {
  readonly tenant: string;
  readonly packs: readonly KubeObject[];
  readonly revisions: readonly PolicyPackRevision[];
  readonly allowance: PackAllowance;
}

const { TooManyPacks, StorageExceeded } = POLICY_PACK_REASONS;
const MEBIBYTE = 1024 * 1024;

/** Why a pack gets nothing made at all: others of its tenant were there before, and are as many as there may be. */
export function numberFault(
  { metadata }: PolicyPack,
  { tenant, packs, allowance }: TenantHoldings,
): PackFault | undefined {
  const line = packs.filter((one) => one.metadata.deletionTimestamp === undefined).toSorted(byAge);
  const place = line.findIndex((one) => one.metadata.uid === metadata.uid);
  if (place < allowance.packs) return undefined;
  const message = `tenant ${tenant} has ${line.length} PolicyPacks; the ${allowance.packs} that are oldest are looked at (platform.policyPacksPerTenant). Delete one that is not needed`;
  return { reason: TooManyPacks, message, passing: true };
}

/** Why a revision that is verified is not made: together with what is kept already it would be too much. */
export function storageFault(
  verified: Pick<VerifiedPack, 'module' | 'data'>,
  { tenant, revisions, allowance }: TenantHoldings,
): PackFault | undefined {
  const held = revisions.reduce((sum, { spec }) => sum + sizeOf(spec), 0);
  const wanted = sizeOf(verified);
  if (held + wanted <= allowance.mebibytes * MEBIBYTE) return undefined;
  const message = `its module and data have ${inMebibytes(wanted)} MiB, and the revisions that tenant ${tenant} has already ${inMebibytes(held)}; together they may have ${allowance.mebibytes} (platform.policyMebibytesPerTenant). Delete packs, lower spec.revisionHistoryLimit, or have less data`;
  return { reason: StorageExceeded, message, passing: true };
}

function sizeOf({ module, data }: { readonly module: Sized; readonly data?: Sized | undefined }): number {
  return module.size + (data?.size ?? 0);
}

interface Sized {
  readonly size: number;
}

/** inMebibytes(1_572_864) -> '1.5' */
function inMebibytes(bytes: number): string {
  return String(Math.ceil((bytes / MEBIBYTE) * 10) / 10);
}

/** Who was there first stays, whatever comes later; of one second by uid, which nobody chooses. */
function byAge(a: KubeObject, b: KubeObject): number {
  return ageOf(a) < ageOf(b) ? -1 : 1;
}

function ageOf({ metadata }: KubeObject): string {
  return `${metadata.creationTimestamp ?? ''} ${metadata.uid ?? ''}`;
}

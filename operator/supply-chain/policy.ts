// SPDX-License-Identifier: Apache-2.0
import type { Requirement, Waiver } from '../core/supply-chain/requirement.ts';
import type { ReadyAuthority } from './authority.ts';

/** A policy with everything read that it names: keys, roots, waivers. */
export interface ReadyPolicy {
  /** Digest of the policy with all trust that it names: part of the key of each verdict. */
  readonly digest: string;
  readonly authorities: readonly ReadyAuthority[];
  readonly requirement: Requirement;
  readonly revoked: ReadonlySet<string>;
  readonly waivers: readonly Waiver[];
  /** Of an index: whether what is asked of it is asked of each image in it as well. */
  readonly platforms: 'Index' | 'Each';
}

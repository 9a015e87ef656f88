// SPDX-License-Identifier: Apache-2.0
import type { Client } from '../client.ts';
import { DEFAULT_LEASE_MS, type ElectorOptions, type LeaderElectionOptions } from '../leader-election.ts';
import { ShardBoard } from './shard-board.ts';
import { annotateLease } from './shard-lease.ts';

/** The board of the shards that go with an election. */
export function boardOf(
  election: LeaderElectionOptions & { readonly client: Client; readonly identity: string },
): ShardBoard {
  const { leaseDurationMs = DEFAULT_LEASE_MS } = election;
  return new ShardBoard({ ...election, leaseDurationMs });
}

/** What who leads anew needs. */
export interface AmongShards {
  readonly board: ShardBoard;
  /** Number of shards; 0 for none. */
  readonly count: number;
  /** Done before it begins. */
  readonly prepare?: () => Promise<void>;
}

/**
 * What makes an election one among processes that may deal out their work in shards, in `count` of them or, for 0, in none. Who
 * leads says in the Lease which it is, and begins when nobody works by another number; who works by another number reads that and
 * gives back what it holds, and takes a shard only if a look after that shows its own number. So, of the one who takes a
 * shard and the one who leads anew, at least one sees the other, whoever is first.
 */
export function leadAmongShards({
  board,
  count,
  prepare,
}: AmongShards): Pick<ElectorOptions, 'annotate' | 'confirm'> {
  return {
    annotate: annotateLease(count),
    confirm: async () => {
      if (!(await board.areOthersGone(count))) return false;
      await prepare?.();
      return true;
    },
  };
}

// SPDX-License-Identifier: Apache-2.0
import type { Reservation } from '#crds/v1alpha1/quota-ledger';
import { RUN_REASONS } from '#crds/v1alpha1/run';
import { type Agent, agentKey } from '../agent/agent.ts';
import { digestOf, oncePerRun } from '../run/idempotency.ts';
import type { Candidate } from './admit.ts';
import { isOlder } from './queue-order.ts';

/** Runs of one session at one time, unless its Agent says otherwise. */
const DEFAULT_LIMIT = 1;

/** What a session is remembered as; undefined for a Run of none. Another one in each namespace and for each Agent. */
export const sessionDigest = oncePerRun(({ metadata, spec: { session, agentRef } }) =>
  session === undefined ? undefined : digestOf(`${metadata.namespace}/${agentRef.name}/${session}`),
);

/** What the order of sessions follows from. */
export interface SessionInput {
  readonly held: readonly Reservation[];
  /** Every Run that wants a reservation, also those that wait for something else. */
  readonly candidates: readonly Candidate[];
  /** By `agentKey`. */
  readonly agents: ReadonlyMap<string, Agent>;
}

/**
 * The candidates, each held up that has to wait for an older Run of its session: the oldest goes first, whatever its priority,
 * and also while it waits for something else. Those that hold a reservation are counted from the ledger, so
 * there is never one too many, whatever was seen of the Runs themselves.
 */
export function inSessionOrder({ held, candidates, agents }: SessionInput): readonly Candidate[] {
  const holders = bySession(held);
  const turns = new Map<string, Turn>();
  for (const [session, waiting] of bySession(candidates)) {
    const line = [...(holders.get(session) ?? []), ...waiting.toSorted((a, b) => (isOlder(a, b) ? -1 : 1))];
    for (const [i, { uid }] of line.entries()) turns.set(uid, { place: i, before: line[i - 1]?.name ?? '' });
  }
  if (turns.size === 0) return candidates;
  return candidates.map((one) => {
    const turn = turns.get(one.uid);
    const { maxRunsPerSession = DEFAULT_LIMIT } =
      agents.get(agentKey(one.namespace, one.agent))?.spec.limits ?? {};
    return turn === undefined || turn.place < maxRunsPerSession
      ? one
      : { ...one, blocked: one.blocked ?? behind(turn) };
  });
}

function bySession<T extends { readonly session?: string | undefined }>(
  all: readonly T[],
): ReadonlyMap<string, T[]> {
  const found = new Map<string, T[]>();
  for (const one of all) {
    if (one.session === undefined) continue;
    const others = found.get(one.session);
    if (others === undefined) found.set(one.session, [one]);
    else others.push(one);
  }
  return found;
}

interface Turn {
  /** Runs of the session that are before it. */
  readonly place: number;
  /** Name of the last of them. */
  readonly before: string;
}

function behind({ before }: Turn) {
  const message = `Run ${before} of the same session goes first: Runs of a session start in the order of their creation, as many at one time as limits.maxRunsPerSession of the Agent says`;
  return { reason: RUN_REASONS.SessionBusy, message };
}

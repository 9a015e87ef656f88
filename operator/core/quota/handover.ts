// SPDX-License-Identifier: Apache-2.0
import type { Reservation } from '#crds/v1alpha1/quota-ledger';
import { RUN_REASONS } from '#crds/v1alpha1/run';
import type { Place } from '../run/observed.ts';
import { type Amounts, amountOf, larger } from './amounts.ts';

/** Names that a message tells of those who make room. */
const NAMED = 5;

/**
 * Reservations as they stand with those from whom they take over. Who has been given back is awaited no more; an empty list is of one
 * that only waits for quota in its namespace. While the tenant is suspended nothing starts, so who still waits gives up. Those that
 * were told to end for it do end: that may be under way already.
 */
export function settleHandovers(held: readonly Reservation[], isSuspended: boolean): readonly Reservation[] {
  const serials = new Set(held.map(({ serial }) => serial));
  return held.flatMap((one) => {
    if (one.awaits === undefined) return [one];
    if (isSuspended) return [];
    const awaits = one.awaits.filter((serial) => serials.has(serial));
    return [awaits.length === one.awaits.length ? one : { ...one, awaits }];
  });
}

/** Whether others still hold what a reservation takes over from them, so that it holds nothing of that itself. */
export function isTakingOver({ awaits = [] }: Reservation): boolean {
  return awaits.length > 0;
}

/** The reservation of a Run that may start. */
export function startable(reservation: Reservation): Reservation {
  const { awaits: _, ...others } = reservation;
  return others;
}

/** Those of `held` from whom a reservation takes over. */
export function awaitedOf({ awaits }: Reservation, held: readonly Reservation[]): readonly Reservation[] {
  if (awaits === undefined || awaits.length === 0) return [];
  const serials = new Set<number | undefined>(awaits);
  return held.filter(({ serial }) => serial !== undefined && serials.has(serial));
}

/**
 * What is taken beside what others hold, and give back before: as long as they do, that much is counted there.
 *
 * Example: who wants 3 cores and takes over from one with 2 takes 1.
 */
export function beside(wanted: Amounts, given: readonly Amounts[]): Amounts {
  return new Map(
    [...wanted].map(([key, milli]) => {
      const kept = given.reduce((sum, one) => sum + amountOf(one, key), 0n);
      return [key, larger(0n, milli - kept)] as const;
    }),
  );
}

/** What a Run waits for whose reservation takes over from others; undefined for any other. `held`: all reservations of its ledger. */
export function handoverPlace(
  reservation: Reservation | undefined,
  held: readonly Reservation[],
): Extract<Place, { readonly kind: 'waiting' }> | undefined {
  if (reservation?.awaits === undefined) return undefined;
  const message = messageOf(awaitedOf(reservation, held));
  // Who is still awaited changes: what was told is then out of date.
  return {
    kind: 'waiting',
    position: undefined,
    reason: RUN_REASONS.Preempting,
    message,
    current: message,
  };
}

function messageOf(awaited: readonly Reservation[]): string {
  if (awaited.length === 0) return 'Runs have made room for it; its quota is being moved to its namespace';
  const names = awaited.slice(0, NAMED).map(({ namespace, name }) => `${namespace}/${name}`);
  const more = awaited.length > NAMED ? ` and ${awaited.length - NAMED} more` : '';
  return `it takes over from Runs of lower priority, and starts when these have ended: ${names.join(', ')}${more}`;
}

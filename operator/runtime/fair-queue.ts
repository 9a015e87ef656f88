// SPDX-License-Identifier: Apache-2.0
import { Ring } from './ring.ts';

/** After so many of its more urgent keys in a row a group gives one of the others, so that these are never starved. */
const URGENT_IN_A_ROW = 8;

/** Whether a key goes before the others of its group: not, yes, or before those too. */
export type Urgency = boolean | 'first';

type Rank = 0 | 1 | 2;

function rankOf(urgency: Urgency): Rank {
  if (urgency === 'first') return 2;
  return urgency ? 1 : 0;
}

interface Ticket {
  readonly key: string;
  readonly group: string;
  readonly rank: Rank;
  /** Its key was hastened, and waits by another ticket. */
  isVoid: boolean;
}

/** Tickets of two ranks, each of which may be what waits in a queue like this one. */
class Turns {
  readonly #urgent: Pick<Ring<Ticket>, 'shift'>;
  readonly #others: Pick<Ring<Ticket>, 'shift'>;
  #inARow = 0;

  constructor(urgent: Pick<Ring<Ticket>, 'shift'>, others: Pick<Ring<Ticket>, 'shift'>) {
    this.#urgent = urgent;
    this.#others = others;
  }

  /** The next ticket that is not void; undefined when there is none. */
  shift(): Ticket | undefined {
    const isTurnOfOthers = this.#inARow >= URGENT_IN_A_ROW;
    const ofOthers = isTurnOfOthers ? shiftValid(this.#others) : undefined;
    const ofUrgent = ofOthers === undefined ? shiftValid(this.#urgent) : undefined;
    this.#inARow = ofUrgent === undefined || isTurnOfOthers ? 0 : this.#inARow + 1;
    return ofOthers ?? ofUrgent ?? shiftValid(this.#others);
  }
}

/** What waits in one group, by rank. */
class Group {
  readonly #rings = [new Ring<Ticket>(), new Ring<Ticket>(), new Ring<Ticket>()] as const;
  readonly #turns = new Turns(new Turns(this.#rings[2], this.#rings[1]), this.#rings[0]);

  push(ticket: Ticket): void {
    this.#rings[ticket.rank].push(ticket);
  }

  /** The next ticket that is not void; undefined when there is none. */
  shift(): Ticket | undefined {
    return this.#turns.shift();
  }
}

/**
 * Keys in groups, each at most once. Groups take turns, so a group with thousands of keys delays another's single key
 * by no more than one key of each group. Inside a group the urgent ones go first; apart from that, first come, first
 * served.
 */
export class FairQueue {
  readonly #groups = new Map<string, { readonly waiting: Group; size: number }>();
  /** Groups that have keys, each once. */
  readonly #turns = new Ring<string>();
  readonly #tickets = new Map<string, Ticket>();

  get size(): number {
    return this.#tickets.size;
  }

  /** Whether `key` waits, and might be more urgent. */
  mayRise(key: string): boolean {
    const ticket = this.#tickets.get(key);
    return ticket !== undefined && ticket.rank < rankOf('first');
  }

  /** Has `key` wait in `group`. One that waits already stays where it is. */
  push(key: string, group: string, urgency: Urgency = false): void {
    if (this.#tickets.has(key)) return;
    const ticket = { key, group, rank: rankOf(urgency), isVoid: false };
    this.#tickets.set(key, ticket);
    const known = this.#groups.get(group);
    if (known !== undefined) {
      known.size += 1;
      known.waiting.push(ticket);
      return;
    }
    const waiting = new Group();
    waiting.push(ticket);
    this.#groups.set(group, { waiting, size: 1 });
    this.#turns.push(group);
  }

  /** Moves `key`, if it waits and is less urgent than that, to those of its group that are so urgent. */
  hasten(key: string, urgency: Urgency = true): void {
    const present = this.#tickets.get(key);
    const rank = rankOf(urgency);
    if (present === undefined || present.rank >= rank) return;
    present.isVoid = true;
    const ticket = { ...present, rank, isVoid: false };
    this.#tickets.set(key, ticket);
    this.#groups.get(ticket.group)?.waiting.push(ticket);
  }

  /** The next key; undefined when there is none. */
  shift(): string | undefined {
    return this.take(() => false)?.key;
  }

  /** The next key of a group that is not barred, and that group; undefined when there is none. Who is barred misses his turn. */
  take(isBarred: (group: string) => boolean): { readonly key: string; readonly group: string } | undefined {
    const name = this.#nextGroup(isBarred);
    const group = name === undefined ? undefined : this.#groups.get(name);
    const ticket = group?.waiting.shift();
    if (name === undefined || group === undefined || ticket === undefined) return undefined;
    this.#tickets.delete(ticket.key);
    group.size -= 1;
    if (group.size === 0) this.#groups.delete(name);
    else this.#turns.push(name);
    return { key: ticket.key, group: name };
  }

  #nextGroup(isBarred: (group: string) => boolean): string | undefined {
    for (let left = this.#turns.size; left > 0; left -= 1) {
      const name = this.#turns.shift();
      if (name === undefined || !isBarred(name)) return name;
      this.#turns.push(name);
    }
    return undefined;
  }
}

function shiftValid(ring: Pick<Ring<Ticket>, 'shift'>): Ticket | undefined {
  for (let ticket = ring.shift(); ticket !== undefined; ticket = ring.shift()) {
    if (!ticket.isVoid) return ticket;
  }
  return undefined;
}

// SPDX-License-Identifier: Apache-2.0
import { Ring } from './ring.ts';

/** After so many urgent keys in a row a group gives one of its others, so that these are never starved. */
const URGENT_IN_A_ROW = 8;

interface Ticket {
  readonly key: string;
  readonly group: string;
  readonly isUrgent: boolean;
  /** Its key was hastened, and waits by another ticket. */
  isVoid: boolean;
}

/** What waits in one group. */
class Group {
  readonly #urgent = new Ring<Ticket>();
  readonly #others = new Ring<Ticket>();
  #urgentInARow = 0;

  push(ticket: Ticket): void {
    (ticket.isUrgent ? this.#urgent : this.#others).push(ticket);
  }

  /** The next ticket that is not void; undefined when there is none. */
  shift(): Ticket | undefined {
    const isTurnOfOthers = this.#urgentInARow >= URGENT_IN_A_ROW;
    const ticket = isTurnOfOthers
      ? (shiftValid(this.#others) ?? this.#urgent.shift())
      : (this.#urgent.shift() ?? shiftValid(this.#others));
    this.#urgentInARow = ticket?.isUrgent && !isTurnOfOthers ? this.#urgentInARow + 1 : 0;
    return ticket;
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

  /** Whether `key` waits among those that are not urgent. */
  isCalm(key: string): boolean {
    return this.#tickets.get(key)?.isUrgent === false;
  }

  /** Has `key` wait in `group`. One that waits already stays where it is. */
  push(key: string, group: string, isUrgent = false): void {
    if (this.#tickets.has(key)) return;
    const ticket = { key, group, isUrgent, isVoid: false };
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

  /** Moves `key`, if it waits, to the urgent ones of its group. */
  hasten(key: string): void {
    const calm = this.#tickets.get(key);
    if (calm === undefined || calm.isUrgent) return;
    calm.isVoid = true;
    const ticket = { ...calm, isUrgent: true, isVoid: false };
    this.#tickets.set(key, ticket);
    this.#groups.get(ticket.group)?.waiting.push(ticket);
  }

  /** The next key; undefined when there is none. */
  shift(): string | undefined {
    const name = this.#turns.shift();
    const group = name === undefined ? undefined : this.#groups.get(name);
    const ticket = group?.waiting.shift();
    if (name === undefined || group === undefined || ticket === undefined) return undefined;
    this.#tickets.delete(ticket.key);
    group.size -= 1;
    if (group.size === 0) this.#groups.delete(name);
    else this.#turns.push(name);
    return ticket.key;
  }
}

function shiftValid(ring: Ring<Ticket>): Ticket | undefined {
  for (let ticket = ring.shift(); ticket !== undefined; ticket = ring.shift()) {
    if (!ticket.isVoid) return ticket;
  }
  return undefined;
}

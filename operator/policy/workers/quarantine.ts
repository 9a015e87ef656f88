// SPDX-License-Identifier: Apache-2.0
import { Failure } from '../verdict.ts';

/** A module, and whose it is: the same module of another has its own record. */
export interface ModuleOwner {
  readonly tenant: string | undefined;
  readonly digest: string;
}

/** A failure that a module has to answer for. */
export interface Strike {
  /** Whose request it was. */
  readonly subject: string;
  readonly atMs: number;
}

/** How many failures of late put a module in quarantine. */
export interface QuarantineRule {
  readonly strikes: number;
  readonly withinMs: number;
}

/** What costs the host, or shows that a module is not what the compiler makes. A rule that gives up by itself does neither. */
const STRIKES: ReadonlySet<Failure> = new Set([
  Failure.Timeout,
  Failure.OutOfMemory,
  Failure.Trap,
  Failure.StackOverflow,
  Failure.ResultTooLarge,
  Failure.BadResult,
  Failure.Lost,
]);

/** Whether a module has to answer for this failure. */
export function isStrike(reason: Failure): boolean {
  return STRIKES.has(reason);
}

/**
 * Counts failures of modules. Of the platform's modules, requests of one tenant count once: else a tenant who has found an input
 * that takes long could have the rules put away that hold for all.
 */
export class Quarantine {
  readonly #rule: QuarantineRule;
  readonly #strikes = new Map<string, readonly Strike[]>();
  readonly #quarantined = new Map<string, ModuleOwner>();

  constructor(rule: QuarantineRule) {
    this.#rule = rule;
  }

  get size(): number {
    return this.#quarantined.size;
  }

  has(owner: ModuleOwner): boolean {
    return this.#quarantined.has(keyOf(owner));
  }

  /** Notes a failure; true where the module is in quarantine from now on. */
  strike(owner: ModuleOwner, strike: Strike): boolean {
    const key = keyOf(owner);
    if (this.#quarantined.has(key)) return false;
    const recent = (this.#strikes.get(key) ?? []).filter(
      ({ atMs }) => strike.atMs - atMs < this.#rule.withinMs,
    );
    const others =
      owner.tenant === undefined ? recent.filter(({ subject }) => subject !== strike.subject) : recent;
    const strikes = [...others, strike];
    if (strikes.length < this.#rule.strikes) {
      this.#strikes.set(key, strikes);
      return false;
    }
    this.#strikes.delete(key);
    this.#quarantined.set(key, owner);
    return true;
  }

  /** Forgets all that is known of a digest, whoever has it. */
  forget(digest: string): void {
    for (const map of [this.#strikes, this.#quarantined]) {
      for (const key of map.keys()) if (key.endsWith(` ${digest}`)) map.delete(key);
    }
  }
}

/** A tenant's name has no space in it, nor is it empty. */
function keyOf({ tenant, digest }: ModuleOwner): string {
  return `${tenant ?? ''} ${digest}`;
}

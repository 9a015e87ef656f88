// SPDX-License-Identifier: Apache-2.0
import type { Answer, Failure } from '../core/oci/answer.ts';
import { Places } from './places.ts';

/** How much is asked at a time, and when nobody is asked any more. */
export interface GateLimits {
  /** Questions to one host at the same time. Default 6. */
  readonly perHost?: number;
  /** Of one tenant. Default 4. */
  readonly perOwner?: number;
  /** Of all tenants, to all hosts. Default 16. */
  readonly inAll?: number;
  /** Of the platform, to all hosts: its questions are in no line with others. Default 8. */
  readonly ofPlatform?: number;
  /** Questions of one tenant to one host, that wait for their turn; what comes on top is turned away. Default 100. */
  readonly waiting?: number;
  /** Failures one after the other after which a host is left alone. Default 5. */
  readonly failures?: number;
  /** How long it is left alone at first; twice as long each time, up to two minutes. Default 10 s. */
  readonly openMs?: number;
}

/** Who is asked, by whom. */
export interface Passing {
  readonly host: string;
  /** The keychain: what registries count, and refuse, is by who asks. */
  readonly who: string;
  /** The tenant whose question it is; empty: the platform. Places are dealt out by it. */
  readonly owner: string;
  readonly signal: AbortSignal;
}

/** What came of a question, and whether the host itself is to blame for a failure, rather than what it led on to. */
export interface Passed<T> {
  readonly answer: Answer<T>;
  readonly isHostDown: boolean;
}

const DEFAULTS: Required<GateLimits> = {
  perHost: 6,
  perOwner: 4,
  inAll: 16,
  ofPlatform: 8,
  waiting: 100,
  failures: 5,
  openMs: 10_000,
};
const MAX_OPEN_MS = 120_000;
const THROTTLED_MS = 5000;
/** Hosts, and who asks them, that anything is remembered of: names are of people's choosing. */
const MAX_REMEMBERED = 2000;

interface Circuit {
  failures: number;
  opened: number;
  openUntil: number;
  isProbing: boolean;
}

/**
 * Lets questions to registries through: so many at a time, none while the registry has asked to be left alone, and none but one now and then
 * while it does not answer. One host that is slow or down takes no place from others, nor do
 * the hosts of one tenant from other tenants, or from the platform.
 */
export class Gate {
  readonly #limits: Required<GateLimits>;
  readonly #places: { readonly platform: Places; readonly tenants: Places };
  readonly #circuits = new Map<string, Circuit>();
  readonly #pausedUntil = new Map<string, number>();

  constructor(limits: GateLimits = {}) {
    this.#limits = { ...DEFAULTS, ...limits };
    const { inAll, ofPlatform } = this.#limits;
    this.#places = {
      platform: new Places({ ...this.#limits, inAll: ofPlatform, perOwner: ofPlatform }),
      tenants: new Places({ ...this.#limits, inAll }),
    };
  }

  /** Asks when it may be asked; otherwise says why it may not. */
  async pass<T>(passing: Passing, ask: () => Promise<Passed<T>>): Promise<Answer<T>> {
    const held = this.#held(passing);
    if (held !== undefined) return held;
    const places = passing.owner === '' ? this.#places.platform : this.#places.tenants;
    const given = await places.enter(passing);
    if (given.kind !== 'given') return given;
    try {
      // Much may have been learnt while it waited.
      return this.#held(passing) ?? (await this.#ask(passing, ask));
    } finally {
      given.leave();
    }
  }

  async #ask<T>(passing: Passing, ask: () => Promise<Passed<T>>): Promise<Answer<T>> {
    this.#begin(passing.host);
    const passed = await ask();
    this.#note(passing, passed);
    return passed.answer;
  }

  #held({ host, who }: Passing): Failure | undefined {
    const now = performance.now();
    const pausedMs = (this.#pausedUntil.get(`${host} ${who}`) ?? 0) - now;
    if (pausedMs > 0) {
      const retryAfterMs = Math.ceil(pausedMs);
      return { kind: 'throttled', message: `${host} has asked to be left alone`, retryAfterMs };
    }
    const circuit = this.#circuits.get(host);
    const openMs = (circuit?.openUntil ?? 0) - now;
    const isOpen = circuit !== undefined && circuit.opened > 0 && (openMs > 0 || circuit.isProbing);
    if (!isOpen) return undefined;
    const message = `${host} did not answer ${circuit.failures} times one after the other, and is left alone for a while`;
    return { kind: 'unreachable', message, retryAfterMs: Math.max(100, Math.ceil(openMs)) };
  }

  /** The first after a time of silence tries for all. */
  #begin(host: string): void {
    const circuit = this.#circuits.get(host);
    if (circuit !== undefined && circuit.opened > 0) circuit.isProbing = true;
  }

  #note<T>({ host, who }: Passing, { answer, isHostDown }: Passed<T>): void {
    if (answer.kind === 'throttled')
      remember(
        this.#pausedUntil,
        `${host} ${who}`,
        performance.now() + (answer.retryAfterMs ?? THROTTLED_MS),
      );
    if (!isHostDown) {
      this.#circuits.delete(host);
      return;
    }
    const circuit = this.#circuits.get(host) ?? { failures: 0, opened: 0, openUntil: 0, isProbing: false };
    circuit.failures += 1;
    circuit.isProbing = false;
    if (circuit.failures >= this.#limits.failures) {
      const openMs = Math.min(this.#limits.openMs * 2 ** circuit.opened, MAX_OPEN_MS);
      circuit.opened = Math.min(circuit.opened + 1, 16);
      circuit.openUntil = performance.now() + openMs * (0.8 + 0.4 * Math.random());
    }
    remember(this.#circuits, host, circuit);
  }
}

/** Keeps a value, and no more of them than may be. */
function remember<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key);
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > MAX_REMEMBERED && oldest !== undefined) map.delete(oldest);
}

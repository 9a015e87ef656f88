// SPDX-License-Identifier: Apache-2.0
import type { Answer, Failure } from '../core/oci/answer.ts';

/** How much is asked at a time, and when nobody is asked any more. */
export interface GateLimits {
  /** Questions to one host at the same time. Default 6. */
  readonly perHost?: number;
  /** To all hosts together. Default 16. */
  readonly inAll?: number;
  /** Questions that wait for their turn, to one host; what comes on top is turned away. Default 100. */
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
  readonly signal: AbortSignal;
}

/** What came of a question, and whether the host itself is to blame for a failure, rather than what it led on to. */
export interface Passed<T> {
  readonly answer: Answer<T>;
  readonly isHostDown: boolean;
}

const DEFAULTS: Required<GateLimits> = { perHost: 6, inAll: 16, waiting: 100, failures: 5, openMs: 10_000 };
const MAX_OPEN_MS = 120_000;
const THROTTLED_MS = 5000;
/** Hosts, and who asks them, that anything is remembered of: names are of people's choosing. */
const MAX_REMEMBERED = 2000;

interface Waiter {
  readonly host: string;
  readonly go: () => void;
}

interface Circuit {
  failures: number;
  opened: number;
  openUntil: number;
  isProbing: boolean;
}

/**
 * Lets questions to registries through: so many at a time, none while the registry has asked to be left alone, and none but one now and then
 * while it does not answer. One host that is slow or down takes no place from others.
 */
export class Gate {
  readonly #limits: Required<GateLimits>;
  readonly #running = new Map<string, number>();
  readonly #circuits = new Map<string, Circuit>();
  readonly #pausedUntil = new Map<string, number>();
  #waiting: Waiter[] = [];
  #inAll = 0;

  constructor(limits: GateLimits = {}) {
    this.#limits = { ...DEFAULTS, ...limits };
  }

  /** Asks when it may be asked; otherwise says why it may not. */
  async pass<T>(passing: Passing, ask: () => Promise<Passed<T>>): Promise<Answer<T>> {
    const held = this.#held(passing);
    if (held !== undefined) return held;
    const late = await this.#enter(passing);
    if (late !== undefined) return late;
    // Much may have been learnt while it waited.
    const heldNow = this.#held(passing);
    if (heldNow !== undefined) {
      this.#leave(passing.host);
      return heldNow;
    }
    this.#begin(passing.host);
    try {
      const passed = await ask();
      this.#note(passing, passed);
      return passed.answer;
    } finally {
      this.#leave(passing.host);
    }
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

  #enter({ host, signal }: Passing): Promise<Failure | undefined> {
    if (this.#isFree(host)) {
      this.#take(host);
      return Promise.resolve(undefined);
    }
    if (this.#waiting.filter((one) => one.host === host).length >= this.#limits.waiting)
      return Promise.resolve({ kind: 'unreachable', message: `too many questions to ${host} wait already` });
    return new Promise((resolve) => {
      const waiter: Waiter = {
        host,
        go: () => {
          signal.removeEventListener('abort', giveUp);
          resolve(undefined);
        },
      };
      const giveUp = (): void => {
        this.#waiting = this.#waiting.filter((one) => one !== waiter);
        resolve({ kind: 'unreachable', message: `there was no time to ask ${host}: others are asking it` });
      };
      signal.addEventListener('abort', giveUp, { once: true });
      this.#waiting.push(waiter);
    });
  }

  #isFree(host: string): boolean {
    return this.#inAll < this.#limits.inAll && (this.#running.get(host) ?? 0) < this.#limits.perHost;
  }

  #take(host: string): void {
    this.#inAll += 1;
    this.#running.set(host, (this.#running.get(host) ?? 0) + 1);
  }

  #leave(host: string): void {
    this.#inAll -= 1;
    const left = (this.#running.get(host) ?? 1) - 1;
    if (left === 0) this.#running.delete(host);
    else this.#running.set(host, left);
    const next = this.#waiting.find((one) => this.#isFree(one.host));
    if (next === undefined) return;
    this.#waiting = this.#waiting.filter((one) => one !== next);
    this.#take(next.host);
    next.go();
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

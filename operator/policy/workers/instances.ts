// SPDX-License-Identifier: Apache-2.0
import { type Answer, PolicyInstance, type Question } from '../instance.ts';
import type { EvaluationClock } from '../metering/clock.ts';
import type { PolicyMemory } from '../policy-memory.ts';
import { EvaluationFailure, Failure } from '../verdict.ts';
import type { ModuleSource, WorkerSettings } from './messages.ts';

interface Loaded {
  readonly instance: PolicyInstance;
  readonly owner: string;
  /** What the first instance with this memory began with. */
  readonly beganWith: number;
  uses: number;
  /** It has failed: its memory alone is used again. */
  isSpent: boolean;
}

/**
 * The modules of one worker, and their instances: made when they are first asked, and anew when they have failed, grown or served long. What
 * has failed leaves its memory to the next instance of its module: to give it back is a collection of garbage, and to take as much again
 * costs the system more than to clear it.
 */
export class Instances {
  readonly #settings: WorkerSettings;
  readonly #clock: EvaluationClock;
  readonly #sources = new Map<string, ModuleSource>();
  /** The one used longest ago first. */
  readonly #loaded = new Map<string, Loaded>();
  #droppedBytes = 0;

  constructor(settings: WorkerSettings, clock: EvaluationClock) {
    this.#settings = settings;
    this.#clock = clock;
  }

  /** Tells what a key stands for. */
  add(key: string, source: ModuleSource): void {
    this.#sources.set(key, source);
  }

  forget(key: string): void {
    const { data } = this.#sources.get(key) ?? {};
    this.#droppedBytes += MODULE_BYTES + (data?.length ?? 0);
    this.#sources.delete(key);
    this.#drop(key);
  }

  /** Whether what was let go since this was asked last is worth to have its memory back: V8 does not see to that while nothing is made. */
  hasMuchToCollect(): boolean {
    const isMuch = this.#droppedBytes >= MUCH_BYTES;
    if (isMuch) this.#droppedBytes = 0;
    return isMuch;
  }

  /** Sees that there is an instance. Throws `EvaluationFailure` where there cannot be one. */
  load(key: string): void {
    this.#makeRoom(key);
    this.#load(key);
  }

  /** Asks an instance. Throws `EvaluationFailure`, and what failed is not asked again. */
  ask(key: string, question: Question): Answer {
    this.#makeRoom(key);
    const loaded = this.#load(key);
    this.#loaded.delete(key);
    loaded.isSpent = true;
    let isKept = true;
    try {
      const answer = loaded.instance.evaluate(question);
      loaded.uses += 1;
      loaded.isSpent = false;
      isKept = this.#isGoodFor(loaded);
      return answer;
    } finally {
      if (isKept) this.#loaded.set(key, loaded);
      // With what it has grown to, which may be all it may have: it had next to nothing before.
      else this.#droppedBytes += loaded.instance.memoryBytes;
    }
  }

  #load(key: string): Loaded {
    const known = this.#loaded.get(key);
    if (known?.isSpent === false) return known;
    const source = this.#sources.get(key);
    if (source === undefined)
      throw new EvaluationFailure(Failure.Lost, 'the worker was not told of this module');
    this.#loaded.delete(key);
    const instance = this.#newInstance(source, known?.instance.memory);
    const beganWith = known?.beganWith ?? instance.memoryBytes;
    const loaded = { instance, owner: source.owner, beganWith, uses: 0, isSpent: false };
    this.#loaded.set(key, loaded);
    return loaded;
  }

  #newInstance(source: ModuleSource, memory: PolicyMemory | undefined): PolicyInstance {
    try {
      return new PolicyInstance({ ...source, memory, limits: this.#settings.limits, clock: this.#clock });
    } catch (error) {
      // Nobody knows what it had taken when it failed.
      this.#droppedBytes += source.memoryMiB * MIB;
      throw error;
    }
  }

  #isGoodFor({ instance, beganWith, uses }: Loaded): boolean {
    const { recycleAfter, recycleBytes } = this.#settings;
    // With large data, what one evaluation takes is large as well, and to load them anew each time costs more than to keep what it took.
    const mayGrow = Math.max(recycleBytes, beganWith);
    return uses < recycleAfter && instance.memoryBytes - beganWith <= mayGrow;
  }

  /**
   * Before it is asked, an instance may take as much as it may ever have: the others have what is left then. What has to go is the one used
   * longest ago of whoever has most.
   */
  #makeRoom(key: string): void {
    const mayTake = (this.#sources.get(key)?.memoryMiB ?? 0) * MIB;
    const most = Math.max(this.#settings.residentBytes - mayTake, 0);
    let bytes = 0;
    for (const [one, { instance }] of this.#loaded) if (one !== key) bytes += instance.memoryBytes;
    if (bytes > most) this.#shrink(key, { bytes, most });
  }

  #shrink(key: string, { bytes, most }: { readonly bytes: number; readonly most: number }): void {
    const others = [...this.#loaded].filter(([one]) => one !== key);
    const sizes = new Map<string, number>();
    for (const [, { instance, owner }] of others)
      sizes.set(owner, (sizes.get(owner) ?? 0) + instance.memoryBytes);
    let left = bytes;
    while (left > most) {
      const [largest] = [...sizes].toSorted(([, a], [, b]) => b - a)[0] ?? [];
      const at = others.findIndex(([, { owner }]) => owner === largest);
      const [victim] = others.splice(at, 1);
      if (victim === undefined) return;
      const [name, { owner, instance }] = victim;
      sizes.set(owner, (sizes.get(owner) ?? 0) - instance.memoryBytes);
      left -= instance.memoryBytes;
      this.#drop(name);
    }
  }

  #drop(key: string): void {
    this.#droppedBytes += this.#loaded.get(key)?.instance.memoryBytes ?? 0;
    this.#loaded.delete(key);
  }
}

const MIB = 1024 * 1024;
const MUCH_BYTES = 32 * MIB;
/** What goes with a module, roughly: only V8 knows. */
const MODULE_BYTES = MIB;

// SPDX-License-Identifier: Apache-2.0
import { type Answer, PolicyInstance, type Question } from '../instance.ts';
import type { EvaluationClock } from '../metering/clock.ts';
import { EvaluationFailure, Failure } from '../verdict.ts';
import type { ModuleSource, WorkerSettings } from './messages.ts';

interface Loaded {
  readonly instance: PolicyInstance;
  readonly beganWith: number;
  uses: number;
}

/** The modules of one worker, and their instances: made when they are first asked, and anew when they have failed, grown or served long. */
export class Instances {
  readonly #settings: WorkerSettings;
  readonly #clock: EvaluationClock;
  readonly #sources = new Map<string, ModuleSource>();
  /** The one used longest ago first. */
  readonly #loaded = new Map<string, Loaded>();

  constructor(settings: WorkerSettings, clock: EvaluationClock) {
    this.#settings = settings;
    this.#clock = clock;
  }

  /** Tells what a key stands for. */
  add(key: string, source: ModuleSource): void {
    this.#sources.set(key, source);
  }

  forget(key: string): void {
    this.#sources.delete(key);
    this.#loaded.delete(key);
  }

  /** Sees that there is an instance. Throws `EvaluationFailure` where there cannot be one. */
  load(key: string): void {
    this.#load(key);
  }

  /** Asks an instance. Throws `EvaluationFailure`, and what failed is not asked again. */
  ask(key: string, question: Question): Answer {
    const loaded = this.#load(key);
    this.#loaded.delete(key);
    const answer = loaded.instance.evaluate(question);
    loaded.uses += 1;
    if (this.#isGoodFor(loaded)) this.#loaded.set(key, loaded);
    this.#shrink();
    return answer;
  }

  #load(key: string): Loaded {
    const known = this.#loaded.get(key);
    if (known !== undefined) return known;
    const source = this.#sources.get(key);
    if (source === undefined)
      throw new EvaluationFailure(Failure.Lost, 'the worker was not told of this module');
    const instance = new PolicyInstance({ ...source, limits: this.#settings.limits, clock: this.#clock });
    const loaded = { instance, beganWith: instance.memoryBytes, uses: 0 };
    this.#loaded.set(key, loaded);
    this.#shrink();
    return loaded;
  }

  #isGoodFor({ instance, beganWith, uses }: Loaded): boolean {
    const { recycleAfter, recycleBytes } = this.#settings;
    // With large data, what one evaluation takes is large as well, and to load them anew each time costs more than to keep what it took.
    const mayGrow = Math.max(recycleBytes, beganWith);
    return uses < recycleAfter && instance.memoryBytes - beganWith <= mayGrow;
  }

  /** Keeps at least the one used last, however large. */
  #shrink(): void {
    let bytes = [...this.#loaded.values()].reduce((sum, { instance }) => sum + instance.memoryBytes, 0);
    for (const [key, { instance }] of this.#loaded) {
      if (bytes <= this.#settings.residentBytes || this.#loaded.size === 1) return;
      this.#loaded.delete(key);
      bytes -= instance.memoryBytes;
    }
  }
}

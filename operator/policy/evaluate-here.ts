// SPDX-License-Identifier: Apache-2.0
import { type CompiledModule, ENGINE } from './engine.ts';
import { PolicyInstance } from './instance.ts';
import type { PolicyModule } from './module.ts';
import {
  EVALUATION_LIMITS,
  EvaluationFailure,
  type EvaluationLimits,
  Failure,
  type Verdict,
  verdictOf,
} from './verdict.ts';

/** What a policy knows beyond its rules and its input: JSON in UTF-8, by its digest. Bytes may be away as those of a module may. */
export interface PolicyData {
  readonly digest: string;
  readonly bytes: Uint8Array;
}

/** JSON in UTF-8, or what makes it anew each time that it is called, in a buffer that nobody else has: it is given away. */
export type Input = Uint8Array | (() => Uint8Array<ArrayBuffer>);

/** The bytes of an input. */
export function bytesOf(input: Input): Uint8Array {
  return typeof input === 'function' ? input() : input;
}

/** One question to a policy. */
export interface Evaluation {
  readonly module: PolicyModule;
  readonly entrypoint: string;
  readonly input: Input;
  readonly data?: PolicyData | undefined;
  readonly nowNs: bigint;
  readonly deadlineMs: number;
  readonly memoryMiB: number;
  /** Whose module it is; undefined is the platform. */
  readonly tenant: string | undefined;
}

/**
 * Evaluates in the thread of the caller, for tools and tests: nothing stops a module here that does not end. A module is compiled
 * anew each time, unless it is given a `session`.
 */
export function evaluateHere(evaluation: Evaluation, session: HereSession = new HereSession()): Verdict {
  const startedAt = performance.now();
  try {
    const { entrypoint, nowNs } = evaluation;
    const input = bytesOf(evaluation.input);
    const answer = session.instance(evaluation).evaluate({ entrypoint, input, nowNs });
    return verdictOf(answer?.json, microsSince(startedAt));
  } catch (error) {
    if (!(error instanceof EvaluationFailure)) throw error;
    session.discard(evaluation);
    return { kind: 'failed', reason: error.reason, message: error.message, micros: microsSince(startedAt) };
  }
}

/** Modules that stay loaded between calls of `evaluateHere`. */
export class HereSession {
  readonly #instances = new Map<string, PolicyInstance>();
  readonly #limits: EvaluationLimits;

  constructor(limits: EvaluationLimits = EVALUATION_LIMITS) {
    this.#limits = limits;
  }

  /** The instance for this module with these data. Throws `EvaluationFailure` where it cannot be loaded. */
  instance(evaluation: Evaluation): PolicyInstance {
    const { module, data, memoryMiB } = evaluation;
    const key = keyOf(evaluation);
    const known = this.#instances.get(key);
    if (known !== undefined) return known;
    const compiled = compile(module);
    const { layout } = module;
    const instance = new PolicyInstance({
      compiled,
      layout,
      memoryMiB,
      data: data?.bytes,
      limits: this.#limits,
    });
    this.#instances.set(key, instance);
    return instance;
  }

  /** Forgets an instance that has failed: its memory may be in any state. */
  discard(evaluation: Evaluation): void {
    this.#instances.delete(keyOf(evaluation));
  }
}

function compile({ metered }: PolicyModule): CompiledModule {
  try {
    return new ENGINE.Module(metered);
  } catch (error) {
    throw new EvaluationFailure(Failure.Trap, error instanceof Error ? error.message : String(error));
  }
}

function keyOf({ module, data, memoryMiB }: Evaluation): string {
  return `${module.digest} ${data?.digest ?? ''} ${memoryMiB}`;
}

function microsSince(startedAt: number): number {
  return Math.round((performance.now() - startedAt) * 1000);
}

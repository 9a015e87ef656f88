// SPDX-License-Identifier: Apache-2.0

/** Why an evaluation came to no value. */
export const Failure = {
  /** It took longer than it may, and was stopped. */
  Timeout: 'Timeout',
  /** It needed more memory than it may have. */
  OutOfMemory: 'OutOfMemory',
  /** The module gave up by itself, such as where one rule has two values. */
  Abort: 'Abort',
  /** It called a builtin that it did not name before, or one that could not answer. */
  Builtin: 'Builtin',
  /** It did what WebAssembly forbids. */
  Trap: 'Trap',
  /** It called itself too deep. */
  StackOverflow: 'StackOverflow',
  ResultTooLarge: 'ResultTooLarge',
  InputTooLarge: 'InputTooLarge',
  /** What it answered is no decision. */
  BadResult: 'BadResult',
  /** It has no such entry point. */
  Entrypoint: 'Entrypoint',
  /** Too much waits already. */
  Overloaded: 'Overloaded',
  /** The module has failed too often of late. */
  Quarantined: 'Quarantined',
  /** The worker ended, for no reason of the module's that is known. */
  Lost: 'Lost',
} as const;
/** One of them. */
export type Failure = (typeof Failure)[keyof typeof Failure];

/** What an evaluation came to. `undefined` is not `false`: no rule has spoken. `micros` is what it took, in a worker of a processor. */
export type Verdict =
  | { readonly kind: 'value'; readonly value: unknown; readonly micros: number }
  | { readonly kind: 'undefined'; readonly micros: number }
  | { readonly kind: 'failed'; readonly reason: Failure; readonly message: string; readonly micros: number };

/** How large and how deep things may be. */
export interface EvaluationLimits {
  readonly maxInputBytes: number;
  readonly maxResultBytes: number;
  /** Of input and result: whoever walks them must not run out of stack. */
  readonly maxDepth: number;
}

/** An object of Kubernetes has at most 3 MiB on its way in, and a review has two of them. */
export const EVALUATION_LIMITS: EvaluationLimits = {
  maxInputBytes: 8 * 1024 * 1024,
  maxResultBytes: 256 * 1024,
  maxDepth: 128,
};

/** An evaluation that has failed, on its way to becoming a verdict. */
export class EvaluationFailure extends Error {
  readonly reason: Failure;

  constructor(reason: Failure, message: string) {
    super(message);
    this.reason = reason;
  }
}

/** The verdict that the text of an answer stands for; undefined where there was none. */
export function verdictOf(json: string | undefined, micros: number): Verdict {
  if (json === undefined) return { kind: 'undefined', micros };
  const value = resultOf(json);
  if (value !== undefined) return { kind: 'value', value: value.result, micros };
  const message = 'the module answered with something else than one result';
  return { kind: 'failed', reason: Failure.BadResult, message, micros };
}

/** A list of one object with `result` alone. */
function resultOf(json: string): { readonly result: unknown } | undefined {
  const list = parse(json);
  if (!Array.isArray(list) || list.length !== 1) return undefined;
  const only: unknown = list[0];
  return typeof only === 'object' && only !== null && 'result' in only ? only : undefined;
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

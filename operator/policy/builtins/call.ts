// SPDX-License-Identifier: Apache-2.0
import { TooLong } from '../go-format/sprintf.ts';
import type { Value } from '../values/value.ts';
import { EvaluationFailure, Failure } from '../verdict.ts';
import { type BuiltinCall, TooMuch } from './builtin.ts';
import { findBuiltin } from './known.ts';

/**
 * Calls a builtin. Throws `EvaluationFailure` where it cannot answer: what goes wrong in here must never be taken for undefined,
 * which in a rule that denies means that it does not.
 */
export function callBuiltin(name: string, args: readonly Value[], call: BuiltinCall): Value | undefined {
  const builtin = findBuiltin(name);
  if (builtin === undefined) throw new EvaluationFailure(Failure.Builtin, `${name} is not given to policies`);
  try {
    return builtin(args, call);
  } catch (error) {
    // Such as that its time is over.
    if (error instanceof EvaluationFailure) throw error;
    throw new EvaluationFailure(Failure.Builtin, `${name}: ${reasonOf(error)}`);
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof TooMuch || error instanceof TooLong) return error.message;
  if (error instanceof RangeError && error.message.startsWith('Maximum call stack'))
    return 'the values are nested too deep';
  return `could not be computed (${error instanceof Error ? error.name : 'unknown'})`;
}

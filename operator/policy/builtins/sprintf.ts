// SPDX-License-Identifier: Apache-2.0
import { type Argument, numberArgument, sprintf } from '../go-format/sprintf.ts';
import { isArray, isNumber, type Value } from '../values/value.ts';
import { showValue, writeValue } from '../values/write.ts';
import type { Builtins } from './builtin.ts';

/** Messages. OPA formats them with Go's own function, down to what it says where format and arguments do not fit. */
export const SPRINTF_BUILTINS: Builtins = {
  sprintf: ([format, args]) => {
    if (typeof format !== 'string' || args === undefined || !isArray(args)) return undefined;
    return sprintf(format, args.map(toArgument));
  },
};

function toArgument(value: Value): Argument {
  if (isNumber(value)) return numberArgument(writeValue(value));
  return { type: 'string', value: typeof value === 'string' ? value : showValue(value) };
}

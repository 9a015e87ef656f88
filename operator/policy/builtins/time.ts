// SPDX-License-Identifier: Apache-2.0
import { type Builtins, fromWhole } from './builtin.ts';

/** Time. What is now is told from outside, once for an evaluation. */
export const TIME_BUILTINS: Builtins = {
  'time.now_ns': (_, { nowNs }) => fromWhole(nowNs),
};

// SPDX-License-Identifier: Apache-2.0
import type { KueueSettings } from '../kueue.ts';

/** Kueue with the settings that a case does not speak of. */
export const KUEUE: KueueSettings = {
  version: 'v1beta2',
  cohort: 'all',
  guaranteedPercent: 100,
  flavors: new Map(),
  priorityClasses: new Map(),
};

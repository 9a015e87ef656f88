// SPDX-License-Identifier: Apache-2.0
import { type Prices, readPrices } from './core/metering/prices.ts';
import type { Setting } from './settings.ts';

/** What tenants pay, as the operator and the admission process are told. */
export const PRICES = {
  what: 'What tenants pay for a million of each, by the plan of the Tenant, as JSON. A plan that is not named pays the default; without one, what its Runs cost is not known.',
  default: '{}',
  allowed:
    '{"currency": "USD", "default": {"runUnits": "11.5", "inputTokens": "3", "outputTokens": "15"}, "plans": {"gold": {"runUnits": "9"}}}: decimals as texts below a billion with up to six places, of runUnits, inputTokens, outputTokens, toolCalls and sandboxCalls; up to 64 plans',
  parse: (text) => {
    const read = readPrices(text);
    return read.kind === 'ok' ? read.prices : undefined;
  },
  explain: (text) => {
    const read = readPrices(text);
    return read.kind === 'ok' ? [] : read.problems;
  },
} satisfies Setting<Prices>;

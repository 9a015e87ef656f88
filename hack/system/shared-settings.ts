// SPDX-License-Identifier: Apache-2.0

/** What tenants of two plans pay for a million of each, in the systems of tests. Others have no price. */
export const TEST_PRICES = {
  currency: 'USD',
  plans: {
    priced: { runUnits: '500000', inputTokens: '3000', outputTokens: '15000', toolCalls: '1000.5' },
    dear: { runUnits: '1000000' },
  },
} as const;

/** Settings of the operator that tests share, as environment variables. */
export const SHARED_SETTINGS = { NEXUSOS_PRICES: JSON.stringify(TEST_PRICES) } as const;

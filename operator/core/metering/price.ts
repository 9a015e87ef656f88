// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { type Price, PRICED } from '#crds/v1alpha1/price';
import type { PodUse } from '#crds/v1alpha1/run-usage';
import { larger } from '../quota/amounts.ts';
import { divideHalfUp, MICRO } from './micro.ts';

/** What a price is for: what an attempt comes to, in millionths of run units, and what its containers report. */
export interface Charged {
  readonly runUnits: bigint;
  readonly pods: readonly PodUse[];
}

/** Prices are of a million, and amounts are in millionths. */
const SCALE = MICRO * MICRO;
const REPORTED = PRICED.filter((one) => one !== 'runUnits');

/**
 * What an attempt costs, in millionths of the currency: nothing without a price. Rounded once, half up.
 *
 * 60.3 run units at 11.5 for a million, and 2,000 tokens read at 3 for a million: 0.000693 + 0.006 = 0.006693.
 */
export function chargeOf(price: Price | undefined, { runUnits, pods }: Charged): bigint {
  if (price === undefined) return 0n;
  const calls = pods.reduce((sum, { reported = {} }) => {
    return REPORTED.reduce((so, key) => so + BigInt(reported[key] ?? 0) * BigInt(price[key] ?? 0), sum);
  }, 0n);
  return divideHalfUp(runUnits * BigInt(price.runUnits ?? 0) + calls * MICRO, SCALE);
}

/**
 * What is expected to be paid, for run units and tokens in millionths. Whether tokens are read or written nobody knows before, so they
 * cost what the dearer ones do.
 */
export function chargeAhead(
  price: Price | undefined,
  { runUnits, tokens }: { readonly runUnits: bigint; readonly tokens: bigint },
): bigint {
  if (price === undefined) return 0n;
  const { inputTokens = 0, outputTokens = 0 } = price;
  const perToken = larger(BigInt(inputTokens), BigInt(outputTokens));
  return divideHalfUp(runUnits * BigInt(price.runUnits ?? 0) + tokens * perToken, SCALE);
}

/** What tells a price from others, whatever the order of its fields. */
export function priceDigest(price: Price): string {
  const known = digests.get(price);
  if (known !== undefined) return known;
  const texts = [price.currency, ...PRICED.map((unit) => price[unit] ?? 0)];
  const digest = createHash('sha256').update(texts.join('/')).digest('base64url').slice(0, DIGEST_LENGTH);
  digests.set(price, digest);
  return digest;
}

const digests = new WeakMap<Price, string>();
const DIGEST_LENGTH = 8;

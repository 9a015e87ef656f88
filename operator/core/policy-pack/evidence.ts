// SPDX-License-Identifier: Apache-2.0

/** How often something was seen among so many tries. */
export interface Tally {
  readonly seen: number;
  readonly of: number;
}

/** Rates that the alternative is spread over, as multiples of the bound: just above it, where evidence is slow, and far above. */
const MULTIPLES = [1.25, 1.5, 2, 3, 5, 10, 20] as const;
/** The same as rates, whatever the bound: what refuses half of everything, or all of it, is found at once. */
const RATES = [0.1, 0.25, 0.5, 0.75, 0.95, 0.999] as const;

/**
 * The natural logarithm of the evidence that the rate behind `tally` is above `bound`: an e-value, so that, while each try is seen with
 * a probability of at most `bound` given all before it, it comes to 1/alpha at ANY moment with a probability of at most alpha. One may
 * look as often as one likes, and stop when one likes.
 *
 * It is the mean, over some rates q above the bound m, of the likelihood ratio (q/m)^seen * ((1-q)/(1-m))^(of-seen). Each factor has a mean of
 * at most 1 for every true rate up to m (it grows with the rate, and is 1 at m), so each product is a nonnegative supermartingale that
 * begins at 1, their mean is one, and Ville's inequality bounds how high it ever gets. It depends on the counts alone, so counts of
 * several processes may be added in whatever order they come.
 *
 * J. Ville, Etude critique de la notion de collectif, 1939; H. Robbins, Statistical methods related to the law of the iterated logarithm,
 * Annals of Mathematical Statistics 41 (1970), for mixtures; I. Waudby-Smith and A. Ramdas, Estimating means of bounded random variables by
 * betting, JRSS B 86 (2024), for the form as bets.
 *
 * logEvidence({ seen: 0, of: 100 }, 0.05) -> below 0; logEvidence({ seen: 1, of: 9 }, 0) -> Infinity, since never means never
 */
export function logEvidence({ seen, of }: Tally, bound: number): number {
  if (of === 0 || bound >= 1) return 0;
  if (bound <= 0) return seen > 0 ? Infinity : 0;
  const rates = alternatives(bound);
  const logs = rates.map((q) => seen * Math.log(q / bound) + (of - seen) * Math.log((1 - q) / (1 - bound)));
  const top = Math.max(...logs);
  return top + Math.log(logs.reduce((sum, one) => sum + Math.exp(one - top), 0) / logs.length);
}

/** Whether a rate above `bound` is shown, with a probability of at most `alpha` of ever saying so wrongly. */
export function isAbove(tally: Tally, bound: number, alpha: number): boolean {
  return logEvidence(tally, bound) >= -Math.log(alpha);
}

/** Whether what was seen so far is within `bound`, without any claim about what was not seen. */
export function isWithin({ seen, of }: Tally, bound: number): boolean {
  return seen <= bound * of;
}

function alternatives(bound: number): readonly number[] {
  const near = MULTIPLES.map((one) => one * bound);
  return [...near, ...RATES, (1 + bound) / 2].filter((rate) => rate > bound && rate < 1);
}

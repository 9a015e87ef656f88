// SPDX-License-Identifier: Apache-2.0
import { compareText } from '../values/value.ts';
import { type Builtins, ofTexts } from './builtin.ts';

interface Version {
  readonly numbers: readonly bigint[];
  readonly preRelease: readonly string[];
}

const NUMBER = '(0|[1-9][0-9]*)';
const WORDS = '[0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*';
const VERSION = new RegExp(`^v?${NUMBER}\\.${NUMBER}\\.${NUMBER}(?:-(${WORDS}))?(?:\\+${WORDS})?$`);
const LARGEST = 2n ** 63n - 1n;

/** Versions as semver.org has them, with or without a `v` before them. */
export const VERSION_BUILTINS: Builtins = {
  'semver.is_valid': ([text]) => typeof text === 'string' && parse(text) !== undefined,
  'semver.compare': ofTexts((a, b) => {
    const [one, other] = [parse(a), parse(b)];
    return one === undefined || other === undefined ? undefined : Math.sign(compare(one, other));
  }),
};

function parse(text: string): Version | undefined {
  const match = VERSION.exec(text);
  if (match === null) return undefined;
  const numbers = match.slice(1, 4).map(BigInt);
  const preRelease = match[4]?.split('.') ?? [];
  const isWrong = numbers.some((one) => one > LARGEST) || preRelease.some((word) => /^0[0-9]+$/.test(word));
  return isWrong ? undefined : { numbers, preRelease };
}

function compare(a: Version, b: Version): number {
  for (const [index, one] of a.numbers.entries()) {
    const other = b.numbers[index] ?? 0n;
    if (one !== other) return one > other ? 1 : -1;
  }
  // What comes before a release is less than it.
  if (a.preRelease.length === 0 || b.preRelease.length === 0)
    return b.preRelease.length - a.preRelease.length;
  return comparePreReleases(a.preRelease, b.preRelease);
}

function comparePreReleases(a: readonly string[], b: readonly string[]): number {
  for (const [index, one] of a.entries()) {
    const other = b[index];
    if (other === undefined) return 1;
    const difference = compareWords(one, other);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** Numbers come before words. */
function compareWords(a: string, b: string): number {
  const [isNumber, isOther] = [/^[0-9]+$/.test(a), /^[0-9]+$/.test(b)];
  if (isNumber !== isOther) return isNumber ? -1 : 1;
  return isNumber && isOther ? Number(BigInt(a) - BigInt(b)) : compareText(a, b);
}

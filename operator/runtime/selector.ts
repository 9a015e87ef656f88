// SPDX-License-Identifier: Apache-2.0

type Labels = Readonly<Record<string, string>>;
type Test = (labels: Labels) => boolean;

/** `key in (a, b)` and `key notin (a, b)`; the rest are single terms. */
const SET_TERM = /^(\S+)\s+(in|notin)\s+\(([^)]*)\)$/;
const EQUALITY_TERM = /^([^!=\s]+)\s*(==|=|!=)\s*(\S*)$/;

/**
 * A test for a label selector as the API server reads it: `a=b,c!=d,e in (f,g),h,!i`, all of which must hold.
 *
 * @throws Error when the selector cannot be read.
 */
export function labelMatcher(selector: string): Test {
  const tests = splitTerms(selector).map(termTest);
  return (labels) => tests.every((test) => test(labels));
}

/** Splits at commas that are not in parentheses. */
function splitTerms(selector: string): string[] {
  return selector
    .split(/,(?![^(]*\))/)
    .map((term) => term.trim())
    .filter((term) => term !== '');
}

function termTest(term: string): Test {
  const [, setKey, operator, list] = SET_TERM.exec(term) ?? [];
  if (setKey !== undefined && list !== undefined) return setTest(setKey, operator === 'in', list);
  const [, key, sign, value] = EQUALITY_TERM.exec(term) ?? [];
  if (key !== undefined) return (labels) => (labels[key] === value) === (sign !== '!=');
  if (/^!?[\w./-]+$/.test(term)) return existenceTest(term);
  throw new Error(`cannot read the label selector term "${term}"`);
}

function setTest(key: string, isIn: boolean, list: string): Test {
  const values = new Set(list.split(',').map((value) => value.trim()));
  return (labels) => {
    const value = labels[key];
    return (value !== undefined && values.has(value)) === isIn;
  };
}

function existenceTest(term: string): Test {
  if (!term.startsWith('!')) return (labels) => labels[term] !== undefined;
  return (labels) => labels[term.slice(1)] === undefined;
}

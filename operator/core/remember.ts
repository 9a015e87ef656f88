// SPDX-License-Identifier: Apache-2.0

/**
 * `find`, which has to be pure, with what it found remembered: of `most` texts at one time, whoever asked for them and whether they are still of use.
 * When there are more, all are forgotten, which costs less than to know which was asked for last, and no answer depends on it.
 */
export function remembering<Found>(most: number, find: (text: string) => Found): (text: string) => Found {
  const found = new Map<string, Found>();
  return (text) => {
    const known = found.get(text);
    if (known !== undefined || found.has(text)) return known as Found;
    const value = find(text);
    if (found.size >= most) found.clear();
    found.set(text, value);
    return value;
  };
}

// SPDX-License-Identifier: Apache-2.0

/** One thing that `npm run verify` holds the repository to. */
export interface Check {
  /** Two or three words for the summary: `imports`, `generated files`. */
  readonly name: string;
  run(): Promise<Finding> | Finding;
}

/** What a check found. No problems means that it passed. */
export interface Finding {
  /** One line each: where it is, what is wrong, what would be right. */
  readonly problems: readonly string[];
  /** Figures for people, printed whether the check passed or not. */
  readonly report?: readonly string[];
}

/** The finding of a check that only has problems, or none. */
export function problems(list: readonly string[]): Finding {
  return { problems: list };
}

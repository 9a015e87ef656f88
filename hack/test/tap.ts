// SPDX-License-Identifier: Apache-2.0

/** Tests by how they ended. */
export interface Tally {
  passed: number;
  failed: number;
  skipped: number;
  /** Titles of those that failed, in the order in which they did. */
  readonly failures: string[];
}

/** Nothing counted yet. */
export function emptyTally(): Tally {
  return { passed: 0, failed: 0, skipped: 0, failures: [] };
}

/** Adds `other` to `tally`. */
export function addTally(tally: Tally, other: Tally): void {
  tally.passed += other.passed;
  tally.failed += other.failed;
  tally.skipped += other.skipped;
  tally.failures.push(...other.failures);
}

const RESULT = /^(not )?ok \d+ - (.*?)(?: # (SKIP|TODO).*)?$/;
/** What TAP says around the results and nobody needs to read. */
const FRAME = /^(TAP version|\d+\.\.\d+|# (tests|pass|fail|skip|todo) )/;

/**
 * Counts one line of TAP into `tally` and returns what a person should read of it; undefined for nothing. A test that is
 * skipped or only planned is neither passed nor failed.
 */
export function readTapLine(line: string, tally: Tally): string | undefined {
  const result = RESULT.exec(line);
  if (result === null) return FRAME.test(line) || line.trim() === '' ? undefined : line;
  const [, not, title = '', directive] = result;
  if (directive !== undefined) {
    tally.skipped += 1;
    return `- ${title} (${directive.toLowerCase()})`;
  }
  if (not === undefined) {
    tally.passed += 1;
    return `✔ ${title}`;
  }
  tally.failed += 1;
  tally.failures.push(title);
  return `✘ ${title}`;
}

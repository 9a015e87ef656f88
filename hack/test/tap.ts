// SPDX-License-Identifier: Apache-2.0

/** A test that failed, or something else that went wrong. */
export interface Failure {
  readonly title: string;
  /** The first lines that TAP had to say of it. */
  readonly details: string[];
}

/** Tests by how they ended. */
export interface Tally {
  passed: number;
  failed: number;
  skipped: number;
  /** In the order in which they came. */
  readonly failures: Failure[];
  /** The failure that details still belong to. */
  open: Failure | undefined;
}

/** Nothing counted yet. */
export function emptyTally(): Tally {
  return { passed: 0, failed: 0, skipped: 0, failures: [], open: undefined };
}

/** Adds `other` to `tally`. */
export function addTally(tally: Tally, other: Tally): void {
  tally.passed += other.passed;
  tally.failed += other.failed;
  tally.skipped += other.skipped;
  tally.failures.push(...other.failures);
}

/** Counts something that went wrong. */
export function addFailure(tally: Tally, title: string): Failure {
  const failure: Failure = { title, details: [] };
  tally.failed += 1;
  tally.failures.push(failure);
  return failure;
}

/** Every failure with its details, for the end of a long log: who sees only that must see why. */
export function failureText({ failures }: Tally): string {
  return failures.map(({ title, details }) => [`  ${title}`, ...details].join('\n  ')).join('\n');
}

const MAX_DETAILS = 20;
const RESULT = /^(not )?ok \d+ - (.*?)(?: # (SKIP|TODO).*)?$/;
/** What TAP says around the results and nobody needs to read. */
const FRAME = /^(TAP version|\d+\.\.\d+|# (tests|pass|fail|skip|todo) )/;

/**
 * Counts one line of TAP into `tally` and returns what a person should read of it; undefined for nothing. A test that is
 * skipped or only planned is neither passed nor failed.
 */
export function readTapLine(line: string, tally: Tally): string | undefined {
  const result = RESULT.exec(line);
  if (result === null) return readDetail(line, tally);
  tally.open = undefined;
  const [, not, title = '', directive] = result;
  if (directive !== undefined) {
    tally.skipped += 1;
    return `- ${title} (${directive.toLowerCase()})`;
  }
  if (not === undefined) {
    tally.passed += 1;
    return `✔ ${title}`;
  }
  tally.open = addFailure(tally, title);
  return `✘ ${title}`;
}

function readDetail(line: string, { open }: Tally): string | undefined {
  if (FRAME.test(line) || line.trim() === '') return undefined;
  if (line.startsWith('  ') && open !== undefined && open.details.length < MAX_DETAILS)
    open.details.push(line);
  return line;
}

// SPDX-License-Identifier: Apache-2.0
import type { Finding } from './check.ts';
import type { SourceFile } from './source-files.ts';

/** Sizes in lines that nothing may exceed, and those that half and nine tenths should stay under. */
export const BUDGET = {
  file: { median: 100, p90: 250, max: 400 },
  function: { median: 12, p90: 30, max: 60 },
} as const;

/** Tests, scenarios and measurements tell a story from top to bottom; their functions may be long. */
const SCRIPTS = /\.test\.ts$|^e2e\/|^hack\/bench\//;

/** Median, ninth decile and maximum of some sizes; zeros when there are none. */
export interface Spread {
  readonly median: number;
  readonly p90: number;
  readonly max: number;
}

/**
 * The spread of `sizes`, by nearest rank.
 *
 * spread([1, 2, 3, 4, 10]) -> { median: 3, p90: 10, max: 10 }
 */
export function spread(sizes: readonly number[]): Spread {
  const sorted = sizes.toSorted((a, b) => a - b);
  const rank = (share: number): number => sorted[Math.max(Math.ceil(sorted.length * share) - 1, 0)] ?? 0;
  return { median: rank(0.5), p90: rank(0.9), max: rank(1) };
}

/**
 * Holds files to the maximum, and functions outside of scripts. Median and p90 are reported: they
 * say where the code is heading, which no single file can be blamed for.
 */
export function checkSizes(files: readonly SourceFile[]): Finding {
  const products = files.filter((file) => !SCRIPTS.test(file.path));
  const functions = products.flatMap((file) => file.functions);
  const longFiles = files
    .filter((file) => file.lines > BUDGET.file.max)
    .map((file) => `${file.path}: ${file.lines} lines; at most ${BUDGET.file.max}`);
  const longFunctions = products.flatMap((file) =>
    file.functions
      .filter((one) => one.lines > BUDGET.function.max)
      .map(
        (one) =>
          `${file.path}:${one.line}: ${one.name} has ${one.lines} lines; at most ${BUDGET.function.max}`,
      ),
  );
  return {
    problems: [...longFiles, ...longFunctions],
    report: [
      reportLine('file lines', spread(products.map((file) => file.lines)), BUDGET.file),
      reportLine('function lines', spread(functions.map((one) => one.lines)), BUDGET.function),
    ],
  };
}

function reportLine(what: string, is: Spread, budget: Spread): string {
  const figures = (['median', 'p90', 'max'] as const).map(
    (key) => `${key} ${is[key]} (budget ${budget[key]})`,
  );
  return `${what}: ${figures.join(', ')}`;
}

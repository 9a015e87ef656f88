// SPDX-License-Identifier: Apache-2.0
import type { SourceFile } from './source-files.ts';

/** The first line of every file that is code. */
export const LICENCE_LINE = 'SPDX-License-Identifier: Apache-2.0';

/** A text file and its content; `path` is relative to the repository. */
export interface TextFile {
  readonly path: string;
  readonly text: string;
}

/** Files without the licence in one of their first two lines (the very first may be `#!`). */
export function headerProblems(files: readonly TextFile[]): readonly string[] {
  return files
    .filter(({ text }) => !text.split('\n', 2).some((line) => line.includes(LICENCE_LINE)))
    .map(({ path }) => `${path}: the first line must hold ${LICENCE_LINE}`);
}

/** Exported functions, classes and types without a doc comment, tests aside. */
export function commentProblems(files: readonly SourceFile[]): readonly string[] {
  return files
    .filter((file) => !file.path.endsWith('.test.ts'))
    .flatMap((file) =>
      file.exports
        .filter((one) => one.kind === 'other' && !one.documented)
        .map((one) => `${file.path}:${one.line}: ${one.name} is exported without a doc comment`),
    );
}

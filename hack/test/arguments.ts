// SPDX-License-Identifier: Apache-2.0

/** What `npm test -- ...` asks for. */
export interface TestSelection {
  /** Files, or folders of files; none means all. */
  readonly paths: readonly string[];
  /** For ava, as they are. */
  readonly options: readonly string[];
  /** Whether only tests of certain titles are wanted, so that a file may well run none. */
  readonly byTitle: boolean;
}

const WITH_VALUE = new Set(['--match', '-m', '--timeout', '-T', '--concurrency', '-c']);

/** readArguments(['-m', '*GPU*', 'e2e']) -> { paths: ['e2e'], options: ['-m', '*GPU*'], byTitle: true } */
export function readArguments(args: readonly string[]): TestSelection {
  const paths: string[] = [];
  const options: string[] = [];
  const rest = [...args];
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    if (!arg.startsWith('-')) {
      paths.push(arg);
      continue;
    }
    options.push(arg);
    const value = WITH_VALUE.has(arg) ? rest.shift() : undefined;
    if (value !== undefined) options.push(value);
  }
  return { paths, options, byTitle: options.some((one) => /^(--match|-m)(=|$)/.test(one)) };
}

/**
 * The test files among `all` that `paths` name, `file.test.ts:12` included.
 *
 * @throws Error when one of `paths` names none: a test that does not run must not count as passed.
 */
export function selectFiles(all: readonly string[], paths: readonly string[]): readonly string[] {
  if (paths.length === 0) return all;
  const chosen = paths.flatMap((path) => {
    const [, name = path, lines = ''] =
      /^(.*?)(:[\d,-]+)?$/.exec(path.replace(/^\.\//, '').replace(/\/$/, '')) ?? [];
    const found = all.filter((file) => file === name || file.startsWith(`${name}/`));
    if (found.length === 0) throw new Error(`no test file is, or is under, ${path}`);
    return found.map((file) => `${file}${lines}`);
  });
  return [...new Set(chosen)];
}

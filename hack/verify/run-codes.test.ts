// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ERROR_CODES } from '#crds/v1alpha1/error-codes';
import { RUN_REASONS } from '#crds/v1alpha1/run';
import { RUN_CALL_REASONS } from '#crds/v1alpha1/run-calls';

const ROOT = join(import.meta.dirname, '../..');

/** What the page of Runs says of how they fail: reasons, and the cell of their codes. */
function rowsOfPage(): ReadonlyMap<string, string> {
  const page = readFileSync(join(ROOT, 'docs/spec/v1alpha1/run.md'), 'utf8');
  const [, section = ''] = page.split('\n## How it fails\n');
  const [table = ''] = section.split('\n## ');
  const rows = table.split('\n').filter((line) => /^\| `[A-Z]/u.test(line));
  return new Map(
    rows.flatMap((line) => {
      const [, reasons = '', codes = ''] = line.split('|');
      return [...reasons.matchAll(/`(\w+)`/gu)].map(([, reason = '']) => [reason, codes] as const);
    }),
  );
}

/**
 * What tests of Runs want: reasons with the codes that they find, as `reason: 'TimedOut', code: 'timeout'`. One that is given up is Admitted until
 * nothing of it is left.
 */
function wantedByTests(): readonly (readonly [reason: string, code: string])[] {
  return globSync('operator/core/{run,tree}/*.test.ts', { cwd: ROOT }).flatMap((file) => {
    const text = readFileSync(join(ROOT, file), 'utf8');
    const found = text.matchAll(/phase: '(?:Failed|Admitted)',\s+reason: '(\w+)',\s+code: '(\w+)'/gu);
    return [...found].map(([, reason = '', code = '']) => [reason, code] as const);
  });
}

test('the page of Runs says the code with which each reason fails, as tests of Runs find it', (t) => {
  const rows = rowsOfPage();
  const known = { ...RUN_REASONS, ...RUN_CALL_REASONS };
  // One that stands for another ends as that one did, whose reason is not known any more.
  const wanted = wantedByTests().filter(([reason]) => Object.hasOwn(known, reason));
  t.true(wanted.length > 20, `${wanted.length}`);
  const untold = wanted.filter(([reason, code]) => {
    const codes = rows.get(reason) ?? '';
    return !codes.includes(`\`${code}\``) && !codes.includes('what the container says');
  });
  t.deepEqual(untold, []);
});

test('each reason on the page of Runs is one that a test finds, with a code', (t) => {
  const found = new Set(wantedByTests().map(([reason]) => reason));
  // What does not parse has not ended, and has no code.
  const untried = [...rowsOfPage()].filter(
    ([reason, codes]) => codes.trim() !== 'none' && !found.has(reason),
  );
  t.deepEqual(untried, []);
});

test('a code on the page of Runs is one of the twelve, and all twelve have a page', (t) => {
  const codes = [...rowsOfPage().values()].flatMap((cell) =>
    [...cell.matchAll(/`(\w+)`/gu)].map(([, code]) => code),
  );
  t.deepEqual(
    codes.filter((one) => !ERROR_CODES.some((code) => code === one)),
    [],
  );
  const page = readFileSync(join(ROOT, 'docs/reference/error-codes.md'), 'utf8');
  for (const code of ERROR_CODES) t.true(page.includes(`| \`${code}\` | `), code);
});

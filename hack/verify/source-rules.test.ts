// SPDX-License-Identifier: Apache-2.0
import { symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { checkSizes, spread } from './sizes.ts';
import { temporaryFolder } from '../tools/testing/temporary-folder.ts';
import { readSourceFiles, type SourceFile } from './source-files.ts';
import { commentProblems, headerProblems } from './source-rules.ts';

const SAMPLE = `// SPDX-License-Identifier: Apache-2.0
import type { A } from '#crds/a';
export { b } from './b.ts';
/** Says so. */
export const documented = 1;
export function bare(): Promise<unknown> {
  return import('node:fs');
}
type C = import('zod').ZodType;
export const plain = 2;
`;

test('the compiler tells imports, functions and doc comments', async (t) => {
  const root = await temporaryFolder(t, 'verify');
  await writeFile(join(root, 'tsconfig.json'), '{"compilerOptions":{"noEmit":true},"include":["*.ts"]}');
  await writeFile(join(root, 'sample.ts'), SAMPLE);
  await symlink(join(import.meta.dirname, '../../node_modules'), join(root, 'node_modules'));
  const [file] = readSourceFiles(root);
  t.is(file!.lines, 10);
  t.deepEqual(
    file!.imports.map((one) => `${one.line} ${one.specifier}`),
    ['2 #crds/a', '3 ./b.ts', '7 node:fs', '9 zod'],
  );
  t.deepEqual(file!.functions, [{ name: 'bare', line: 6, lines: 3 }]);
  t.deepEqual(commentProblems([file!]), ['sample.ts:6: bare is exported without a doc comment']);
});

test('a file without licence is named', (t) => {
  const files = [
    { path: 'a.ts', text: '// SPDX-License-Identifier: Apache-2.0\nx' },
    { path: 'b.sh', text: '#!/bin/sh\n# SPDX-License-Identifier: Apache-2.0\n' },
    { path: 'c.ts', text: '\n\n// SPDX-License-Identifier: Apache-2.0\n' },
  ];
  t.deepEqual(headerProblems(files), ['c.ts: the first line must hold SPDX-License-Identifier: Apache-2.0']);
});

test('spread goes by nearest rank', (t) => {
  t.deepEqual(spread([]), { median: 0, p90: 0, max: 0 });
  t.deepEqual(spread([7]), { median: 7, p90: 7, max: 7 });
  t.deepEqual(spread([10, 1, 2, 3, 4]), { median: 3, p90: 10, max: 10 });
  t.deepEqual(spread(Array.from({ length: 100 }, (_, i) => i + 1)), { median: 50, p90: 90, max: 100 });
});

function fileOf(path: string, lines: number, length: number): SourceFile {
  return {
    path,
    text: '',
    lines,
    imports: [],
    functions: [{ name: 'f', line: 3, lines: length }],
    exports: [],
  };
}

test('what is too long is named; long functions of tests are not', (t) => {
  const files = [fileOf('a.ts', 400, 60), fileOf('b.ts', 401, 61), fileOf('b.test.ts', 10, 99)];
  t.deepEqual(checkSizes(files).problems, [
    'b.ts: 401 lines; at most 400',
    'b.ts:3: f has 61 lines; at most 60',
  ]);
});

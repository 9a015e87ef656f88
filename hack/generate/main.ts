// SPDX-License-Identifier: Apache-2.0
import { join } from 'node:path';
import { generatedFiles } from './all.ts';
import { differences, writeFiles } from './file.ts';

const root = join(import.meta.dirname, '../..');
const args = process.argv.slice(2);
const isCheck = args.includes('--check');
const unknown = args.filter((arg) => arg !== '--check');
if (unknown.length > 0) {
  console.error(`npm run generate: unknown argument ${unknown.join(' ')}; allowed is --check`);
  process.exit(2);
}

const files = await generatedFiles(root);
const found = isCheck ? await differences(root, files) : await writeFiles(root, files);
for (const { path, kind } of found)
  console.log(isCheck ? `${kind}: ${path}` : `written (was ${kind}): ${path}`);
console.log(`${files.length} generated files, ${found.length} ${isCheck ? 'differ' : 'written'}`);
if (isCheck && found.length > 0) {
  console.error('Run `npm run generate` and commit what it writes.');
  process.exitCode = 1;
}

// SPDX-License-Identifier: Apache-2.0
import { join } from 'node:path';
import { readOptions, USAGE } from './options.ts';
import { release } from './release.ts';
import { readSource, ReleaseError } from './source.ts';

const ROOT = join(import.meta.dirname, '../..');
const words = process.argv.slice(2);

if (words.includes('--help') || words.includes('-h')) {
  console.log(USAGE);
} else {
  try {
    const options = readOptions(words);
    const source = await readSource(ROOT, options.repository);
    await release(options, { root: ROOT, source, tell: console.log });
  } catch (error) {
    // What whoever runs it can mend needs no stack.
    if (!(error instanceof ReleaseError)) throw error;
    console.error(`release: ${error.message}`);
    process.exitCode = 1;
  }
}

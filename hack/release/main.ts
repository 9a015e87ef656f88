// SPDX-License-Identifier: Apache-2.0
import { join, resolve } from 'node:path';
import { absoluteWords, inCopy, releaseInCopy } from './copy.ts';
import { emptyFolder } from './folder.ts';
import { readOptions, USAGE } from './options.ts';
import { readSource, ReleaseError } from './source.ts';

const ROOT = join(import.meta.dirname, '../..');
const words = process.argv.slice(2);

if (words.includes('--help') || words.includes('-h')) {
  console.log(USAGE);
} else {
  try {
    const options = readOptions(words);
    const { commit } = await readSource(ROOT, options.repository);
    // Only here is it known where the repository is; and nobody waits for packages to be told of a folder.
    await emptyFolder(ROOT, resolve(ROOT, options.out));
    console.log(`making a release of ${commit}, in a copy with packages of its own`);
    const elsewhere = absoluteWords(options, ROOT);
    process.exitCode = await inCopy({ root: ROOT, commit }, (copy) => releaseInCopy(copy, elsewhere));
  } catch (error) {
    // What whoever runs it can mend needs no stack.
    if (!(error instanceof ReleaseError)) throw error;
    console.error(`release: ${error.message}`);
    process.exitCode = 1;
  }
}

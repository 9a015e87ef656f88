// SPDX-License-Identifier: Apache-2.0
// What main.ts starts in a copy of the repository.
import { join } from 'node:path';
import { readOptions } from './options.ts';
import { release } from './release.ts';
import { readSource, ReleaseError } from './source.ts';

const ROOT = join(import.meta.dirname, '../..');

try {
  const options = readOptions(process.argv.slice(2));
  const source = await readSource(ROOT, options.repository);
  await release(options, { root: ROOT, source, tell: console.log });
} catch (error) {
  // What whoever runs it can mend needs no stack.
  if (!(error instanceof ReleaseError)) throw error;
  console.error(`release: ${error.message}`);
  process.exitCode = 1;
}

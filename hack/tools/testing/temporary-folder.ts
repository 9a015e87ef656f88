// SPDX-License-Identifier: Apache-2.0
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sweepTemporaryFolders } from '../sweep-temporary.ts';

/** What a test offers for what is to be done at its end. */
export interface Teardown {
  teardown(undo: () => Promise<void>): void;
}

/**
 * Makes an empty folder among the temporary files, which goes with the test. `kind` is a word for its name, in lower case.
 * A process that is killed removes nothing, so its folders go when the next one is made, by whatever test.
 */
export async function temporaryFolder(t: Teardown, kind: string): Promise<string> {
  await sweepTemporaryFolders();
  const folder = await mkdtemp(join(tmpdir(), `nexusos-${kind}-${process.pid}-`));
  t.teardown(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

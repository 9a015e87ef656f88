// SPDX-License-Identifier: Apache-2.0
import { readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { identityOf } from './process-identity.ts';

/** How folders of tests are named: by a kind, and the process that made them. */
const NAME = /^nexusos-[a-z]+-(\d+)-\w{6}$/;

/** Removes the folders of tests whose processes are gone: who is killed removes nothing. `among`: where temporary files are. */
export async function sweepTemporaryFolders(among: string = tmpdir()): Promise<void> {
  const names = await readdir(among);
  const ofDead = names.filter((name) => {
    const pid = Number(NAME.exec(name)?.[1]);
    return !Number.isNaN(pid) && identityOf(pid) === undefined;
  });
  await Promise.all(ofDead.map((name) => rm(join(among, name), { recursive: true, force: true })));
}

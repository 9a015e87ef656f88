// SPDX-License-Identifier: Apache-2.0
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ensureTools } from '../tools/build.ts';
import { type ImageSupply, REPOSITORY } from './image-supply.ts';
import type { Figure } from './report.ts';
import { named } from './run-world.ts';

const run = promisify(execFile);
/** Beside each of them a process is started, as by whoever verifies so. */
const IMAGES = 20;

/** What `cosign verify` takes for images of the same kind, one after the other. */
export async function measureCosign(supply: ImageSupply): Promise<readonly Figure[]> {
  const { cosign } = await ensureTools(['cosign']);
  const home = await mkdtemp(join(tmpdir(), `nexusos-cosign-${process.pid}-`));
  const args = await supply.cosignArguments();
  const some = await supply.images(named('cosign', IMAGES));
  const spentMs: number[] = [];
  supply.proxy.take();
  try {
    const startedAt = performance.now();
    for (const digest of some) {
      const image = `${supply.proxy.host}/${REPOSITORY}@${digest}`;
      spentMs.push(await processorMsOf([cosign, ...args, image], home));
    }
    const passedMs = performance.now() - startedAt;
    const requests = [...supply.proxy.take().values()].reduce((sum, count) => sum + count, 0);
    return [
      { name: 'cosign verify, an image', value: passedMs / some.length, unit: 'ms' },
      {
        name: '... processor time',
        value: spentMs.reduce((sum, ms) => sum + ms, 0) / some.length,
        unit: 'ms',
      },
      { name: '... requests to the registry', value: requests / some.length, unit: '' },
    ];
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

/** What a program, which has to succeed, has had of a processor: the shell tells it of its children. */
async function processorMsOf([program = '', ...args]: readonly string[], home: string): Promise<number> {
  const script =
    'TIMEFORMAT="%3U %3S"; time "$@" >/dev/null 2>"$HOME/words" || { cat "$HOME/words" >&2; exit 1; }';
  const env = { PATH: process.env['PATH'], HOME: home, HTTPS_PROXY: 'http://127.0.0.1:9' };
  const { stderr } = await run('bash', ['-c', script, 'bash', program, ...args], { env });
  const [user = Number.NaN, system = Number.NaN] = stderr.trim().split(' ').map(Number);
  return (user + system) * 1000;
}

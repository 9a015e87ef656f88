// SPDX-License-Identifier: Apache-2.0
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import test from 'ava';
import { temporaryFolder } from '#hack/tools/testing/temporary-folder';
import { frameOf } from './frames.ts';
import type { JudgeOrder } from './judge.ts';
import { JudgePool } from './judge-pool.ts';

/** With another document each time. */
function order(attached: string): JudgeOrder {
  const bytes = Buffer.from('{}');
  const evidence = [{ form: 'bundle', origin: attached, bytes, annotations: {} } as const];
  const gathered = new Map([['sha256:a', { subject: bytes, evidence }]]);
  return { digest: 'sha256:a', gathered, policies: [], now: new Date(0) };
}

test('an image that ends the judge is left alone in one tenant, whatever is attached, and tried for others', async (t) => {
  t.timeout(120_000);
  const path = join(await temporaryFolder(t, 'judge-pool'), 'falls-over.mjs');
  const ready = Buffer.concat([...frameOf({ kind: 'ready' })]).toString('base64');
  await writeFile(
    path,
    `process.stdout.write(Buffer.from('${ready}', 'base64'));\nprocess.stdin.once('data', () => process.exit(7));\n`,
  );
  const pool = new JudgePool({ url: pathToFileURL(path), tries: { mostOfImage: 2 } });
  t.teardown(() => pool.close());
  const said = 'the process that judges is gone: it ended with 7';
  const again = `${said}; it is tried again`;
  const over = `${said}; the image has ended 2 processes within 60 minutes, with this and that attached to it; it is tried again when that is over`;
  await t.throwsAsync(pool.judge(order('sha256:1'), 'pool-one'), { message: again });
  await t.throwsAsync(pool.judge(order('sha256:2'), 'pool-one'), { message: over });
  await t.throwsAsync(pool.judge(order('sha256:3'), 'pool-one'), { message: over });
  t.deepEqual(pool.pids, [], 'nothing is begun for it any more');
  await t.throwsAsync(pool.judge(order('sha256:3'), 'pool-two'), { message: again });
});

// SPDX-License-Identifier: Apache-2.0
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { imageSettings } from '../release/image-settings.ts';
import { SHIPPED_NODE_OPTIONS } from './node-options.ts';

const ROOT = join(import.meta.dirname, '../..');

function read(path: string): Promise<string> {
  return readFile(join(ROOT, path), 'utf8');
}

test('the image, the chart, and what is started here tell Node the same', async (t) => {
  const { Entrypoint } = imageSettings(await read('Dockerfile'));
  t.deepEqual(Entrypoint, ['node', ...SHIPPED_NODE_OPTIONS, 'operator.mjs']);
  const webhooks = await read('charts/nexusos/templates/webhooks/deployment.yaml');
  const [, command] = /^ +command: \[(.+)\]$/m.exec(webhooks) ?? [];
  t.deepEqual(command?.split(', '), ['node', ...SHIPPED_NODE_OPTIONS, 'webhooks.mjs']);
  // The operator has the entry point of the image.
  t.notRegex(await read('charts/nexusos/templates/deployment.yaml'), /^ +command:/m);
});

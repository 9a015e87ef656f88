// SPDX-License-Identifier: Apache-2.0
import { join } from 'node:path';
import { bundleRoles } from './bundle.ts';

for (const { path, bytes } of await bundleRoles(join(import.meta.dirname, '../../dist'))) {
  console.log(`dist/${path}: ${Math.round(bytes / 1024)} KiB`);
}

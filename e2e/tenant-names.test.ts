// SPDX-License-Identifier: Apache-2.0
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';

const ROOT = join(import.meta.dirname, '..');
/** The functions that tests make tenants with, and their first text, which is the name. */
const MAKES =
  /\b(?:adopt|createTenant|makeTenant|makeRuns|ready|tenantManifest|world)\(\s*(?:[\w.]+,\s*)?'([a-z0-9-]+)'/g;
/** Scenarios with a control plane of their own. */
const APART = ['chart-lifecycle', 'crash-at-every-write', 'never-over', 'tutorial'];

test('no two files make tenants of one name on the control plane that they share', (t) => {
  const owners = new Map<string, string>();
  const taken: string[] = [];
  for (const file of globSync(['e2e/scenarios/*.e2e.test.ts', 'operator/**/*.e2e.test.ts'], { cwd: ROOT })) {
    if (APART.some((one) => file.includes(one))) continue;
    const names = [...readFileSync(join(ROOT, file), 'utf8').matchAll(MAKES)].map(([, name = '']) => name);
    for (const name of new Set(names)) {
      const owner = owners.get(name);
      if (owner === undefined) owners.set(name, file);
      else taken.push(`${name}: ${owner} and ${file}`);
    }
  }
  t.deepEqual(taken, []);
  t.true(owners.size > 40, `only ${owners.size} names were found`);
});

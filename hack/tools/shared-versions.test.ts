// SPDX-License-Identifier: Apache-2.0
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';

/** What every client of Kubernetes is built from. */
const SHARED = [
  'golang.org/x/net',
  'golang.org/x/sys',
  'golang.org/x/text',
  'google.golang.org/protobuf',
  'k8s.io/api',
  'k8s.io/apimachinery',
  'k8s.io/client-go',
  'k8s.io/klog/v2',
  'k8s.io/kube-openapi',
  'k8s.io/utils',
  'sigs.k8s.io/structured-merge-diff/v6',
];

/** The version of `module` that is built: the one it is replaced by, or else the one that is required. */
function builtVersion(goMod: string, module: string): string | undefined {
  const words = goMod.split('\n').map((line) => line.trim().split(/\s+/));
  const replaced = words.find(([path, arrow]) => path === module && arrow === '=>')?.[3];
  return replaced ?? words.find(([path, version]) => path === module && version?.startsWith('v'))?.[1];
}

function readGoMod(family: string): Promise<string> {
  return readFile(join(import.meta.dirname, family, 'go.mod'), 'utf8');
}

for (const family of ['kwok', 'helm']) {
  test(`${family} is built from what Kubernetes is built from, so that none of it is compiled twice`, async (t) => {
    const [kubernetes, other] = await Promise.all([readGoMod('kubernetes'), readGoMod(family)]);
    for (const module of SHARED) {
      const wanted = builtVersion(kubernetes, module);
      t.truthy(wanted, module);
      t.is(
        builtVersion(other, module),
        wanted,
        `${module}: go mod edit -replace ${module}=${module}@${wanted}`,
      );
    }
  });
}

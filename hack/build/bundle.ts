// SPDX-License-Identifier: Apache-2.0
import { rm } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { build } from 'esbuild';

/** Roles of the image, each with the file that it starts from. */
const ROLES = { operator: 'operator/main.ts' } as const;

const ROOT = join(import.meta.dirname, '../..');

/** A file that a role starts from, and its size. */
export interface Bundle {
  /** Relative to the folder. */
  readonly path: string;
  readonly bytes: number;
}

/** Bundles every role into `folder`, which is emptied first. */
export async function bundleRoles(folder: string): Promise<readonly Bundle[]> {
  await rm(folder, { recursive: true, force: true });
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: Object.entries(ROLES).map(([role, entry]) => ({ in: join(ROOT, entry), out: role })),
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    // What is imported only when it is needed (reading kubeconfigs: 15 MB) stays a file of its own.
    splitting: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    minifySyntax: true,
    metafile: true,
    banner: {
      // Packages in the old module format ask for require, which modules do not have.
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
    logLevel: 'warning',
  });
  const roles = Object.values(ROLES) as readonly string[];
  return Object.entries(metafile.outputs)
    .filter(([, output]) => roles.includes(output.entryPoint ?? ''))
    .map(([path, { bytes }]) => ({ path: relative(folder, join(ROOT, path)), bytes }));
}

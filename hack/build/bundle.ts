// SPDX-License-Identifier: Apache-2.0
import { rm } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { build } from 'esbuild';

/** Roles of the image, each with the file that it starts from. */
const ROLES = {
  operator: 'operator/main.ts',
  webhooks: 'webhooks/main.ts',
  leave: 'operator/leave.ts',
  remote: 'remote/main.ts',
  nexusctl: 'nexusctl/main.ts',
  // No role by itself: others start it in threads of theirs.
  'policy-worker': 'operator/policy/workers/worker.ts',
} as const;

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
  const roles = Object.entries(ROLES);
  return Promise.all(roles.map(([role, entry]) => bundleRole(folder, { role, entry })));
}

/** One role by itself: what two have in common would otherwise become a third file. */
async function bundleRole(
  folder: string,
  { role, entry }: { readonly role: string; readonly entry: string },
): Promise<Bundle> {
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: [{ in: join(ROOT, entry), out: role }],
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
  const found = Object.entries(metafile.outputs).find(([, output]) => output.entryPoint === entry);
  if (found === undefined) throw new Error(`${entry} became no file`);
  const [path, { bytes }] = found;
  return { path: relative(folder, join(ROOT, path)), bytes };
}

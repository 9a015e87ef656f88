// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { build, type BuildOptions } from 'esbuild';
import { lean, neverAsked, noTraces, partsOfUndici, schemas, undescribed } from './lean.ts';
import { xml } from './xml.ts';

const ROOT = join(import.meta.dirname, '../..');

/** Roles of the image, each with the file that it starts from. */
const ROLES = {
  operator: 'operator/main.ts',
  webhooks: 'webhooks/main.ts',
  leave: 'operator/leave.ts',
  remote: 'remote/main.ts',
  nexusctl: 'nexusctl/main.ts',
  // No roles by themselves: others start them, in a thread and in a process.
  'policy-worker': 'operator/policy/workers/worker.ts',
  'image-worker': 'operator/image-verification/worker.ts',
} as const;

/** What people carry about by itself, on the Node that they have: one file, that runs on all that package.json allows. */
const PORTABLE: BuildOptions = {
  splitting: false,
  target: 'node20',
  minify: true,
  // Errors go on to say what they are.
  keepNames: true,
  plugins: [lean, neverAsked, partsOfUndici, schemas, xml],
};
/** By role, beside what all have. */
const APART: Readonly<Record<string, BuildOptions>> = { nexusctl: PORTABLE };

/** A file that a role starts from, and its size. */
export interface Bundle {
  /** Relative to the folder. */
  readonly path: string;
  readonly bytes: number;
  /** What was read for it, also what nothing was taken of. */
  readonly inputs: readonly string[];
}

/** A file has no more: what is needed rarely is not in it. */
export const MAX_BUNDLE_BYTES = 2 * 1024 * 1024;

/** The command line is one file with all that it needs, also rarely: half a megabyte of it reads XML (ADR 0069). */
export const MAX_NEXUSCTL_BYTES = 2.375 * 1024 * 1024;

function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    readonly version: string;
  };
  return version;
}

/** Bundles every role into `folder`, which is emptied first. */
export async function bundleRoles(folder: string): Promise<readonly Bundle[]> {
  await rm(folder, { recursive: true, force: true });
  const roles = Object.keys(ROLES) as readonly (keyof typeof ROLES)[];
  return Promise.all(roles.map((role) => bundleRole(folder, role)));
}

/** One role by itself: what two have in common would otherwise become a third file. */
export async function bundleRole(folder: string, role: keyof typeof ROLES): Promise<Bundle> {
  const entry = ROLES[role];
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: [{ in: join(ROOT, entry), out: role }],
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    plugins: [lean, noTraces, schemas, undescribed, xml],
    // What is imported only when it is needed (reading kubeconfigs) stays a file of its own.
    splitting: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    minifySyntax: true,
    // Names stay, so that errors say where they are from.
    minifyWhitespace: true,
    banner: {
      // Packages in the old module format ask for require, which modules do not have.
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
    define: { NEXUSOS_VERSION: JSON.stringify(packageVersion()) },
    logLevel: 'warning',
    ...APART[role],
    metafile: true,
  });
  const found = Object.entries(metafile.outputs).find(([, output]) => output.entryPoint === entry);
  if (found === undefined) throw new Error(`${entry} became no file`);
  const [path, { bytes }] = found;
  return { path: relative(folder, join(ROOT, path)), bytes, inputs: Object.keys(metafile.inputs) };
}

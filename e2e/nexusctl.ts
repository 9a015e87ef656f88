// SPDX-License-Identifier: Apache-2.0
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { ensureTools } from '#hack/tools/build';
import { runProgram } from '#hack/tools/run-program';

const ROOT = join(import.meta.dirname, '..');
const NEXUSCTL = join(ROOT, 'nexusctl/main.ts');

/** Runs the command line in a folder, which is also the home of who does, with the pinned compiler. */
export async function nexusctl(folder: string, args: readonly string[]) {
  const { opa } = await ensureTools(['opa']);
  const env = { PATH: process.env['PATH'] ?? '', HOME: folder, NEXUSCTL_OPA: opa };
  return runProgram(process.execPath, { args: [NEXUSCTL, ...args], cwd: folder, env });
}

/** Where a diff is made, against which cluster, and with which parameters of the pack. */
export interface DiffWanted {
  readonly folder: string;
  readonly kubeconfig: string;
  readonly parameters: object;
}

/** What a pack that is shipped, with other parameters, would do to what exists in a cluster; as JSON. */
export async function diffShipped(pack: string, { folder, kubeconfig, parameters }: DiffWanted) {
  const copy = join(folder, `compared-${pack}`);
  await cp(join(ROOT, 'policy-packs', pack), copy, { recursive: true });
  const manifest = parse(await readFile(join(copy, 'pack.yaml'), 'utf8')) as { readonly spec: object };
  const spec = { ...manifest.spec, parameters };
  await writeFile(join(copy, 'pack.yaml'), JSON.stringify({ ...manifest, spec }));
  const args = ['pack', 'diff', copy, '--kubeconfig', kubeconfig, '-o', 'json'];
  const { code, stdout, stderr } = await nexusctl(folder, args);
  if (stdout === '') throw new Error(stderr);
  return { code, out: stdout };
}

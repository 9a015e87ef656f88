// SPDX-License-Identifier: Apache-2.0
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { ensureTools } from '#hack/tools/build';
import { runProgram } from '#hack/tools/run-program';
import { type PolicyModule, verifyModule } from '../module.ts';

/** Rego, and what of it is asked for. */
export interface RegoSource {
  readonly rego: string;
  readonly entrypoints: readonly string[];
}

/** The binary that the real compiler makes of some Rego. */
export async function compileRego({ rego, entrypoints }: RegoSource): Promise<Uint8Array> {
  const folder = await mkdtemp(join(tmpdir(), 'nexusos-rego-'));
  try {
    await writeFile(join(folder, 'policy.rego'), rego);
    const bundle = join(folder, 'bundle.tar.gz');
    const { opa } = await ensureTools(['opa']);
    const asked = entrypoints.flatMap((name) => ['-e', name]);
    const args = ['build', '-t', 'wasm', ...asked, '-o', bundle, join(folder, 'policy.rego')];
    const result = await runProgram(opa, { args, cwd: folder, env: {} });
    if (result.code !== 0) throw new Error(`opa build: ${result.stderr}`);
    return fileOf(gunzipSync(await readFile(bundle)), '/policy.wasm');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The same, checked. */
export async function compileModule(source: RegoSource): Promise<PolicyModule> {
  const verification = verifyModule(await compileRego(source));
  if (verification.kind === 'refused')
    throw new Error(verification.faults.map((one) => one.message).join('; '));
  return verification.module;
}

const BLOCK_BYTES = 512;

/** One file of a tar archive. */
function fileOf(archive: Uint8Array, name: string): Uint8Array {
  const text = (at: number, length: number): string =>
    new TextDecoder().decode(archive.subarray(at, at + length)).replace(/\0.*$/s, '');
  for (let at = 0; at < archive.length; ) {
    const size = Number.parseInt(text(at + 124, 12).trim() || '0', 8);
    if (text(at, 100) === name) return archive.slice(at + BLOCK_BYTES, at + BLOCK_BYTES + size);
    at += BLOCK_BYTES * (1 + Math.ceil(size / BLOCK_BYTES));
  }
  throw new Error(`the bundle has no ${name}`);
}

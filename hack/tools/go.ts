// SPDX-License-Identifier: Apache-2.0
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { isGoAtLeast } from './go-module.ts';

const run = promisify(execFile);

/** What decides, next to our own files, what a Go build yields. */
export interface GoToolchain {
  /** Such as `go1.26.8`. */
  readonly version: string;
  readonly os: string;
  readonly arch: string;
}

/**
 * The environment every `go` of ours runs in. The machine's toolchain is used and never another one
 * fetched in its place; go.mod and go.sum are the only say in what is built.
 */
export function goEnvironment(): NodeJS.ProcessEnv {
  return {
    ...process.env,
    CGO_ENABLED: '0',
    GOTOOLCHAIN: 'local',
    GOFLAGS: '-mod=readonly',
    GOWORK: 'off',
  };
}

/** The machine's Go. Throws with what to install when it is missing or older than `wanted` (`1.26.0`). */
export async function findGo(wanted: string): Promise<GoToolchain> {
  const toolchain = await askGo();
  if (toolchain === undefined) {
    throw new Error(`Go was not found on PATH. ${advice(wanted)}`);
  }
  if (!isGoAtLeast(toolchain.version, wanted)) {
    throw new Error(`Go ${toolchain.version.replace('go', '')} is too old. ${advice(wanted)}`);
  }
  return toolchain;
}

/** The folder of `module` in Go's module cache, fetched when it is not there yet. `folder` holds the go.mod. */
export async function goModuleFolder(folder: string, module: string): Promise<string> {
  const options = { cwd: folder, env: goEnvironment() };
  const list = async (): Promise<string> =>
    (await run('go', ['list', '-m', '-f', '{{.Dir}}', module], options)).stdout.trim();
  const found = await list();
  if (found !== '') {
    return found;
  }
  await run('go', ['mod', 'download', module], options);
  return list();
}

async function askGo(): Promise<GoToolchain | undefined> {
  try {
    // GOTOOLCHAIN=local makes `go env` answer even where a go.mod nearby asks for a newer one.
    const { stdout } = await run('go', ['env', 'GOVERSION', 'GOOS', 'GOARCH'], { env: goEnvironment() });
    const [version = '', os = '', arch = ''] = stdout.split('\n');
    return { version, os, arch };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      return undefined;
    }
    throw error;
  }
}

function advice(wanted: string): string {
  const minor = wanted.split('.').slice(0, 2).join('.');
  return (
    `NexusOS builds Kubernetes and its other tools from source and needs Go ${minor} or newer. ` +
    'Install it from https://go.dev/doc/install, see that `go version` works in this shell, and try again.'
  );
}

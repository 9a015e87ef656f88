// SPDX-License-Identifier: Apache-2.0
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ensureTools } from '../tools/build.ts';

const run = promisify(execFile);

/** What came of a run of cosign. */
export interface CosignOutcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The real cosign, in a folder of its own, without a home and without the internet. */
export class Cosign {
  readonly #path: string;
  readonly folder: string;

  private constructor(path: string, folder: string) {
    this.#path = path;
    this.folder = folder;
  }

  /** Builds it where that is not done yet. */
  static async create(): Promise<Cosign> {
    const { cosign } = await ensureTools(['cosign']);
    return new Cosign(cosign, await mkdtemp(join(tmpdir(), 'nexusos-cosign-')));
  }

  /** Removes all that it wrote. */
  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }

  /** Writes a file next to it; its path. */
  async write(name: string, content: string | Uint8Array | object): Promise<string> {
    const path = join(this.folder, name);
    const isBytes = typeof content === 'string' || content instanceof Uint8Array;
    await writeFile(path, isBytes ? content : JSON.stringify(content));
    return path;
  }

  /** Runs it, and says what came of it. */
  async try(...args: readonly string[]): Promise<CosignOutcome> {
    try {
      const { stdout, stderr } = await run(this.#path, [...args], {
        env: this.#environment(),
        timeout: 60_000,
      });
      return { code: 0, stdout, stderr };
    } catch (error) {
      const failed = error as { code?: number; stdout?: string; stderr?: string };
      return { code: failed.code ?? -1, stdout: failed.stdout ?? '', stderr: failed.stderr ?? String(error) };
    }
  }

  /** Runs it; throws with what it said where it fails. */
  async run(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.try(...args);
    if (code !== 0) throw new Error(`cosign ${args.join(' ')}: ${stderr}`);
    return stdout;
  }

  /** A pair of keys in files of cosign. */
  async keys(name: string): Promise<{ readonly privatePath: string; readonly publicPath: string }> {
    await this.run('generate-key-pair', '--output-key-prefix', join(this.folder, name));
    return { privatePath: join(this.folder, `${name}.key`), publicPath: join(this.folder, `${name}.pub`) };
  }

  /** Imports a private key in PEM. */
  async importKey(name: string, pem: string): Promise<string> {
    const path = await this.write(`${name}.pem`, pem);
    await this.run('import-key-pair', '--key', path, '--output-key-prefix', join(this.folder, name));
    return join(this.folder, `${name}.key`);
  }

  #environment(): NodeJS.ProcessEnv {
    return {
      PATH: process.env['PATH'],
      HOME: this.folder,
      COSIGN_PASSWORD: '',
      // Nowhere: what would ask the internet fails at once.
      HTTPS_PROXY: 'http://127.0.0.1:9',
    };
  }
}

// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { KubeObject } from '#operator/core/object';
import type { Log } from '#operator/telemetry/log';

const DIGEST = /^sha256:([0-9a-f]{64})$/;
const BLOB = /^[0-9a-f]{64}$/;
const ENFORCED = 'enforced.json';
/** Larger than any module that is run, or data that a revision may have. */
const MAX_FILE_BYTES = 80 * 1024 * 1024;

/**
 * What a replica remembers over a restart, in a folder of its own: modules by their digest, and by which revisions it decided.
 * Everything is optional: what cannot be written or read is as if it were not there, and what is not what it was is not used.
 */
export class StateFolder {
  readonly #folder: string | undefined;
  readonly #log: Log;
  #writing: Promise<void> = Promise.resolve();

  constructor(folder: string | undefined, log: Log) {
    this.#folder = folder;
    this.#log = log;
  }

  /** The bytes of a digest; undefined where they are not there, or are not those. */
  async read(digest: string): Promise<Uint8Array | undefined> {
    const hex = DIGEST.exec(digest)?.[1];
    const bytes = hex === undefined ? undefined : await this.#readFile(hex);
    return bytes !== undefined && sha256(bytes) === hex ? bytes : undefined;
  }

  /** Keeps bytes under their digest. */
  save(digest: string, bytes: Uint8Array): Promise<void> {
    const hex = DIGEST.exec(digest)?.[1];
    return hex === undefined ? Promise.resolve() : this.#write(hex, bytes);
  }

  /** PolicyPackRevisions that were decided by when this was last written. */
  async readEnforced(): Promise<readonly KubeObject[]> {
    const bytes = await this.#readFile(ENFORCED);
    if (bytes === undefined) return [];
    const [digest = '', text = ''] = bytes.toString('utf8').split('\n', 2);
    if (sha256(Buffer.from(text)) !== digest) return [];
    try {
      return JSON.parse(text) as readonly KubeObject[];
    } catch {
      return [];
    }
  }

  /** Keeps by which revisions is decided, and forgets modules that none of them needs. */
  async saveEnforced(revisions: readonly KubeObject[], digests: ReadonlySet<string>): Promise<void> {
    const text = JSON.stringify(revisions);
    await this.#write(ENFORCED, Buffer.from(`${sha256(Buffer.from(text))}\n${text}`));
    await this.#forgetAllBut(digests);
  }

  async #readFile(name: string): Promise<Buffer | undefined> {
    if (this.#folder === undefined) return undefined;
    const path = join(this.#folder, name);
    try {
      const { size } = await stat(path);
      return size > MAX_FILE_BYTES ? undefined : await readFile(path);
    } catch {
      return undefined;
    }
  }

  /** One after the other, each under another name first: what is there is always whole. */
  #write(name: string, bytes: Uint8Array): Promise<void> {
    const folder = this.#folder;
    if (folder === undefined) return Promise.resolve();
    const path = join(folder, name);
    this.#writing = this.#writing.then(() => this.#writeFile(folder, path, bytes));
    return this.#writing;
  }

  async #writeFile(folder: string, path: string, bytes: Uint8Array): Promise<void> {
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await writeFile(`${path}.new`, bytes, { mode: 0o600 });
      await rename(`${path}.new`, path);
    } catch (error) {
      this.#log.warn({ err: error }, 'what is decided by cannot be kept for a restart');
    }
  }

  async #forgetAllBut(digests: ReadonlySet<string>): Promise<void> {
    const folder = this.#folder;
    if (folder === undefined) return;
    const names = await readdir(folder).catch(() => []);
    const old = names.filter((name) => BLOB.test(name) && !digests.has(`sha256:${name}`));
    await Promise.all(old.map((name) => rm(join(folder, name), { force: true })));
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

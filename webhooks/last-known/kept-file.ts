// SPDX-License-Identifier: Apache-2.0
import { createHash, type Hash } from 'node:crypto';
import {
  type FileHandle,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { KubeObject } from '#operator/core/object';
import type { HeldWatch } from '#operator/runtime/cache';
import { type Manifest, readManifest } from './manifest.ts';

const MANIFEST = 'last-known.json';
const BODY = /^last-known-[0-9a-f]{64}\.jsonl$/;
/** What is made a text of in one turn of the event loop, in objects and in letters: some tenths of a millisecond. One object may be more. */
const IN_A_TURN = { objects: 32, letters: 64 * 1024 };
/** Read at once when a replica begins: it takes some times as much memory then. */
export const MAX_KEPT_BYTES = 32 * 1024 * 1024;

/** What was read: the manifest, and how to read what it is about; or why there is neither. */
export type KeptManifest =
  | { readonly kind: 'kept'; readonly manifest: Manifest }
  | { readonly kind: 'nothing'; readonly why: string };

/** A file that was written. */
export type KeptBody = Pick<Manifest, 'body' | 'digest'>;

/**
 * What every watch held, as a file of lines, and a manifest that names it. The manifest is put in place last and as a whole: until then the file before
 * counts. What is not what the manifest says is not read.
 */
export class KeptFile {
  readonly #folder: string;
  readonly #maxBytes: number;
  #spentMs = 0;

  constructor(folder: string, maxBytes = MAX_KEPT_BYTES) {
    this.#folder = folder;
    this.#maxBytes = maxBytes;
  }

  /** For how long others have waited for what was written so far, in milliseconds. */
  get spentMs(): number {
    return this.#spentMs;
  }

  /**
   * Writes what watches hold, a little in each turn of the event loop. Undefined where it would be larger than what is kept.
   *
   * @throws Error when the folder cannot be written to.
   */
  async writeBody(held: readonly HeldWatch[]): Promise<KeptBody | undefined> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    // What was written and never counted is not left there: a folder has a limit.
    const before = await this.readManifest();
    await this.#removeBodies(before.kind === 'kept' ? before.manifest.body : '');
    const path = join(this.#folder, 'last-known.new');
    const file = await open(path, 'w', 0o600);
    const hash = createHash('sha256');
    let isWhole: boolean;
    try {
      isWhole = await this.#writeLines(file, hash, held);
    } finally {
      await file.close();
    }
    if (!isWhole) {
      await rm(path, { force: true });
      return undefined;
    }
    const digest = hash.digest('hex');
    const body = `last-known-${digest}.jsonl`;
    await rename(path, join(this.#folder, body));
    return { body, digest };
  }

  /**
   * Says what counts from now on, and removes what was written before.
   *
   * @throws Error when the folder cannot be written to.
   */
  async writeManifest(manifest: Manifest): Promise<void> {
    const text = JSON.stringify(manifest);
    const path = join(this.#folder, MANIFEST);
    await writeFile(`${path}.new`, `${sha256(text)}\n${text}`, { mode: 0o600 });
    await rename(`${path}.new`, path);
    await this.#removeBodies(manifest.body);
  }

  /** Removes all that is kept: it does not count any more. */
  async forget(): Promise<void> {
    await rm(join(this.#folder, MANIFEST), { force: true });
    await this.#removeBodies('');
  }

  /** What is said of what is kept. Never rejects. */
  async readManifest(): Promise<KeptManifest> {
    const text = await readFile(join(this.#folder, MANIFEST), 'utf8').catch(() => undefined);
    if (text === undefined) return { kind: 'nothing', why: 'nothing was kept' };
    const [digest = '', json = ''] = text.split('\n', 2);
    const manifest = sha256(json) === digest ? readManifest(json) : undefined;
    return manifest === undefined
      ? { kind: 'nothing', why: 'what was kept is torn' }
      : { kind: 'kept', manifest };
  }

  /** What watches held; undefined where it is not there, or not what it was. Never rejects. */
  async readBody({ body, digest }: KeptBody): Promise<readonly HeldWatch[] | undefined> {
    if (!BODY.test(body)) return undefined;
    const path = join(this.#folder, body);
    try {
      if ((await stat(path)).size > this.#maxBytes) return undefined;
      const bytes = await readFile(path);
      return sha256(bytes) === digest ? watchesIn(bytes.toString('utf8')) : undefined;
    } catch {
      return undefined;
    }
  }

  /** Whether all of it was written: no more than may be kept. */
  async #writeLines(file: FileHandle, hash: Hash, held: readonly HeldWatch[]): Promise<boolean> {
    const lines = linesOf(held);
    let size = 0;
    for (;;) {
      const startedMs = performance.now();
      const text = turnOf(lines);
      const bytes = Buffer.from(text);
      hash.update(bytes);
      this.#spentMs += performance.now() - startedMs;
      if (text === '') return true;
      size += bytes.length;
      if (size > this.#maxBytes) return false;
      await file.writeFile(bytes);
      await setImmediate();
    }
  }

  async #removeBodies(but: string): Promise<void> {
    const names = await readdir(this.#folder).catch(() => []);
    const old = names.filter((name) => BODY.test(name) && name !== but);
    await Promise.all(old.map((name) => rm(join(this.#folder, name), { force: true })));
  }
}

function* linesOf(held: readonly HeldWatch[]): Generator<object, undefined> {
  for (const { watch, kind, objects } of held) {
    yield { watch, kind, count: objects.length };
    yield* objects;
  }
}

/** The next lines, as many as have their turn; empty where there are none left. */
function turnOf(lines: Generator<object, undefined>): string {
  let text = '';
  for (let done = 0; done < IN_A_TURN.objects && text.length < IN_A_TURN.letters; done += 1) {
    const { value } = lines.next();
    if (value === undefined) break;
    text += `${JSON.stringify(value)}\n`;
  }
  return text;
}

/** @throws SyntaxError when a line is no JSON. */
function watchesIn(text: string): readonly HeldWatch[] {
  const lines = text.split('\n').slice(0, -1);
  const watches: HeldWatch[] = [];
  for (let at = 0; at < lines.length; ) {
    const head = JSON.parse(lines[at] ?? '') as Omit<HeldWatch, 'objects'> & { readonly count: number };
    const objects = lines.slice(at + 1, at + 1 + head.count).map((line) => JSON.parse(line) as KubeObject);
    watches.push({ watch: head.watch, kind: head.kind, objects });
    at += 1 + head.count;
  }
  return watches;
}

function sha256(bytes: string | Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

// SPDX-License-Identifier: Apache-2.0
import { type ChildProcess, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { killChild, type Pipes, pipesOf } from '../runtime/child-process.ts';

/** How to run the compiler of Rego. */
export interface OpaOptions {
  readonly cwd: string;
  readonly stdin?: string | Uint8Array;
  /** After which it is killed. */
  readonly timeoutMs: number;
}

/** What it said. A program that was killed has the code 128, and why in `stderr`. */
export interface OpaResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the pinned `opa`. Its failing is a result; only that it cannot be started throws. */
export type RunOpa = (args: readonly string[], options: OpaOptions) => Promise<OpaResult>;

/** Most that is read of its output: a tree of a module is some forty times as long as the module. */
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;
/** Soft limit of its heap, by the collector of Go; what goes beyond is killed. */
const SOFT_MEMORY = '384MiB';
export const MAX_RESIDENT_BYTES = 512 * 1024 * 1024;
const LOOK_MS = 50;
const PAGE_BYTES = 4096;
/** The code of a program that was killed: by us, since it took more than it may, or by a signal. It has come to no answer. */
export const KILLED = 128;

/** A runner of the program at `path`. It is given no environment of ours: what it reads is in its arguments. */
export function opaRunner(path: string): RunOpa {
  return (args, options) =>
    new Promise((resolve, reject) => run(path, args, { ...options, resolve, reject }));
}

interface Running extends OpaOptions {
  readonly resolve: (result: OpaResult) => void;
  readonly reject: (error: Error) => void;
}

function run(path: string, args: readonly string[], running: Running): void {
  const { cwd, stdin, timeoutMs, resolve, reject } = running;
  // One thread: it runs beside what must answer in time.
  const env = { GOMEMLIMIT: SOFT_MEMORY, GOMAXPROCS: '1', HOME: cwd, TMPDIR: cwd };
  const child = spawn(path, args, { cwd, env });
  const guard = new Guard(child, timeoutMs);
  child.once('error', (error) => {
    guard.end();
    reject(error);
  });
  const pipes = pipesOf(child);
  // Its error is told in the next turn.
  if (pipes === undefined) return;
  const output = exchange(pipes, stdin, guard);
  child.once('close', (code) => {
    guard.end();
    const [stdout, stderr] = [output.stdout, output.stderr].map((chunks) =>
      Buffer.concat(chunks).toString('utf8'),
    );
    const { killed } = guard;
    if (killed === undefined) resolve({ code: code ?? KILLED, stdout: stdout ?? '', stderr: stderr ?? '' });
    else resolve({ code: KILLED, stdout: '', stderr: `opa was stopped: it ${killed}` });
  });
}

interface Output {
  readonly stdout: readonly Buffer[];
  readonly stderr: readonly Buffer[];
}

/** Gives it its input, and takes what it may say. */
function exchange(pipes: Pipes, input: OpaOptions['stdin'], guard: Guard): Output {
  const output = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  for (const stream of ['stdout', 'stderr'] as const) {
    pipes[stream].on('data', (chunk: Buffer) => {
      if (guard.mayRead(chunk.length)) output[stream].push(chunk);
    });
  }
  // It may end without having read its input, which is no error of ours.
  pipes.stdin.on('error', () => pipes.stdin.destroy());
  pipes.stdin.end(input ?? '');
  return output;
}

/** Kills a program that takes more than it may. */
class Guard {
  /** What it did, once it has been killed. */
  killed: string | undefined;
  readonly #child: ChildProcess;
  readonly #timers: readonly NodeJS.Timeout[];
  #bytes = 0;

  constructor(child: ChildProcess, timeoutMs: number) {
    this.#child = child;
    const timeout = setTimeout(() => this.#kill(`took longer than ${timeoutMs} ms`), timeoutMs);
    this.#timers = [timeout, setInterval(() => void this.#look(), LOOK_MS)];
  }

  /** Whether what it printed is still within what it may. */
  mayRead(bytes: number): boolean {
    this.#bytes += bytes;
    if (this.#bytes > MAX_OUTPUT_BYTES) this.#kill(`printed more than ${MAX_OUTPUT_BYTES} bytes`);
    return this.#bytes <= MAX_OUTPUT_BYTES;
  }

  /** To be called when it has ended. */
  end(): void {
    for (const timer of this.#timers) clearTimeout(timer);
  }

  async #look(): Promise<void> {
    const bytes = await residentBytes(this.#child.pid);
    if (bytes > MAX_RESIDENT_BYTES) this.#kill(`took more than ${MAX_RESIDENT_BYTES} bytes of memory`);
  }

  #kill(why: string): void {
    this.killed ??= why;
    killChild(this.#child);
  }
}

/** Memory that a process holds; none where it has ended, or where there is no /proc. */
async function residentBytes(pid: number | undefined): Promise<number> {
  const statm = await readFile(`/proc/${pid}/statm`, 'utf8').catch(() => '');
  return Number(statm.split(' ')[1] ?? 0) * PAGE_BYTES;
}

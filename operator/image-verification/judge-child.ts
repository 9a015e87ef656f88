// SPDX-License-Identifier: Apache-2.0
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { killChild, type Pipes, pipesOf } from '../runtime/child-process.ts';
import { FrameReader, frameOf } from './frames.ts';
import { giveWay } from './give-way.ts';
import { JUDGE_ARGUMENT, type Order, type Reply } from './messages.ts';

/** What a process that judges may have. */
export interface JudgeLimits {
  /** Of a processor, for one image. */
  readonly processorMs: number;
  /** Of time, where it has had less of a processor than it takes to be done with `processorMs` within `longestMs`: then it does not wait for one. */
  readonly patienceMs: number;
  /** Of time in all. */
  readonly longestMs: number;
  /** For what it makes of documents: V8 ends it when that is used up. */
  readonly heapMiB: number;
  /** With the documents themselves, and the program: then it is ended here. */
  readonly residentMiB: number;
}

/** Beside the bundle of the operator, the program is a file of its own. */
export const JUDGE_URL = new URL(
  import.meta.url.endsWith('.ts') ? './worker.ts' : './image-worker.mjs',
  import.meta.url,
);

/** What keeps the process that began it alive: the child, and its pipes, which are sockets. */
interface Handle {
  ref(): unknown;
  unref(): unknown;
}

/** How it ended, as far as that can be told. */
export type JudgeEnd =
  | { readonly kind: 'memory' }
  /** By somebody else: the kernel, where memory runs out. */
  | { readonly kind: 'killed' }
  /** By itself. */
  | { readonly kind: 'crash'; readonly how: string };

/** Who is told. */
export interface JudgeEvents {
  readonly onReply: (reply: Reply) => void;
  /** It is gone; nothing is told after that. Not called for one that was ended here. */
  readonly onEnd: (end: JudgeEnd) => void;
}

/** A third of it each: two halves between which the young are copied, and room to do so. */
const SEMI_SPACE_MIB = 16;
/** What is parsed is old at once to V8, and is garbage with the verdict: with less, it would go through all that is kept for each large document. */
const BEFORE_COLLECTING_MIB = 96;
/** What the kernel ends first, where a pod has no memory left. */
const FIRST_TO_GO = '1000';
/** Written at once, before it is waited until the pipe has room again. */
const BATCH_BYTES = 256 << 10;
/** A verdict has less, whatever is stated (told-verdict.ts): it is read in one piece, by the thread that all else is done in. */
export const MAX_REPLY_BYTES = 1 << 20;
/** Of what it says on its way out. */
const MAX_LAST_WORDS = 16_384;
const OUT_OF_MEMORY = /heap out of memory|Allocation failed|out of memory/;
const TICK_MS = 10;
const KIBIBYTES_PER_MIB = 1024;

/** It lets go of memory as all that is shipped does (ADR 0051, Dockerfile), and knows nothing else. */
const JUDGE_ENVIRONMENT = { MALLOC_MMAP_THRESHOLD_: '131072' };

/** What starts it. */
type Start = typeof spawn;

/** What a judge is started with. */
export interface JudgeChildOptions {
  readonly limits: JudgeLimits;
  readonly url: URL;
  /** Default: that of Node. */
  readonly start?: Start;
}

/**
 * A process that judges: it has a heap of its own, nothing of the operator in its environment, and may read the files of its program and nothing else.
 * It neither needs nor asks for a network; what it is told comes by one pipe, and what it says goes by another.
 */
export class JudgeChild {
  readonly #child: ChildProcess;
  /** None where there was not one more file to be opened: then nothing has been started. */
  readonly #pipes: Pipes | undefined;
  readonly #events: JudgeEvents;
  readonly #closed: Promise<unknown>;
  #lastWords = '';
  #isEnded = false;

  constructor({ limits, url, start = spawn }: JudgeChildOptions, events: JudgeEvents) {
    this.#events = events;
    const path = fileURLToPath(url);
    this.#child = start(process.execPath, [...flagsFor(limits, path), path, JUDGE_ARGUMENT], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: JUDGE_ENVIRONMENT,
    });
    // Before all else: an error that nobody listens to ends the operator.
    this.#closed = new Promise((resolve) => {
      this.#child.once('error', (error) => {
        this.#beGone({ kind: 'crash', how: `it could not be started: ${error.message}` });
        resolve(undefined);
      });
      this.#child.once('close', (code, signal) => {
        this.#beGone(endOf(code, signal, this.#lastWords));
        resolve(undefined);
      });
    });
    this.#pipes = pipesOf(this.#child);
    if (this.#pipes !== undefined) this.#listen(this.#pipes);
    this.#offer();
    if (this.#child.pid !== undefined) giveWay(this.#child.pid);
    // One that does nothing does not keep the process.
    for (const handle of this.#handles()) handle.unref();
  }

  /** Its number; undefined where it could not be started. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Tells it something, with bytes that belong to it. To be waited for: the pipe takes some at a time. */
  async tell(orders: Iterable<Told>): Promise<void> {
    if (this.#pipes === undefined) return;
    const { stdin } = this.#pipes;
    let batch = 0;
    stdin.cork();
    for (const { order, bytes } of orders) {
      for (const part of frameOf(order, bytes)) {
        stdin.write(part);
        batch += part.length;
      }
      if (batch < BATCH_BYTES) continue;
      batch = 0;
      stdin.uncork();
      if (stdin.writableNeedDrain) await once(stdin, 'drain');
      stdin.cork();
    }
    stdin.uncork();
  }

  /** Milliseconds of a processor that it has had since its start; undefined where nobody tells. */
  processorMs(): number | undefined {
    const stat = this.#ofKernel('stat');
    // The name of the program may hold anything, but what follows its last parenthesis is numbers.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ticks = Number(fields[11]) + Number(fields[12]);
    return Number.isNaN(ticks) ? undefined : ticks * TICK_MS;
  }

  /** Memory that it has resident; undefined where nobody tells. */
  residentMiB(): number | undefined {
    const [, kibibytes] = /^VmRSS:\s+(\d+) kB$/m.exec(this.#ofKernel('status')) ?? [];
    return kibibytes === undefined ? undefined : Number(kibibytes) / KIBIBYTES_PER_MIB;
  }

  /** Ends it at once, with what it does. Resolves when its memory is free again. */
  async end(): Promise<void> {
    this.#isEnded = true;
    // Whoever waits for that keeps the process.
    for (const handle of this.#handles()) handle.ref();
    killChild(this.#child);
    await this.#closed;
  }

  /** Pipes are sockets, whatever their type says. */
  #handles(): readonly Handle[] {
    return [this.#child, ...(Object.values(this.#pipes ?? {}) as readonly Handle[])];
  }

  #listen({ stdin, stdout, stderr }: Pipes): void {
    const reader = new FrameReader((reply) => this.#hear(reply), MAX_REPLY_BYTES);
    stdout.on('data', (piece: Buffer) => this.#read(reader, piece));
    stderr.setEncoding('utf8');
    stderr.on('data', (text: string) => {
      this.#lastWords = (this.#lastWords + text).slice(-MAX_LAST_WORDS);
    });
    // Whoever does not listen any more is gone, and that is told.
    stdin.on('error', () => undefined);
  }

  #read(reader: FrameReader, piece: Buffer): void {
    if (this.#isEnded) return;
    try {
      reader.write(piece);
    } catch {
      this.#beGone({ kind: 'crash', how: 'it said something that is no answer' });
      killChild(this.#child);
    }
  }

  #hear(reply: unknown): void {
    if (!this.#isEnded) this.#events.onReply(reply as Reply);
  }

  #beGone(end: JudgeEnd): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#events.onEnd(end);
  }

  /**
   * Rather it than the operator, where the kernel ends one process of a container: with cgroup v2, kubelets from 1.28 have it end all of them, unless
   * `singleProcessOOMKill` is set. So what holds is the limit of what it has resident.
   */
  #offer(): void {
    try {
      writeFileSync(`/proc/${this.#child.pid}/oom_score_adj`, FIRST_TO_GO);
    } catch {
      // It is bounded by itself.
    }
  }

  #ofKernel(file: string): string {
    try {
      return readFileSync(`/proc/${this.#child.pid}/${file}`, 'utf8');
    } catch {
      return '';
    }
  }
}

/** A message, and bytes that belong to it. */
export interface Told {
  readonly order: Order;
  readonly bytes?: Uint8Array;
}

function flagsFor({ heapMiB }: JudgeLimits, path: string): readonly string[] {
  return [
    `--max-old-space-size=${heapMiB}`,
    `--max-semi-space-size=${SEMI_SPACE_MIB}`,
    `--initial-old-space-size=${Math.min(BEFORE_COLLECTING_MIB, heapMiB)}`,
    // What it has left over of images it gives back when it is told to.
    '--expose-gc',
    // No files but those, no processes, no threads, no addons.
    '--permission',
    `--allow-fs-read=${programFolder(path)}`,
  ];
}

/** Of a bundle that of the file; of sources that of all of them, with what they import. */
function programFolder(path: string): string {
  const folder = dirname(path);
  return join(path.endsWith('.ts') ? join(folder, '../..') : folder, '*');
}

function endOf(code: number | null, signal: NodeJS.Signals | null, lastWords: string): JudgeEnd {
  if (OUT_OF_MEMORY.test(lastWords)) return { kind: 'memory' };
  if (signal === 'SIGKILL') return { kind: 'killed' };
  return { kind: 'crash', how: `it ended with ${signal ?? code ?? 'nothing'}` };
}

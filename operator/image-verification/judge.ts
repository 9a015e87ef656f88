// SPDX-License-Identifier: Apache-2.0
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import type { PolicyInputs } from '../core/images/inputs.ts';
import type { NotKnown } from '../core/supply-chain/judgement.ts';
import type { ImageVerdict } from '../core/supply-chain/verdict.ts';
import { processorMs } from '../policy/workers/thread-clock.ts';
import type { Gathered } from '../supply-chain/evidence.ts';
import type { Order, Reply } from './messages.ts';

/** What is judged: an image, with all that was gathered of it and of images within it. */
export interface JudgeOrder {
  readonly digest: string;
  readonly gathered: ReadonlyMap<string, Gathered | NotKnown>;
  readonly policies: readonly PolicyInputs[];
  readonly now: Date;
}

/** What came of it. Where something is missing, the verdicts are not the last word. */
export interface Judged {
  readonly verdicts: readonly ImageVerdict[];
  readonly missing: readonly string[];
}

/** Judging came to no end of its own: what is attached to the image takes too much, or brought the thread down. */
export class JudgingEnded extends Error {
  override readonly name = 'JudgingEnded';
}

/** What a thread may have. */
export interface JudgeLimits {
  /** Of a processor, for one image. */
  readonly processorMs: number;
  /** Of time, whatever it had of a processor. */
  readonly patienceMs: number;
  readonly heapMiB: number;
}

export const JUDGE_LIMITS: JudgeLimits = { processorMs: 20_000, patienceMs: 120_000, heapMiB: 256 };

/** Of a thread, for what is new, beside its heap. */
export const JUDGE_YOUNG_MIB = 32;

/** Between two looks at what a thread has had. */
const LOOK_MS = 250;

/** Beside the bundle of the operator, the worker is a file of its own. */
export const JUDGE_URL = new URL(
  import.meta.url.endsWith('.ts') ? './worker.ts' : './image-worker.mjs',
  import.meta.url,
);

interface Running {
  readonly resolve: (judged: Judged) => void;
  readonly reject: (error: Error) => void;
  readonly watchdog: NodeJS.Timeout;
  readonly startedAt: number;
}

/**
 * One thread that judges, one image at a time: checks of signatures, and documents of strangers, would hold up everything else. It is started when it is
 * needed, and ended with what it does when that takes too much; the next image has another.
 */
export class JudgeThread {
  readonly #limits: JudgeLimits;
  readonly #url: URL;
  #worker: Worker | undefined;
  #port: MessagePort | undefined;
  #thread: number | undefined;
  /** What it had of a processor when it answered last. */
  #spentMs = 0;
  #running: Running | undefined;

  constructor(limits: JudgeLimits = JUDGE_LIMITS, url: URL = JUDGE_URL) {
    this.#limits = limits;
    this.#url = url;
  }

  /**
   * Judges one image.
   *
   * @throws JudgingEnded when the thread ended before it had an answer: too much time, or too much memory.
   */
  async judge(order: JudgeOrder): Promise<Judged> {
    if (this.#running !== undefined) throw new Error('a thread judges one image at a time');
    const port = this.#start();
    const outcome = new Promise<Judged>((resolve, reject) => {
      const watchdog = setInterval(() => this.#look(), LOOK_MS);
      this.#running = { resolve, reject, watchdog, startedAt: performance.now() };
    });
    // Whoever ends it meanwhile has told.
    await Promise.race([sendAll(port, order), outcome.catch(() => undefined)]);
    return outcome;
  }

  /** Ends it, and what it does. */
  async close(): Promise<void> {
    await this.#end(new Error('the operator ends'));
  }

  #start(): MessagePort {
    if (this.#port !== undefined) return this.#port;
    const { port1, port2 } = new MessageChannel();
    const worker = new Worker(this.#url, {
      workerData: { port: port2 },
      transferList: [port2],
      resourceLimits: {
        maxOldGenerationSizeMb: this.#limits.heapMiB,
        maxYoungGenerationSizeMb: JUDGE_YOUNG_MIB,
        stackSizeMb: 4,
      },
      execArgv: [],
      argv: [],
      env: {},
      name: 'images',
    });
    this.#spentMs = 0;
    this.#thread = undefined;
    port1.on('message', (reply: Reply) => this.#take(reply));
    worker.once('error', (error) => void this.#endOf(worker, error));
    worker.once('exit', () => void this.#endOf(worker, new Error('the thread ended by itself')));
    // Threads that do nothing do not keep the process.
    worker.unref();
    port1.unref();
    this.#worker = worker;
    this.#port = port1;
    return port1;
  }

  #take(reply: Reply): void {
    if (reply.kind === 'ready') {
      this.#thread = reply.thread;
      return;
    }
    this.#spentMs = reply.processorMs;
    const running = this.#settle();
    if (reply.kind === 'judged') running?.resolve(reply);
    else running?.reject(new JudgingEnded(`the judge failed (${reply.message})`));
  }

  #look(): void {
    const running = this.#running;
    if (running === undefined) return;
    const passedMs = performance.now() - running.startedAt;
    const had = this.#thread === undefined ? undefined : processorMs(this.#thread);
    const hadMs = had === undefined ? passedMs : had - this.#spentMs;
    const { processorMs: most, patienceMs } = this.#limits;
    if (hadMs < most && passedMs < patienceMs) return;
    void this.#end(new JudgingEnded(`judging was ended after ${Math.round(hadMs)} ms of a processor`));
  }

  async #endOf(worker: Worker, error: unknown): Promise<void> {
    if (worker !== this.#worker) return;
    const isMemory = error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';
    const message = isMemory
      ? `judging took more than ${this.#limits.heapMiB} MiB`
      : 'the thread ended by itself';
    await this.#end(new JudgingEnded(message));
  }

  async #end(why: Error): Promise<void> {
    const worker = this.#worker;
    this.#port?.close();
    this.#worker = undefined;
    this.#port = undefined;
    this.#settle()?.reject(why);
    await worker?.terminate();
  }

  #settle(): Running | undefined {
    const running = this.#running;
    if (running !== undefined) clearInterval(running.watchdog);
    this.#running = undefined;
    return running;
  }
}

/** Piece by piece, with room in between: what is sent is copied here, and all of it at once would hold up everything else. */
async function sendAll(port: MessagePort, { digest, gathered, policies, now }: JudgeOrder): Promise<void> {
  const send = (order: Order) => port.postMessage(order);
  for (const [image, held] of gathered) {
    if ('kind' in held) {
      send({ kind: 'image', digest: image, gathered: held });
      continue;
    }
    const { evidence, ...rest } = held;
    send({ kind: 'image', digest: image, gathered: rest });
    for (const one of evidence) {
      send({ kind: 'evidence', digest: image, evidence: one });
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  send({ kind: 'judge', digest, policies, now: now.toISOString() });
}

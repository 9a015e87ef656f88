// SPDX-License-Identifier: Apache-2.0
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads';
import { stoppedText, SURE_SHARE, SURE_SHARE_OF_LOADS } from '../metering/clock.ts';
import { Failure } from '../verdict.ts';
import { Mailbox } from './mailbox.ts';
import {
  type Collected,
  type Loaded,
  LOOK,
  type Order,
  type Ready,
  type Reply,
  type ReplyContent,
  type WorkerSettings,
} from './messages.ts';
import { processorMs, type ThreadClock } from './thread-clock.ts';

/** Why a worker is no longer there. */
export type WorkerEnd = 'deadline' | 'stuck' | 'memory' | 'crash' | 'closed';

/** What a run came to. */
export type RunOutcome = (
  | ReplyContent
  | { readonly kind: 'stopped'; readonly reason: Failure; readonly message: string }
) & {
  /** What the evaluation had of a processor. */
  readonly micros: number;
  /** Of that, what it took until there was an instance. */
  readonly loadMicros?: number | undefined;
  /** What it took to be loaded in time of its own, in milliseconds. */
  readonly apartMs?: number | undefined;
  /** What it had of a processor, in milliseconds; where nobody tells, how long it took. With the start of the worker that was ended for it. */
  readonly hadMs: number;
  /**
   * Where its worker has memory to give back first: resolves when it has, or is gone, with what that took of a processor in milliseconds,
   * which is not in `hadMs`. It takes no order before.
   */
  readonly collected?: Promise<number> | undefined;
};

/** What a handle tells of its worker. */
export interface WorkerEvents {
  /** It takes orders now. */
  readonly onReady: () => void;
  /** It is gone, and takes none any more. */
  readonly onEnd: (why: WorkerEnd) => void;
}

type Run = Extract<Order, { kind: 'run' }>;
type FromWorker = Reply | Ready | Collected | Loaded;

/** Memory that is being given back, and who waits for that. */
interface Collecting {
  readonly watchdog: NodeJS.Timeout;
  readonly resolve: (tookMs: number) => void;
}

interface Running {
  readonly id: number;
  readonly key: string;
  startedAt: number;
  /** Of what is done now: what has time of its own to be loaded is loaded first, and then it is asked. */
  deadlineMs: number;
  sureShare: number;
  /** Of the question, where something is loaded in time of its own first. */
  readonly nextMs: number;
  /** What that took of a processor, once it is over. */
  loadMs: number | undefined;
  /** By the clock on the wall, for what is done now. */
  patienceMs: number;
  /** So long whoever asks can wait in any case. */
  readonly leastPatienceMs: number;
  watchdog: NodeJS.Timeout;
  readonly resolve: (outcome: RunOutcome) => void;
}

/** The worker's own heap: what builtins make. Memory of modules is limited for each by itself. */
const RESOURCE_LIMITS = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 8, stackSizeMb: 4 };

/** Beside the bundle of a role, the worker is a file of its own. */
export const WORKER_URL = new URL(
  import.meta.url.endsWith('.ts') ? './worker.ts' : './policy-worker.mjs',
  import.meta.url,
);

/** What workers run, and how their time is read. */
export interface WorkerProgram {
  readonly settings: WorkerSettings;
  readonly url: URL;
  readonly threadClock?: ThreadClock | undefined;
  /** By the clock on the wall: whoever has not given memory back after so long is ended. Without, four seconds. */
  readonly collectPatienceMs?: number | undefined;
}

/** Who had so much of its deadline on a processor has had its time: what the clock of a thread tells is some milliseconds old. */
const FULL_SHARE = 0.8;
/** One that others keep from the processors is waited for so many times as long; then it is the machine that is told of, and not the module. */
const PATIENCE = 8;
const LEAST_PATIENCE_MS = 250;
const MOST_PATIENCE_MS = 4000;
const LEAST_GRACE_MS = 40;
/** Between two looks. */
const LEAST_WAIT_MS = 5;

/**
 * One worker thread, with at most one evaluation at a time, which stops by itself when its time is over (ADR 0048). One that does not
 * is ended with its worker. Its time is that of its thread: on a machine where others take all processors, rules that are right would else
 * be stopped.
 */
export class WorkerHandle {
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #mailbox = new Mailbox();
  #events: WorkerEvents;
  /** Keys of what it has been told to load, and whether it has loaded that. */
  readonly #known = new Map<string, boolean>();
  readonly #threadClock: ThreadClock;
  readonly #collectPatienceMs: number;
  #state: 'starting' | 'idle' | 'busy' | 'ended' = 'starting';
  #thread: number | undefined;
  /** What its thread had until it answered last. */
  #spentMs = 0;
  /** What its start has cost. */
  #startMs = 0;
  #running: Running | undefined;
  /** While it gives memory back. */
  #collecting: Collecting | undefined;
  #orders = 0;

  constructor(program: WorkerProgram, events: WorkerEvents) {
    const { settings, url, threadClock = processorMs, collectPatienceMs = MOST_PATIENCE_MS } = program;
    this.#events = events;
    this.#threadClock = threadClock;
    this.#collectPatienceMs = collectPatienceMs;
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.#worker = new Worker(url, {
      workerData: { port: port2, mailbox: this.#mailbox.memory, settings },
      transferList: [port2],
      resourceLimits: RESOURCE_LIMITS,
      // It has no use for what this process was started with, nor for secrets in its environment.
      execArgv: [],
      argv: [],
      env: {},
      name: 'policy',
    });
    this.#port.on('message', (message: FromWorker) => this.#take(message));
    this.#worker.once('error', (error) => this.#beLost(error));
    this.#worker.once('exit', () => this.#beLost(undefined));
  }

  get isIdle(): boolean {
    return this.#state === 'idle';
  }

  /** It takes orders, or would if it were not busy. */
  get isStarted(): boolean {
    return this.#state === 'idle' || this.#state === 'busy';
  }

  get isEnded(): boolean {
    return this.#state === 'ended';
  }

  /** Who is told of it from now on; at once, if it takes orders already. */
  serve(events: WorkerEvents): void {
    this.#events = events;
    if (this.isIdle) setImmediate(() => events.onReady());
  }

  /** Whether it has to be told what a key stands for. */
  knows(key: string): boolean {
    return this.#known.has(key);
  }

  /** Whether it knows what a key stands for, and had an instance of it. */
  hasLoaded(key: string): boolean {
    return this.#known.get(key) === true;
  }

  /**
   * Has an idle worker do something. Never rejects; after `stopped` the worker is gone. One that others keep from the processors is waited
   * for at least `patienceMs`.
   */
  run(
    order: Omit<Run, 'kind' | 'id' | 'deadlineMs'>,
    deadlineMs: number,
    patienceMs = 0,
  ): Promise<RunOutcome> {
    this.#orders += 1;
    const id = this.#orders;
    this.#state = 'busy';
    this.#port.ref();
    if (!this.knows(order.key)) this.#known.set(order.key, false);
    const { question, loadDeadlineMs } = order;
    const isLoad = question === undefined || loadDeadlineMs !== undefined;
    const firstMs = loadDeadlineMs ?? deadlineMs;
    return new Promise((resolve) => {
      this.#running = {
        id,
        key: order.key,
        startedAt: performance.now(),
        deadlineMs: firstMs,
        sureShare: isLoad ? SURE_SHARE_OF_LOADS : SURE_SHARE,
        nextMs: deadlineMs,
        loadMs: undefined,
        patienceMs: Math.max(patienceFor(firstMs), patienceMs),
        leastPatienceMs: patienceMs,
        watchdog: setTimeout(() => this.#beLate(), backstopFor(firstMs)),
        resolve,
      };
      this.#send({ ...order, kind: 'run', id, deadlineMs });
    });
  }

  /** Questions about what is known are left in the mailbox, and whatever is more goes as a message. */
  #send(order: Run): void {
    const { source, question } = order;
    const isLeft =
      source === undefined && question !== undefined && this.#mailbox.put({ ...order, question });
    if (!isLeft)
      this.#port.postMessage(order, question === undefined ? [] : [question.input.buffer as ArrayBuffer]);
    const isHeard = this.#mailbox.ring();
    if (isLeft && !isHeard) this.#port.postMessage(LOOK, []);
  }

  forget(key: string): void {
    if (!this.#known.delete(key) || this.isEnded) return;
    const order: Order = { kind: 'forget', key };
    this.#port.postMessage(order, []);
  }

  /** Ends the worker, and what it is doing. */
  async close(): Promise<void> {
    this.#end('closed', { reason: Failure.Lost, message: 'the host was closed' });
    await this.#worker.terminate();
  }

  #beReady({ thread, processorMs: startMs }: Ready): void {
    if (this.#state !== 'starting') return;
    this.#thread = thread;
    this.#startMs = startMs;
    this.#rest();
    this.#events.onReady();
  }

  #take(reply: FromWorker): void {
    const hadMs = reply.processorMs - this.#spentMs;
    this.#spentMs = reply.processorMs;
    if (reply.kind === 'collected') return this.#beCollected(hadMs);
    if (reply.kind === 'loaded') return this.#beLoaded(hadMs);
    if ('thread' in reply) return this.#beReady(reply);
    const running = this.#running;
    if (running === undefined || running.id !== reply.id) return;
    clearTimeout(running.watchdog);
    this.#running = undefined;
    if (reply.kind === 'answer') this.#noteLoaded(running);
    const outcome = { ...reply, hadMs: hadMs + (running.loadMs ?? 0) };
    if (!reply.collects) {
      this.#rest();
      return running.resolve(outcome);
    }
    return running.resolve({ ...outcome, collected: this.#collected() });
  }

  /** Now it is asked: that has its deadline from here on. */
  #beLoaded(loadMs: number): void {
    const running = this.#running;
    if (running === undefined) return;
    clearTimeout(running.watchdog);
    this.#noteLoaded(running);
    running.startedAt = performance.now();
    running.deadlineMs = running.nextMs;
    running.patienceMs = Math.max(patienceFor(running.nextMs), running.leastPatienceMs);
    running.sureShare = SURE_SHARE;
    running.loadMs = loadMs;
    running.watchdog = setTimeout(() => this.#beLate(), backstopFor(running.deadlineMs));
  }

  /** What it was told to forget meanwhile it will have forgotten. */
  #noteLoaded({ key }: Running): void {
    if (this.knows(key)) this.#known.set(key, true);
  }

  /** It runs nobody's rules meanwhile, so it is only ended where it has hung, or the machine has no time for it for seconds. */
  #collected(): Promise<number> {
    return new Promise((resolve) => {
      this.#collecting = {
        watchdog: setTimeout(() => this.#beStuck(), this.#collectPatienceMs),
        resolve,
      };
    });
  }

  /** Where it was this process that was busy, it may have said so already. */
  #beStuck(): void {
    const told: { readonly message: FromWorker } | undefined = receiveMessageOnPort(this.#port);
    if (told !== undefined) return this.#take(told.message);
    this.#stop({ reason: Failure.Lost, message: 'it gave no memory back' }, 'stuck');
  }

  #beCollected(tookMs: number): void {
    if (this.isEnded) return;
    this.#rest();
    this.#endCollecting(tookMs);
  }

  #endCollecting(tookMs: number): void {
    const collecting = this.#collecting;
    this.#collecting = undefined;
    clearTimeout(collecting?.watchdog);
    collecting?.resolve(tookMs);
  }

  /** A worker that does nothing does not keep the process. */
  #rest(): void {
    this.#state = 'idle';
    this.#worker.unref();
    this.#port.unref();
  }

  /** Where it was this process that was busy, the answer may be here already. */
  #beLate(): void {
    const answer: { readonly message: FromWorker } | undefined = receiveMessageOnPort(this.#port);
    if (answer !== undefined) return this.#take(answer.message);
    const running = this.#running;
    if (running === undefined) return;
    const hadMs = this.#hadMs();
    const { deadlineMs } = running;
    const backstopMs = backstopFor(deadlineMs);
    if (hadMs === undefined || hadMs >= backstopMs * FULL_SHARE) {
      const sureMs = hadMs === undefined ? undefined : deadlineMs * running.sureShare;
      return this.#stop({ reason: Failure.Timeout, message: stoppedText(deadlineMs, sureMs) });
    }
    const passedMs = performance.now() - running.startedAt;
    const patienceMs = running.patienceMs - passedMs;
    if (patienceMs <= 0) {
      const [had, passed] = [Math.round(hadMs), Math.round(passedMs)];
      const message = `this replica is too busy: within ${passed} ms it had a processor for ${had} of ${deadlineMs} ms`;
      return this.#stop({ reason: Failure.Overloaded, message });
    }
    const waitMs = Math.min(Math.max(backstopMs - hadMs, LEAST_WAIT_MS), patienceMs);
    running.watchdog = setTimeout(() => this.#beLate(), waitMs);
  }

  /** What the thread had of a processor since it began with what it does now; undefined where nobody tells. */
  #hadMs(): number | undefined {
    const nowMs = this.#thread === undefined ? undefined : this.#threadClock(this.#thread);
    return nowMs === undefined ? undefined : nowMs - this.#spentMs;
  }

  #stop(why: { readonly reason: Failure; readonly message: string }, end: WorkerEnd = 'deadline'): void {
    this.#end(end, why);
    void this.#worker.terminate();
  }

  #beLost(error: unknown): void {
    const isMemory = error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';
    if (isMemory) {
      return this.#end('memory', {
        reason: Failure.OutOfMemory,
        message: 'its builtins took more memory than a worker has',
      });
    }
    return this.#end('crash', { reason: Failure.Lost, message: 'the worker ended by itself' });
  }

  #end(why: WorkerEnd, { reason, message }: { readonly reason: Failure; readonly message: string }): void {
    if (this.isEnded) return;
    this.#state = 'ended';
    this.#port.close();
    this.#endCollecting(Math.max(this.#hadMs() ?? 0, 0));
    const running = this.#running;
    this.#running = undefined;
    if (running !== undefined) {
      clearTimeout(running.watchdog);
      const tookMs = performance.now() - running.startedAt;
      const { loadMs = 0 } = running;
      const ownMs = loadMs + Math.max(this.#hadMs() ?? tookMs, 0);
      const [micros, loadMicros] = [Math.round(ownMs * 1000), Math.round(loadMs * 1000)];
      const hadMs = ownMs + this.#startMs;
      running.resolve({ kind: 'stopped', reason, message, micros, loadMicros, hadMs });
    }
    this.#events.onEnd(why);
  }
}

/** The worker stops by itself what takes too long. Only what it does without looking at its clock is ended with it. */
function backstopFor(deadlineMs: number): number {
  return deadlineMs + Math.max(LEAST_GRACE_MS, deadlineMs / 2);
}

function patienceFor(deadlineMs: number): number {
  return Math.max(LEAST_PATIENCE_MS, Math.min(deadlineMs * PATIENCE, deadlineMs + MOST_PATIENCE_MS));
}

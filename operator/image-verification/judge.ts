// SPDX-License-Identifier: Apache-2.0
import type { PolicyInputs } from '../core/images/inputs.ts';
import type { NotKnown } from '../core/supply-chain/judgement.ts';
import type { ImageVerdict } from '../core/supply-chain/verdict.ts';
import type { Gathered } from '../supply-chain/evidence.ts';
import { JUDGE_URL, JudgeChild, type JudgeEnd, type JudgeLimits, type Told } from './judge-child.ts';
import type { Reply } from './messages.ts';

export { JUDGE_URL, type JudgeLimits } from './judge-child.ts';

/** What is judged: an image, with all that was gathered of it and of images within it. */
export interface JudgeOrder {
  readonly digest: string;
  readonly gathered: ReadonlyMap<string, Gathered | NotKnown>;
  /** Those that are the same object as before are not told of again. */
  readonly policies: readonly PolicyInputs[];
  readonly now: Date;
}

/** What came of it. Where something is missing, the verdicts are not the last word. */
export interface Judged {
  readonly verdicts: readonly ImageVerdict[];
  readonly missing: readonly string[];
}

/** Judging came to no end of its own: what is attached to the image takes too much, or brought the process down. */
export class JudgingEnded extends Error {
  override readonly name = 'JudgingEnded';
  /** Whether it may have been somebody else's doing, who took all memory that there is. */
  readonly mayBeOthers: boolean;
  /** When it is worth to look again, where that is known. */
  readonly retryAfterMs: number | undefined;

  constructor(
    message: string,
    { mayBeOthers = false, retryAfterMs }: { mayBeOthers?: boolean; retryAfterMs?: number } = {},
  ) {
    super(message);
    this.mayBeOthers = mayBeOthers;
    this.retryAfterMs = retryAfterMs;
  }
}

/** By `longestMs` an image has had what it may have of the only processor, where up to four other threads want all of it (give-way.ts). */
export const JUDGE_LIMITS: JudgeLimits = {
  processorMs: 20_000,
  patienceMs: 120_000,
  longestMs: 300_000,
  heapMiB: 256,
  residentMiB: 576,
};

/** Between two looks at what a process has had. */
const LOOK_MS = 250;
/** How long a process is kept that has nothing to do, in milliseconds. */
export interface JudgeTimes {
  /** After so long it gives back its memory. */
  readonly idleMs: number;
  /** From its start: once it is over it is ended, as soon as it has had nothing to do for `idleMs`. */
  readonly lifeMs: number;
}

/**
 * To start a process holds up the thread that starts it: the kernel copies what it knows of its memory, which takes 10 ms of a processor and 20 by the
 * clock where that is 300 MB (ADR 0088). Who judges for long may have been taken over by what it judged.
 */
const TIMES: JudgeTimes = { idleMs: 60_000, lifeMs: 3_600_000 };
/** Policies that a process knows; what one image may be judged by is less. */
const MAX_KNOWN = 256;

const UNASKED = 'it said something that nobody asked';

interface Running {
  /** Of what it was told to judge: what it says of another one is no answer. */
  readonly number: number;
  /** By so many policies. */
  readonly policies: number;
  /** Those that it has told of. */
  readonly verdicts: ImageVerdict[];
  readonly resolve: (judged: Judged) => void;
  readonly reject: (error: Error) => void;
  readonly watchdog: NodeJS.Timeout;
  readonly startedAt: number;
}

/** What a process has had since it was told to judge, in milliseconds: of a processor, and by the clock. */
export interface Spent {
  readonly hadMs: number;
  readonly passedMs: number;
}

/**
 * Why it is to be ended, where it has had too much time. Whoever waits for a processor is not who waits for nothing: what gives way has a tenth of one
 * where others want it, and its patience would be over before it has had what it may have. So beyond that it goes on while it has so much that it has had
 * all of that by `longestMs`, when it is over one way or the other.
 */
export function overtimeOf({ hadMs, passedMs }: Spent, limits: JudgeLimits): string | undefined {
  const { processorMs, patienceMs, longestMs } = limits;
  if (hadMs >= processorMs) return `judging took more than ${processorMs / 1000} s of a processor`;
  const isAtWork = hadMs * longestMs >= passedMs * processorMs;
  if (passedMs < patienceMs || isAtWork) return undefined;
  return `judging came to no end within ${patienceMs / 1000} s`;
}

/**
 * One process that judges, one image at a time: checks of signatures, and documents of strangers, would hold up everything else here, and who runs out
 * of memory while JSON is parsed takes all with him. It is started when it is needed, and ended with what it does when that takes too
 * much; the next image has another. While it has nothing to do it has next to no memory, and after an hour it makes room for another.
 */
export class JudgeProcess {
  readonly #limits: JudgeLimits;
  readonly #url: URL;
  readonly #times: JudgeTimes;
  #startedAt = 0;
  #child: JudgeChild | undefined;
  #ending: Promise<void> | undefined;
  #isReady = false;
  /** It has judged an image, of which something may be left in its memory. */
  #hasAnswered = false;
  /** By policy, as what the process knows it. */
  #known = new Map<PolicyInputs, number>();
  #ids = 0;
  #orders = 0;
  /** What it had of a processor when it answered last. */
  #spentMs = 0;
  #running: Running | undefined;
  #idle: NodeJS.Timeout | undefined;

  constructor(limits: JudgeLimits = JUDGE_LIMITS, url: URL = JUDGE_URL, times: JudgeTimes = TIMES) {
    this.#limits = limits;
    this.#url = url;
    this.#times = times;
  }

  /** Its number, where there is one at the moment. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Of a processor, that the process had until it answered last. */
  get spentMs(): number {
    return this.#spentMs;
  }

  /**
   * Judges one image.
   *
   * @throws JudgingEnded when the process ended before it had an answer: too much time, or too much memory; another Error where it could not be started.
   */
  async judge(order: JudgeOrder): Promise<Judged> {
    if (this.#running !== undefined) throw new Error('a process judges one image at a time');
    clearTimeout(this.#idle);
    const outcome = new Promise<Judged>((resolve, reject) => {
      const watchdog = setInterval(() => this.#look(), LOOK_MS);
      this.#orders += 1;
      const { length: policies } = order.policies;
      const startedAt = performance.now();
      this.#running = {
        number: this.#orders,
        policies,
        verdicts: [],
        resolve,
        reject,
        watchdog,
        startedAt,
      };
    });
    // Whoever ends it meanwhile has told.
    await Promise.race([this.#send(order), outcome.catch(() => undefined)]);
    return outcome;
  }

  /** Ends it, and what it does. */
  async close(): Promise<void> {
    await this.#end(new Error('the operator ends'));
  }

  async #send(order: JudgeOrder): Promise<void> {
    // Two at a time would have twice the memory.
    await this.#ending;
    // Ended meanwhile.
    if (this.#running === undefined) return;
    try {
      this.#child ??= this.#start();
    } catch (error) {
      return this.#end(new Error('the process that judges could not be started', { cause: error }));
    }
    // A pipe that breaks breaks with the process, whose end is told.
    await this.#child.tell(this.#ordersOf(order)).catch(() => undefined);
  }

  #start(): JudgeChild {
    this.#startedAt = performance.now();
    this.#spentMs = 0;
    this.#isReady = false;
    this.#hasAnswered = false;
    this.#known = new Map();
    const child: JudgeChild = new JudgeChild(
      { limits: this.#limits, url: this.#url },
      {
        onReply: (reply) => this.#take(reply),
        onEnd: (end) => {
          if (child === this.#child) void this.#end(this.#errorOf(end));
        },
      },
    );
    return child;
  }

  *#ordersOf({ digest, gathered, policies, now }: JudgeOrder): Iterable<Told> {
    yield* this.#introduce(policies);
    for (const [image, held] of gathered) {
      if ('kind' in held) {
        yield { order: { kind: 'image', digest: image, held } };
        continue;
      }
      const { evidence, subject, ...rest } = held;
      yield { order: { kind: 'image', digest: image, held: rest }, bytes: subject };
      for (const { bytes, ...document } of evidence) {
        yield { order: { kind: 'evidence', digest: image, ...document }, bytes };
      }
    }
    const ids = policies.map((one) => this.#known.get(one) ?? 0);
    yield { order: { kind: 'judge', number: this.#orders, digest, policies: ids, now: now.toISOString() } };
  }

  /** Tells of policies that the process does not know, and has it forget those that were asked by least lately. */
  *#introduce(policies: readonly PolicyInputs[]): Iterable<Told> {
    for (const inputs of policies) {
      const before = this.#known.get(inputs);
      const id = before ?? (this.#ids += 1);
      this.#known.delete(inputs);
      this.#known.set(inputs, id);
      if (before === undefined) yield { order: { kind: 'policy', id, inputs } };
    }
    // Those of this image are the last.
    const most = Math.max(MAX_KNOWN, policies.length);
    for (const [inputs, id] of this.#known) {
      if (this.#known.size <= most) break;
      this.#known.delete(inputs);
      yield { order: { kind: 'forget', id } };
    }
  }

  #take(reply: Reply): void {
    if (reply.kind === 'ready') {
      this.#isReady = true;
      return;
    }
    const how = this.#faultOf(reply);
    // It is not to be heard on the next image either.
    if (how !== undefined) return void this.#end(this.#errorOf({ kind: 'crash', how }));
    if (reply.kind === 'verdict') {
      this.#running?.verdicts.push(reply.verdict);
      return;
    }
    this.#spentMs = reply.processorMs;
    this.#hasAnswered = true;
    const running = this.#settle();
    if (reply.kind === 'judged') running?.resolve({ verdicts: running.verdicts, missing: reply.missing });
    else running?.reject(new JudgingEnded(`the judge failed (${reply.message})`));
    if (this.#leftMs() <= 0) return void this.#end(new Error('it has judged for long enough'));
    this.#idle = setTimeout(() => this.#rest(), this.#times.idleMs).unref();
  }

  /** Until it makes room for another. */
  #leftMs(): number {
    return this.#startedAt + this.#times.lifeMs - performance.now();
  }

  /** It has had nothing to do for a while. */
  #rest(): void {
    const leftMs = this.#leftMs();
    if (leftMs <= 0) return void this.#end(new Error('it had nothing to do'));
    // A pipe that breaks breaks with the process, whose end is told.
    void this.#child?.tell([{ order: { kind: 'rest' } }]).catch(() => undefined);
    this.#idle = setTimeout(() => this.#rest(), leftMs).unref();
  }

  /** What it says is of this image, and as many verdicts as there are policies: what it leaves out, nobody would ever hear of. */
  #faultOf(reply: Exclude<Reply, { kind: 'ready' }>): string | undefined {
    const running = this.#running;
    if (running === undefined || reply.number !== running.number) return UNASKED;
    const left = running.policies - running.verdicts.length;
    if (reply.kind === 'verdict' && left <= 0) return UNASKED;
    return reply.kind === 'judged' && left > 0
      ? `it left out ${left} of ${running.policies} policies`
      : undefined;
  }

  #look(): void {
    const running = this.#running;
    if (running === undefined) return;
    const { residentMiB } = this.#limits;
    const passedMs = performance.now() - running.startedAt;
    const had = this.#child?.processorMs();
    const hadMs = had === undefined ? passedMs : had - this.#spentMs;
    const overtime = overtimeOf({ hadMs, passedMs }, this.#limits);
    if (overtime !== undefined) return void this.#end(new JudgingEnded(overtime));
    const resident = this.#child?.residentMiB() ?? 0;
    if (resident > residentMiB) {
      void this.#end(this.#tookMemory(residentMiB));
    }
  }

  #errorOf(end: JudgeEnd): Error {
    const { heapMiB } = this.#limits;
    if (end.kind === 'memory') return this.#tookMemory(heapMiB);
    if (end.kind === 'killed') {
      const message = 'the process that judges was killed, as it is where a machine has no memory left';
      return new JudgingEnded(message, { mayBeOthers: true });
    }
    const message = `the process that judges is gone: ${end.how}`;
    // Before it has taken any order, no image can have done that.
    return this.#isReady ? new JudgingEnded(message, { mayBeOthers: true }) : new Error(message);
  }

  /** Of an image that is not the first of its process, nobody knows how much of that the others left there. */
  #tookMemory(mib: number): JudgingEnded {
    return new JudgingEnded(`judging took more than ${mib} MiB`, { mayBeOthers: this.#hasAnswered });
  }

  async #end(why: Error): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    clearTimeout(this.#idle);
    if (child !== undefined) this.#ending = child.end();
    this.#settle()?.reject(why);
    await this.#ending;
  }

  #settle(): Running | undefined {
    const running = this.#running;
    if (running !== undefined) clearInterval(running.watchdog);
    this.#running = undefined;
    return running;
  }
}

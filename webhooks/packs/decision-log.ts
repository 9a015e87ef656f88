// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import type { Writable } from 'node:stream';
import type { JsonObject } from '#operator/core/policy/review';
import type { Log } from '#operator/telemetry/log';
import { TokenBuckets } from '#operator/runtime/token-buckets';
import { type Decided, decisionLine } from './decision-event.ts';
import type { PackMetrics } from './metrics.ts';

/** How decisions are logged. */
export interface DecisionLogOptions {
  /** Where lines go; undefined: nowhere. */
  readonly to: Writable | undefined;
  /** Of what is allowed, how many of a hundred are logged. What is refused, warned of or exempt always is. */
  readonly allowedPercent: number;
  readonly labels: JsonObject;
  readonly metrics: PackMetrics;
  /** Milliseconds from any beginning, which never go back. */
  readonly clock?: () => number;
}

/** What waits to be written at most. */
const MAX_LINES = 1024;
const MAX_BYTES = 16 * 1024 * 1024;
/** Decisions that wait to be made lines of: they hold whole objects. */
const MAX_FRESH = 256;

/**
 * Lines of one tenant that are written whole: so many at once, and then by the second. To mask an object takes as long as it is large, on the
 * thread that answers everybody; further lines are without their input.
 */
export const WHOLE_LINES = { burst: 64, perSecond: 8 } as const;
const MAX_BUCKETS = 4096;

interface Line {
  readonly text: string;
  readonly isRefusal: boolean;
}

/**
 * Writes decisions as lines of JSON in OPA's format. Lines are made after the answer, and wait in a queue of limited size: who reads too
 * slowly loses lines of what was allowed first, each counted, and holds nobody up.
 */
export class DecisionLog {
  readonly #options: DecisionLogOptions;
  readonly #fresh: Decided[] = [];
  readonly #whole = new TokenBuckets({ ...WHOLE_LINES, maxBuckets: MAX_BUCKETS });
  #lines: Line[] = [];
  #bytes = 0;
  #isBlocked = false;
  #isScheduled = false;

  constructor(options: DecisionLogOptions) {
    this.#options = options;
    options.to?.on('drain', () => {
      this.#isBlocked = false;
      this.#flush();
    });
    // A file that cannot be written must not end the process.
    options.to?.on('error', () => {
      this.#options.metrics.logDropped.inc({ reason: 'write_failed' }, this.#lines.length);
      this.#lines = [];
      this.#bytes = 0;
    });
  }

  /** Takes a decision to be logged. Costs the answer nothing. */
  offer(decided: Decided): void {
    if (this.#options.to === undefined) return;
    if (!isNotable(decided) && !isSampled(decided.review.uid, this.#options.allowedPercent)) {
      this.#options.metrics.logDropped.inc({ reason: 'sampled_out' });
      return;
    }
    if (this.#fresh.length >= MAX_FRESH) {
      if (decided.decision.allowed) this.#drop();
      else this.#enqueue(decided);
      return;
    }
    this.#fresh.push(decided);
    this.#schedule();
  }

  /** Writes what waits, as far as the reader takes it. */
  async close(): Promise<void> {
    while (this.#fresh.length > 0) this.#makeLine();
    this.#flush();
    const { to } = this.#options;
    if (to === undefined) return;
    await new Promise<void>((resolve) => to.write('', () => resolve()));
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#makeLine();
      if (this.#fresh.length > 0) this.#schedule();
    });
  }

  /** One at a time: between two lines, which are as long as objects are large, requests are answered. */
  #makeLine(): void {
    const decided = this.#fresh.shift();
    if (decided !== undefined) this.#enqueue(decided);
    this.#flush();
  }

  #enqueue(decided: Decided): void {
    const { labels } = this.#options;
    const text = `${decisionLine(decided, { labels, isShort: !this.#isWhole(decided) })}\n`;
    const isRefusal = !decided.decision.allowed;
    while (this.#lines.length >= MAX_LINES || this.#bytes + text.length > MAX_BYTES) {
      if (!this.#makeRoom(isRefusal)) return;
    }
    this.#lines.push({ text, isRefusal });
    this.#bytes += text.length;
  }

  /** What is in no tenant is of the platform's own making. */
  #isWhole({ facts }: Decided): boolean {
    const { clock = () => performance.now() } = this.#options;
    return facts.tenant === undefined || this.#whole.take(facts.tenant.name, clock());
  }

  /** Drops what was allowed before what was refused, and the oldest before the newest. False: the new line is what is dropped. */
  #makeRoom(isRefusal: boolean): boolean {
    const index = this.#lines.findIndex((line) => !line.isRefusal);
    this.#drop();
    if (index === -1 && !isRefusal) return false;
    const [gone] = this.#lines.splice(Math.max(index, 0), 1);
    this.#bytes -= gone?.text.length ?? 0;
    return true;
  }

  #drop(): void {
    this.#options.metrics.logDropped.inc({ reason: 'queue_full' });
  }

  #flush(): void {
    const { to, metrics } = this.#options;
    if (to === undefined) return;
    while (!this.#isBlocked) {
      const line = this.#lines.shift();
      if (line === undefined) return;
      this.#bytes -= line.text.length;
      metrics.logged.inc({});
      this.#isBlocked = !to.write(line.text);
    }
  }
}

/** What somebody may want to know of later. */
function isNotable({ decision, composition }: Decided): boolean {
  return !decision.allowed || composition.warnings.length > 0 || composition.lifted.length > 0;
}

/** By the uid, which the API server makes up: nobody chooses what is logged. */
function isSampled(uid: string, percent: number): boolean {
  if (percent >= 100) return true;
  return createHash('sha256').update(uid).digest().readUInt32BE(0) % 100 < percent;
}

/** Opens what `--decision-log` names: `stdout`, `none` or the path of a file, which is appended to. */
export function openDecisionLog(target: string, log: Log): Writable | undefined {
  if (target === 'none') return undefined;
  if (target === 'stdout') return process.stdout;
  const stream = createWriteStream(target, { flags: 'a', mode: 0o600 });
  stream.on('error', (error) =>
    log.error({ err: error, path: target }, 'the decision log cannot be written'),
  );
  return stream;
}

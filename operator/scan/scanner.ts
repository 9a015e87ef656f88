// SPDX-License-Identifier: Apache-2.0
import type { PolicyPackRevisionSpec } from '#crds/v1alpha1/policy-pack-revision';
import { canonicalJson } from '../core/compare.ts';
import type { KubeObject, Resource } from '../core/object.ts';
import { type ReportedPack, reportOf } from '../core/scan/report.ts';
import { scannedBy } from '../core/scan/scannable.ts';
import { FINDING_RESULTS, nextExpiryMs } from '../core/scan/verdict.ts';
import type { Client } from '../runtime/client.ts';
import { clock } from '../runtime/clock.ts';
import { LoopShare } from '../runtime/loop-share.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { PolicyJudge } from './judge.ts';
import { KnownObjects } from './known-objects.ts';
import { livePages } from './live-objects.ts';
import { Round } from './round.ts';
import type { JudgedPack, PackScan, ScanQuestion, Scans, ScanWorld } from '../core/scan/world.ts';

/** What scans are made with. */
export interface ScannerOptions {
  readonly client: Pick<Client, 'list'>;
  readonly judge: PolicyJudge;
  readonly metrics: Pick<Metrics, 'policyViolations' | 'policyScannedObjects' | 'policyScanSeconds'>;
  readonly log: Log;
  /** Kinds of others that are looked at. */
  readonly foreignKinds?: readonly Resource[];
  /** Between two rounds over what exists. */
  readonly intervalMs?: number;
  /** A change is looked at so much later, with others. */
  readonly soonMs?: number;
}

const INTERVAL_MS = 300_000;
const SOON_MS = 1000;
/** Of a round that failed. */
const AGAIN_MS = 30_000;

interface Wanted {
  question: ScanQuestion;
  askedAtMs: number;
  scan?: PackScan;
  /** Whether something has changed since the scan. */
  isStale: boolean;
}

/**
 * Goes over what exists again and again, for as long as somebody asks, and asks each pack about what has changed: objects, packs, what is known
 * of tenants; exemptions count by the moment. Who asks is woken when the answer is another one. It writes nothing.
 */
export class PolicyScanner implements Scans {
  readonly #options: ScannerOptions;
  readonly #intervalMs: number;
  readonly #wanted = new Map<string, Wanted>();
  readonly #known = new KnownObjects();
  readonly #listeners: ((pack: string) => void)[] = [];
  readonly #stopping = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #dueAtMs = Infinity;
  #work: Promise<void> = Promise.resolve();
  #isRunning = false;

  constructor(options: ScannerOptions) {
    this.#options = options;
    this.#intervalMs = options.intervalMs ?? INTERVAL_MS;
  }

  /** Told `namespace/name` of a pack of which something else is said. */
  onDone(listener: (pack: string) => void): void {
    this.#listeners.push(listener);
  }

  /** How often who wants to be told has to ask. */
  get intervalMs(): number {
    return this.#intervalMs;
  }

  /** What a pack says of what exists, as last seen; undefined: not known yet. */
  ask(question: ScanQuestion): PackScan | undefined {
    const key = keyOf(question.pack);
    const known = this.#wanted.get(key);
    const isSame = known !== undefined && isSameQuestion(known.question, question);
    const wanted: Wanted = known ?? { question, askedAtMs: 0, isStale: true };
    wanted.question = question;
    wanted.askedAtMs = performance.now();
    if (!isSame) wanted.isStale = true;
    this.#wanted.set(key, wanted);
    if (wanted.isStale) this.#wake(this.#options.soonMs ?? SOON_MS);
    return wanted.scan?.revision === question.revision.metadata.name ? wanted.scan : undefined;
  }

  /** A pack decides nothing any more. */
  forget(pack: string): void {
    this.#wanted.delete(pack);
  }

  /** Ends what is under way. */
  async close(): Promise<void> {
    this.#stopping.abort();
    clearTimeout(this.#timer);
    await this.#work;
  }

  /** Has a round begin within so long. */
  #wake(withinMs: number): void {
    const dueAtMs = performance.now() + withinMs;
    if (this.#isRunning || this.#stopping.signal.aborted || dueAtMs >= this.#dueAtMs) return;
    clearTimeout(this.#timer);
    this.#dueAtMs = dueAtMs;
    this.#timer = setTimeout(() => this.#begin(), withinMs);
    this.#timer.unref();
  }

  #begin(): void {
    this.#dueAtMs = Infinity;
    this.#isRunning = true;
    this.#work = this.#goOver();
  }

  async #goOver(): Promise<void> {
    let nextMs = AGAIN_MS;
    try {
      nextMs = await this.#round();
    } catch (error) {
      this.#options.log.warn({ err: error }, 'what exists could not be gone over: trying again');
    }
    this.#isRunning = false;
    const isStale = [...this.#wanted.values()].some((one) => one.isStale);
    if (this.#wanted.size > 0) this.#wake(isStale ? (this.#options.soonMs ?? SOON_MS) : nextMs);
  }

  /** Goes over everything once; when it is to be done again. */
  async #round(): Promise<number> {
    this.#forgetUnasked();
    const startedAt = performance.now();
    const packs = [...this.#wanted.values()];
    const [first] = packs;
    if (first === undefined) return this.#intervalMs;
    for (const one of packs) one.isStale = false;
    const { world } = packs.reduce((a, b) => (b.askedAtMs > a.askedAtMs ? b : a), first).question;
    const round = await this.#walk(
      packs.map(({ question }) => question),
      world,
    );
    if (round === undefined) return this.#intervalMs;
    for (const one of packs) this.#take(one, round);
    this.#count(round, (performance.now() - startedAt) / 1000);
    const expiryMs = nextExpiryMs(world.exemptions, clock.now());
    return Math.min(this.#intervalMs, expiryMs ?? Infinity);
  }

  /** Undefined where it was ended. */
  async #walk(packs: readonly JudgedPack[], world: ScanWorld): Promise<Round | undefined> {
    const { client, judge, log, foreignKinds } = this.#options;
    const round = new Round({ packs, world, judge, known: this.#known });
    await round.load();
    const bindings = packs.map(({ revision }) => (revision['spec'] as PolicyPackRevisionSpec).binding);
    const { resources } = scannedBy(bindings, foreignKinds);
    const share = new LoopShare();
    const onUnread = (resource: Resource, why: string) => {
      round.unread.add(resource);
      log.debug({ kind: resource.kind, why }, 'a scan leaves out a kind');
    };
    for await (const { resource, items } of livePages(
      client,
      { resources, foreign: foreignKinds },
      onUnread,
    )) {
      for (const object of items) {
        if (this.#stopping.signal.aborted) return undefined;
        await round.add(object, resource);
        await share.rest();
      }
    }
    round.end();
    return round;
  }

  #take(wanted: Wanted, round: Round): void {
    const { pack, revision } = wanted.question;
    const tallies = round.talliesOf(pack);
    const scan: PackScan = {
      revision: revision.metadata.name,
      reports: [...tallies].flatMap(
        ([namespace, tally]) => reportOf(reportedOf(wanted), namespace, tally) ?? [],
      ),
      complete: round.isComplete && tallies !== undefined && !this.#isUnread(revision, round),
    };
    const isSame = wanted.scan !== undefined && canonicalJson(wanted.scan) === canonicalJson(scan);
    wanted.scan = scan;
    if (!isSame) for (const listener of this.#listeners) listener(keyOf(pack));
  }

  /** Whether something that the pack is about could not be read. What others are about is no matter of it. */
  #isUnread(revision: KubeObject, { unread }: Round): boolean {
    const { binding } = revision['spec'] as PolicyPackRevisionSpec;
    return scannedBy([binding], this.#options.foreignKinds).resources.some((one) => unread.has(one));
  }

  #count(round: Round, seconds: number): void {
    const { metrics } = this.#options;
    metrics.policyScanSeconds.set({}, seconds);
    metrics.policyScannedObjects.set({}, round.scanned);
    for (const enforcement of ['Deny', 'Warn', 'DryRun'] as const) {
      for (const result of FINDING_RESULTS)
        metrics.policyViolations.set({ enforcement, result }, round.violations(enforcement, result));
    }
  }

  /** Whoever does not ask any more has lost its lead, or its pack. */
  #forgetUnasked(): void {
    const oldestMs = performance.now() - 3 * this.#intervalMs;
    for (const [key, { askedAtMs }] of this.#wanted) if (askedAtMs < oldestMs) this.#wanted.delete(key);
  }
}

function reportedOf({ question: { pack, revision } }: Wanted): ReportedPack {
  const { namespace = '', name } = pack.metadata;
  const { version } = revision['spec'] as PolicyPackRevisionSpec;
  return { namespace, name, revision: revision.metadata.name, version };
}

function keyOf({ metadata }: KubeObject): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}

function isSameQuestion(a: ScanQuestion, b: ScanQuestion): boolean {
  return a.revision.metadata.uid === b.revision.metadata.uid && isSameWorld(a.world, b.world);
}

/** Of tenants and namespaces, changes wait for the next round: they change all the time. */
function isSameWorld(a: ScanWorld, b: ScanWorld): boolean {
  if (a.images?.version !== b.images?.version) return false;
  return canonicalJson(a.exemptions) === canonicalJson(b.exemptions);
}

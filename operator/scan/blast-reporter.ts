// SPDX-License-Identifier: Apache-2.0
import { setTimeout as sleep } from 'node:timers/promises';
import { LABELS } from '#crds/v1alpha1/names';
import type { PolicyPackRevisionSpec } from '#crds/v1alpha1/policy-pack-revision';
import type { BlastRadius } from '#crds/v1alpha1/policy-rollout';
import type { KubeObject, Resource } from '../core/object.ts';
import { BlastCount, type Says } from '../core/policy-pack/blast-radius.ts';
import type { Snapshot } from '../core/policy/snapshot.ts';
import { askedAbout } from '../core/scan/live-review.ts';
import { scannedBy } from '../core/scan/scannable.ts';
import { type ScanVerdict, verdictOn } from '../core/scan/verdict.ts';
import { backoffMs } from '../runtime/backoff.ts';
import type { Client } from '../runtime/client.ts';
import { clock } from '../runtime/clock.ts';
import type { Log } from '../telemetry/log.ts';
import type { PolicyJudge } from './judge.ts';
import { livePages } from './live-objects.ts';
import { FairWork } from '../policy/workers/fair-work.ts';
import {
  type BlastAnswer,
  type BlastQuestion,
  type BlastReports,
  type ScanWorld,
  snapshotOf,
} from '../core/scan/world.ts';

/** How long a report may take, of how many objects it is, and how many a tenant may have waiting. */
export interface BlastLimits {
  readonly objects: number;
  readonly ms: number;
  /** A report for a tenant, which others wait for, is of its namespaces alone. */
  readonly tenantMs: number;
  readonly waitingPerTenant: number;
}

/** What reports are made with. */
export interface BlastOptions {
  readonly client: Pick<Client, 'list'>;
  readonly judge: PolicyJudge;
  readonly log: Log;
  /** Kinds of others that are looked at. */
  readonly foreignKinds?: readonly Resource[];
  /** What a report is made of at most; more is told as not complete. */
  readonly limits?: Partial<BlastLimits>;
}

const LIMITS: BlastLimits = { objects: 50_000, ms: 120_000, tenantMs: 30_000, waitingPerTenant: 16 };
const BACKOFF = { baseMs: 1000, maxMs: 60_000, jitter: 0.2 };

interface Work {
  readonly key: string;
  readonly stopping: AbortController;
  scanned: number;
  report?: BlastRadius;
  trouble?: string;
}

interface Attempt {
  readonly subject: string;
  readonly question: BlastQuestion;
  readonly work: Work;
  /** How often it failed before. */
  readonly failures: number;
}

/**
 * Finds out what revisions would do to what exists, each once, in the background: whoever asks is told how far that is, and is woken when it
 * is known. Nothing of it is kept but in memory, so who asks keeps what it was told. Reports of the platform wait for each other alone, and
 * tenants take turns: however many packs one makes, a neighbour waits for one of them at most.
 */
export class BlastReporter implements BlastReports {
  readonly #options: BlastOptions;
  readonly #limits: BlastLimits;
  readonly #work = new Map<string, Work>();
  readonly #listeners: ((pack: string) => void)[] = [];
  readonly #turns: { readonly platform: FairWork<Attempt>; readonly tenants: FairWork<Attempt> };

  constructor(options: BlastOptions) {
    this.#options = options;
    this.#limits = { ...LIMITS, ...options.limits };
    const carryOut = (attempt: Attempt) => this.#carryOut(attempt);
    const { waitingPerTenant } = this.#limits;
    this.#turns = {
      platform: new FairWork(carryOut, { atOnce: 1, waitingPerSubject: Infinity }),
      // A report that takes long is beside others, and not before them.
      tenants: new FairWork(carryOut, { atOnce: 2, waitingPerSubject: waitingPerTenant }),
    };
  }

  /** Told `namespace/name` of a pack whose report is there, or can be asked for now. */
  onDone(listener: (pack: string) => void): void {
    this.#listeners.push(listener);
  }

  /** The report, or how far it is. A pack has one: who asks for another gives up the former. */
  ask(question: BlastQuestion): BlastAnswer {
    const uid = question.pack.metadata.uid ?? '';
    const key = JSON.stringify([question.revision.metadata.uid, question.against?.metadata.uid]);
    const known = this.#work.get(uid);
    if (known?.key === key) return answerOf(known);
    this.forget(uid);
    const work: Work = { key, stopping: new AbortController(), scanned: 0 };
    if (!this.#enqueue({ subject: subjectOf(question), question, work, failures: 0 })) {
      const { waitingPerTenant } = this.#limits;
      const progress = `not begun: ${waitingPerTenant} reports of the same tenant wait already; this one follows by itself`;
      return { kind: 'pending', progress };
    }
    this.#work.set(uid, work);
    return answerOf(work);
  }

  /** Nobody wants a report of this pack any more. */
  forget(uid: string): void {
    this.#work.get(uid)?.stopping.abort();
    this.#work.delete(uid);
  }

  /** Ends what is under way. */
  async close(): Promise<void> {
    for (const { stopping } of this.#work.values()) stopping.abort();
    await Promise.all([this.#turns.platform.close(), this.#turns.tenants.close()]);
  }

  /** Not kept where too much waits: whoever asked is woken when there is room. */
  #enqueue(attempt: Attempt): boolean {
    const { platform, tenants } = this.#turns;
    const turns = attempt.subject === PLATFORM ? platform : tenants;
    const { signal } = attempt.work.stopping;
    signal.addEventListener('abort', () => turns.drop(attempt), { once: true });
    return turns.add(attempt, { key: packKeyOf(attempt), onRoom: (pack) => this.#tell(pack) });
  }

  #tell(pack: string): void {
    for (const listener of this.#listeners) listener(pack);
  }

  async #carryOut(attempt: Attempt): Promise<void> {
    const { question, work } = attempt;
    if (work.stopping.signal.aborted) return;
    try {
      const report = await this.#report(question, work);
      if (report === undefined) return;
      work.report = report;
      this.#tell(packKeyOf(attempt));
    } catch (error) {
      work.trouble = error instanceof Error ? error.message : String(error);
      this.#options.log.warn({ err: error }, 'a report on policy could not be made: trying again');
      void this.#tryAgain(attempt);
    }
  }

  /** After others had their turn: one that can never be made must not hold them up. */
  async #tryAgain(attempt: Attempt): Promise<void> {
    const { question, work } = attempt;
    const { signal } = work.stopping;
    const next = { ...attempt, failures: attempt.failures + 1 };
    const waited = sleep(backoffMs(BACKOFF, next.failures, Math.random()), true, { signal });
    if (!(await waited.catch(() => false)) || this.#enqueue(next)) return;
    // Asked for anew when there is room.
    this.#work.delete(question.pack.metadata.uid ?? '');
  }

  /** Undefined where nobody wants it any more. */
  async #report(question: BlastQuestion, work: Work): Promise<BlastRadius | undefined> {
    const pair = await this.#pairOf(question);
    const count = new BlastCount();
    const { ms, tenantMs, objects } = this.#limits;
    const namespaces = reachOf(question);
    const endsAt = performance.now() + (namespaces === undefined ? ms : tenantMs);
    let complete = pair.beyond.length === 0;
    const onUnread = (resource: Resource, why: string) => {
      complete = false;
      this.#options.log.info({ kind: resource.kind, why }, 'a report on policy leaves out a kind');
    };
    for await (const { resource, items } of livePages(
      this.#options.client,
      { resources: pair.resources, namespaces, foreign: this.#options.foreignKinds },
      onUnread,
    )) {
      for (const object of items) {
        if (work.stopping.signal.aborted) return undefined;
        const isOver = performance.now() > endsAt || count.scanned >= objects;
        if (isOver) return count.report(pair.names, { complete: false }, clock.now());
        if (!(await this.#add(count, pair, { object, resource }))) complete = false;
        work.scanned = count.scanned;
      }
    }
    return count.report(pair.names, { complete }, clock.now());
  }

  async #pairOf({ pack, revision, against, world }: BlastQuestion): Promise<Pair> {
    const both = [revision, against].filter((one) => one !== undefined);
    for (const one of both) {
      const outcome = await this.#options.judge.load(one, world);
      if (outcome.kind !== 'ok') throw new Error(`${one.metadata.name} cannot be loaded: ${outcome.message}`);
    }
    const active = against?.metadata.name;
    return {
      names: { revision: revision.metadata.name, ...(active !== undefined && { against: active }) },
      candidate: snapshotOf([{ pack, revision }], world),
      active: snapshotOf(against === undefined ? [] : [{ pack, revision: against }], world),
      exemptions: world.exemptions,
      ...scannedBy(
        both.map((one) => (one['spec'] as PolicyPackRevisionSpec).binding),
        this.#options.foreignKinds,
      ),
    };
  }

  /** Whether an object could be judged by both. One that neither is about is left out. */
  async #add(count: BlastCount, pair: Pair, live: Live): Promise<boolean> {
    const candidate = await this.#say(pair.candidate, pair, live);
    const active = await this.#say(pair.active, pair, live);
    if (candidate === 'unasked' || active === 'unasked') return false;
    if (candidate === undefined && active === undefined) return true;
    const said = { candidate: saysOf(candidate), active: saysOf(active) };
    const message = (said.candidate === 'Denied' ? candidate : active)?.findings[0]?.message;
    const { name, namespace } = live.object.metadata;
    count.add({ kind: live.resource.kind, name, namespace, ...said, message });
    return true;
  }

  async #say(
    snapshot: Snapshot,
    { exemptions }: Pair,
    { object, resource }: Live,
  ): Promise<ScanVerdict | undefined | 'unasked'> {
    const [asked] = askedAbout(snapshot, object, resource);
    if (asked === undefined) return undefined;
    const now = clock.now();
    const result = await this.#options.judge.ask(asked, now);
    return result.kind === 'unasked' ? 'unasked' : verdictOn(asked, result, { exemptions, now });
  }
}

interface Pair extends ReturnType<typeof scannedBy> {
  readonly names: { readonly revision: string; readonly against?: string };
  readonly candidate: Snapshot;
  readonly active: Snapshot;
  readonly exemptions: ScanWorld['exemptions'];
}

interface Live {
  readonly object: KubeObject;
  readonly resource: Resource;
}

function answerOf({ report, scanned, trouble }: Work): BlastAnswer {
  if (report !== undefined) return { kind: 'known', report };
  const far = `${scanned} objects so far`;
  return { kind: 'pending', progress: trouble === undefined ? far : `${far}; ${trouble}` };
}

/** Whoever is not asked has nothing against it. */
function saysOf(verdict: ScanVerdict | undefined): Says {
  return verdict?.isDenied === true ? 'Denied' : 'Allowed';
}

/** Whose the platform's own reports are. */
const PLATFORM = '';

/** Who waits for it, and takes turns with others: a tenant, however many namespaces it has. */
function subjectOf({ pack, world }: BlastQuestion): string {
  const { namespace = '' } = pack.metadata;
  if (namespace === world.platformNamespace) return PLATFORM;
  return world.namespaces.get(namespace)?.labels[LABELS.tenant] ?? `namespace ${namespace}`;
}

/** The namespaces that a pack can have a say in; undefined: all of them. */
function reachOf(question: BlastQuestion): readonly string[] | undefined {
  const subject = subjectOf(question);
  if (subject === PLATFORM) return undefined;
  const all = [...question.world.namespaces.values()];
  return all.filter(({ labels }) => labels[LABELS.tenant] === subject).map(({ name }) => name);
}

function packKeyOf({ question }: Attempt): string {
  const { namespace, name } = question.pack.metadata;
  return `${namespace}/${name}`;
}

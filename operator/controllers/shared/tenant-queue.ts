// SPDX-License-Identifier: Apache-2.0
import type { Reservation } from '#crds/v1alpha1/quota-ledger';
import { type Agent, agentKey, type GPUClass } from '../../core/agent/agent.ts';
import { defined, type KubeObject } from '../../core/object.ts';
import { formatAmounts, NO_AMOUNTS } from '../../core/quota/amounts.ts';
import { candidateOf } from '../../core/quota/candidates.ts';
import { handoverPlace } from '../../core/quota/handover.ts';
import { type LedgerObserved, type Queue, queueOf } from '../../core/quota/ledger.ts';
import type { Pieces } from '../../core/pieces.ts';
import { newsOf, type Places, placesOf } from '../../core/quota/places.ts';
import { RESOURCE_QUOTA_NAME } from '../../core/quota/refusals.ts';
import { isForeign } from '../../core/quota/resource-quota.ts';
import { isPodFinished } from '../../core/run/outcome.ts';
import type { Place, RunObserved } from '../../core/run/observed.ts';
import { inEarnest } from '../../core/run/dry-run.ts';
import { attemptLabelOf } from '../../core/run/gang.ts';
import type { Run } from '../../core/run/run.ts';
import { ownObjects } from '../../core/tenant/own-objects.ts';
import type { Ledger, Tenant } from '../../core/tenant/tenant.ts';
import { clock } from '../../runtime/clock.ts';
import { type Key, keyOf, type Reader } from '../../runtime/controller.ts';
import { asItsPodSays } from './admission-record.ts';
import type { CapacityGate } from './capacity-gate.ts';
import type { DeviceBook } from './device-book.ts';
import type { LedgerWitness } from './ledger-witness.ts';
import { AGENTS, GPU_CLASSES, NAMESPACES, RESOURCE_QUOTAS, TENANTS } from '../../core/resources.ts';
import { pinnedAgents } from './revisions.ts';
import { runsOf } from './tenant-runs.ts';
import { CORE_EVENTS, INDEX, namespacesOf, podsOf } from './workloads.ts';

/** What the stores tell about a ledger; what needs direct reads is left out. */
export type SeenLedger = Omit<LedgerObserved, 'vanished' | 'leftovers' | 'forged'>;

/** Reads, from the stores alone, what a ledger is decided on. */
export function seeLedger(ledger: Ledger, read: Reader, gate: CapacityGate): SeenLedger {
  const namespaces = namespacesOf(ledger);
  const reserved = ledger.status?.reservations ?? [];
  const tenant = read.get(TENANTS, { name: ledger.metadata.name }) as Tenant | undefined;
  const agents = namespaces.flatMap((namespace) => read.list(AGENTS, { namespace }) as readonly Agent[]);
  const classes = read.list(GPU_CLASSES) as readonly GPUClass[];
  const agentsByKey = new Map(
    agents.map((one) => [agentKey(one.metadata.namespace ?? '', one.metadata.name), one]),
  );
  const gpuClasses = new Map(classes.map((one) => [one.metadata.name, one]));
  const found = runsOf(ledger, namespaces, read);
  // One that was deleted and made anew must not give away what those have who are admitted, and have not said so yet.
  const isNew = ledger.status?.lastSerial === undefined;
  const runs = isNew ? found.map((run) => asItsPodSays(run, read)) : found;
  const quotas = quotasOf(namespaces, read);
  return {
    quotas: new Map([...quotas].filter(([, quota]) => !isForeign(quota, ledger))),
    taken: new Set([...quotas].flatMap(([name, quota]) => (isForeign(quota, ledger) ? [name] : []))),
    closed: new Set(namespaces.filter((name) => !isOpen(read.get(NAMESPACES, { name })))),
    runs,
    ...startsOf(reserved, read),
    refusals: namespaces.flatMap((value) => read.list(CORE_EVENTS, { index: INDEX.refusedIn, value })),
    agents: agentsByKey,
    revisions: pinnedAgents(runs, { agents: agentsByKey, gpuClasses, tenant }, read),
    gpuClasses,
    containerDefaults: tenant?.spec.containerDefaults,
    ownObjects: tenant === undefined ? NO_AMOUNTS : ownObjects(tenant.spec),
    obstacles: gate.obstacles(namespaces, read),
    decidedByKueue: (gpuClass) => gate.decides(gpuClass),
  };
}

/**
 * How long the places of a queue are believed while its ledger stays the same, and is not decided on anew, in milliseconds. Whatever moves a queue has
 * its ledger decided on within two seconds.
 */
const BELIEVED_MS = 2000;
/** The same of those that the last pass over the ledger has found: where others come and go, the next one is soon. */
const LEARNED_MS = 1000;

/** What would become of a dry run. */
export type Trial = Pick<RunObserved, 'place' | 'reservation' | 'demand'>;

interface Ranking {
  readonly rankedAtMs: number;
  readonly places: Places;
}

/** A queue as a pass over its ledger has decided on it. */
interface Learned {
  readonly uid: string | undefined;
  readonly atMs: number;
  /** Worked out when somebody asks. */
  readonly places: () => Places;
}

/**
 * Places of waiting Runs. Every waiting Run asks for its own; ranking them all anew for each would cost the square
 * of their number, so a ranking serves all who ask within a moment.
 */
export class TenantQueues implements LedgerWitness {
  /** By version of a ledger, and gone with it. */
  readonly #rankings = new WeakMap<Ledger, Ranking>();
  /** By name of a ledger, the latest last. */
  readonly #learned = new Map<string, Learned>();
  readonly #book: DeviceBook;
  #tell: (key: Key, withinMs: number) => void = () => undefined;

  constructor(book: DeviceBook) {
    this.#book = book;
  }

  /**
   * What a pass over `ledger` has decided: who asks for a place within a moment is told that, and nothing is ranked once more. Whose place has changed
   * is told that there is news, in pieces: those of a long queue one after the other.
   */
  *learn(ledger: Ledger, queue: Queue, runs: readonly Run[]): Pieces<void> {
    const { name, uid } = ledger.metadata;
    const atMs = performance.now();
    let places: Places | undefined;
    this.#rankings.delete(ledger);
    this.#learned.delete(name);
    this.#learned.set(name, {
      uid,
      atMs,
      places: () => (places ??= placesOf(queue, runs, ledger.spec.maxQueuedRuns)),
    });
    this.#forgetOlder(atMs - LEARNED_MS);
    for (const news of newsOf(queue, runs, clock.now())) {
      for (const { run, withinMs } of news) this.#tell(keyOf(run), withinMs);
      yield;
    }
  }

  #forgetOlder(sinceMs: number): void {
    for (const [name, { atMs }] of this.#learned) {
      if (atMs > sinceMs) return;
      this.#learned.delete(name);
    }
  }

  /** Has `tell` called with each waiting Run that does not say what its place is, whenever its queue was decided on. */
  onNews(tell: (key: Key, withinMs: number) => void): void {
    this.#tell = tell;
  }

  /** Nothing: what counts is learned from the pass itself. */
  see(): void {}

  /** Forgets a ledger that is gone. */
  forget({ metadata }: Ledger): void {
    this.#learned.delete(metadata.name);
  }

  /** Where `run` stands in the queue of its tenant. */
  placeOf(run: Run, ledger: Ledger, read: Reader): Place {
    if (!isHeldIn(run, ledger, read)) return { kind: 'none' };
    // Not ranked: it came since, or holds a reservation already.
    return this.#placesIn(ledger, read).get(run.metadata.uid ?? '') ?? { kind: 'next' };
  }

  /** Where a dry run would stand in the queue of its tenant, what would be reserved for it, and what it would take. */
  tryOut(run: Run, ledger: Ledger, read: Reader): Trial {
    if (!isHeldIn(run, ledger, read)) return { place: { kind: 'none' }, reservation: undefined };
    const asked = inEarnest(run);
    const { uid = '' } = run.metadata;
    const seen = this.#observe(ledger, read, clock.now());
    const runs = [...seen.runs.filter((one) => one.metadata.uid !== uid), asked];
    const queue = queueOf(ledger, { ...seen, runs }, seen.now);
    const { demand, gpu, pods } = candidateOf(asked, seen);
    const counted = new Map([...demand].filter(([key]) => ledger.spec.hard?.[key] !== undefined));
    const reservation = queue.admitted.find((one) => one.uid === uid);
    const places = placesOf(queue, runs, ledger.spec.maxQueuedRuns);
    return {
      place: handoverPlace(reservation, queue.held) ?? places.get(uid) ?? { kind: 'next' },
      reservation,
      demand: {
        ...(counted.size > 0 && { reserves: formatAmounts(counted, ledger.spec.hard) }),
        ...defined({ gpu, pods }),
      },
    };
  }

  #observe(ledger: Ledger, read: Reader, now: Date) {
    const openDesk = (held: readonly Reservation[]) => this.#book.desk(ledger, { read, held, now });
    return { ...seeLedger(ledger, read, this.#book.gate), ...NOT_ASKED, openDesk, now };
  }

  #placesIn(ledger: Ledger, read: Reader): Places {
    const nowMs = performance.now();
    const learned = this.#learned.get(ledger.metadata.name);
    const isFresh = learned?.uid === ledger.metadata.uid && nowMs - (learned?.atMs ?? 0) < LEARNED_MS;
    if (learned !== undefined && isFresh) return learned.places();
    const known = this.#rankings.get(ledger);
    if (known !== undefined && nowMs - known.rankedAtMs < BELIEVED_MS) return known.places;
    const seen = this.#observe(ledger, read, clock.now());
    const places = placesOf(queueOf(ledger, seen, seen.now), seen.runs, ledger.spec.maxQueuedRuns);
    this.#rankings.set(ledger, { rankedAtMs: nowMs, places });
    return places;
  }
}

/** A namespace that is being left still has a ledger, and nothing starts there any more; nor where no quota can be held. */
function isHeldIn({ metadata: { namespace = '' } }: Run, ledger: Ledger, read: Reader): boolean {
  const quota = read.get(RESOURCE_QUOTAS, { namespace, name: RESOURCE_QUOTA_NAME });
  const isShared = ledger.spec.namespaces?.includes(namespace) === true;
  return isShared && (quota === undefined || !isForeign(quota, ledger));
}

/** What only direct reads tell, and a place in the queue does not depend on. */
const NOT_ASKED = { vanished: new Map(), leftovers: new Map(), forged: new Set<string>() };

/** ResourceQuotas that bear our name, by namespace. */
function quotasOf(namespaces: readonly string[], read: Reader): ReadonlyMap<string, KubeObject> {
  const found = new Map<string, KubeObject>();
  for (const namespace of namespaces) {
    const quota = read.get(RESOURCE_QUOTAS, { namespace, name: RESOURCE_QUOTA_NAME });
    if (quota !== undefined) found.set(namespace, quota);
  }
  return found;
}

/** Whether something new can be made in a namespace. */
function isOpen(namespace: KubeObject | undefined): boolean {
  return namespace !== undefined && namespace.metadata.deletionTimestamp === undefined;
}

/** Whose pods were made: all that there are to be, or some. */
function startsOf(
  reserved: readonly Reservation[],
  read: Reader,
): Pick<LedgerObserved, 'started' | 'unmade'> {
  const unmade = new Map<string, number>();
  for (const one of reserved) {
    if (one.pods === undefined) continue;
    const made = podsOf(read, one).filter((pod) => attemptLabelOf(pod) === one.attempt).length;
    if (made > 0 && made < one.pods) unmade.set(one.uid, one.pods - made);
  }
  const whole = reserved.filter(({ uid }) => !unmade.has(uid));
  return { started: new Set(whole.filter((one) => hasLivePod(read, one)).map(({ uid }) => uid)), unmade };
}

function hasLivePod(read: Reader, reservation: Reservation): boolean {
  return podsOf(read, reservation).some((pod) => !isPodFinished(pod));
}

// SPDX-License-Identifier: Apache-2.0
import { MAX_RESERVATIONS, type Preemptor, type Reservation } from '#crds/v1alpha1/quota-ledger';
import { agentKey } from '../agent/agent.ts';
import { PIECE, type Pieces } from '../pieces.ts';
import { agentsWanted } from '../tree/below.ts';
import type { Calling } from '../tree/calling.ts';
import type { TreeBook } from '../tree/tree-book.ts';
import type { DeviceDesk } from '../capacity/device-queue.ts';
import { addTo, type Amounts, lacking, limitedTo, sumOf } from './amounts.ts';
import type { BudgetBook, Reserves } from './budgets.ts';
import type { CreateRate } from './create-rate.ts';
import type { Demand } from './grants.ts';
import { awaitedOf } from './handover.ts';
import { MOST_BYTES_BELOW, preemptorBytes, reservationBytes } from './ledger-size.ts';
import { bytesOf, isNew, reservationFor } from './new-reservation.ts';
import {
  agentFull,
  aheadOf,
  ELSEWHERE,
  LEDGER_FULL,
  mayTakeOver,
  noPlace,
  noPlaceBelow,
  TENANT_SUSPENDED,
  tooFewDevices,
  tooLittleCompute,
  tooSoon,
  TOO_MANY_KEYS,
} from './obstacles.ts';
import type { PreemptionBook } from './preemption.ts';
import { inLine, type WaitingRun, waitingRun } from './queue-line.ts';
import { PRIORITY_AGING_SECONDS, queueOrder } from './queue-order.ts';
import type { Pending } from './stock.ts';
import { dealtOut, deviceRequest, missingAmounts } from './wanted.ts';

/** Why a Run waits: a word for programs, a sentence for people. */
export interface Waiting {
  readonly reason: string;
  readonly message: string;
  /** A part of the message that changes with time alone: what was written without it is out of date. */
  readonly current?: string;
}

/** A Run that holds no quota and wants some. */
export interface Candidate extends Calling {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly agent: string;
  readonly priority: number;
  /** Creation, as the API server writes it: texts of one form, which sort by time. */
  readonly createdAt: string;
  /** Orders those of the same second; see `arrivalOf`. */
  readonly arrival?: number;
  /** Number of the attempt that a reservation would be for, from 1. */
  readonly attempt: number;
  /** Devices of all its pods together. */
  readonly gpu?: { readonly class: string; readonly count: number };
  /** Where these are many. */
  readonly pods?: number;
  /** Digest of its session, if it belongs to one. */
  readonly session?: string;
  /** The end of the name of the AgentRevision that it was judged by, where it is bound to none. */
  readonly revision?: string;
  readonly demand: Amounts;
  /** What it reserves of budgets, where the tenant has some. */
  readonly reserves?: Reserves;
  /** Bytes that its idempotency key takes in the ledger, if it is not there yet. */
  readonly keyBytes?: number;
  /** Something else than quota is in the way. */
  readonly blocked?: Waiting;
}

/** What admission is decided on. */
export interface AdmissionInput {
  readonly isSuspended: boolean;
  /** Seconds of waiting that outweigh one point of priority, as `queueOrder` has it. */
  readonly priorityAgingSeconds?: number | undefined;
  /** Runs admitted at one time; undefined is as many as the ledger can hold. */
  readonly maxConcurrentRuns: number | undefined;
  /** Bytes that reservations may take in the ledger, those held included; as many as they need when left out. */
  readonly bytes?: number;
  /** Idempotency keys that the ledger can still remember; as many as they are when left out. */
  readonly keysLeft?: number;
  /** Starts that the rate of the tenant allows; undefined is any. */
  readonly rate?: CreateRate | undefined;
  /** Budgets of the tenant by window; without them nobody waits for any. */
  readonly budgets?: BudgetBook | undefined;
  /** Runs that call each other; without it nobody is called. */
  readonly trees?: TreeBook | undefined;
  /** Whose place Runs can take over; without it nobody is ended for another. */
  readonly preemption?: PreemptionBook | undefined;
  /** Devices by class. A class that is absent cannot be used. */
  readonly gpus: ReadonlyMap<string, number>;
  /** Opens the desk that gives away devices on nodes, once somebody asks; without it nobody waits for them. */
  readonly openDesk?: (() => DeviceDesk) | undefined;
  /** Runs at one time by `agentKey`; an Agent that is absent is not limited. */
  readonly agentLimits: ReadonlyMap<string, number>;
  /** What nobody uses of the tenant's totals, by quota key; a key that is absent is not limited. */
  readonly free: Amounts;
  /** The same of each namespace's ResourceQuota; a namespace that is absent has none yet. */
  readonly freeIn: ReadonlyMap<string, Amounts>;
  readonly held: readonly Reservation[];
  readonly candidates: readonly Candidate[];
}

/** Who is admitted, and who waits for what. */
export interface Admission {
  /** New reservations, to be added to those held. */
  readonly admitted: readonly Reservation[];
  /** By uid, whom those that hold a reservation have to make room for from now on. */
  readonly marks: ReadonlyMap<string, Preemptor>;
  /** In order; the first one has position 1. */
  readonly waiting: readonly WaitingRun[];
  /** Waiting Runs that only lack quota in their own namespace while the tenant has it: grants should move there. */
  readonly demands: readonly Demand[];
}

/**
 * Decides which waiting Runs are admitted: as many as fit, in order, so that one write of the ledger admits them all.
 *
 * A Run that waits for something scarce (a GPU class, its agent's limit, cores) holds back those behind it that
 * want some of the same, so that a large one is not starved by small ones, and nobody else.
 *
 * The decision counts only once it is in the ledger. That write is a compare-and-swap: a leader that was deposed, or
 * whose cache is stale, has decided on an older ledger, so its write fails and admits nobody.
 *
 * Thousands may wait, so it is done in pieces; without a rest once the desk of devices is open.
 */
export function* admitRuns(input: AdmissionInput): Pieces<Admission> {
  const room = new Room(input);
  const admitted: Reservation[] = [];
  const waiting: WaitingRun[] = [];
  const demands: Demand[] = [];
  const { candidates, priorityAgingSeconds = PRIORITY_AGING_SECONDS } = input;
  const line = yield* inLine(candidates, queueOrder(priorityAgingSeconds));
  for (const [i, candidate] of line.entries()) {
    if (i % PIECE === 0 && !room.isAtDesk) yield;
    const verdict = room.verdictOn(candidate);
    if (!('reason' in verdict)) {
      admitted.push(verdict);
      continue;
    }
    waiting.push(waitingRun(candidate, verdict));
    if (verdict === ELSEWHERE && demands.length < room.places) {
      demands.push({ namespace: candidate.namespace, amounts: candidate.demand });
    }
  }
  return { admitted, waiting, demands, marks: input.preemption?.marks ?? NO_MARKS };
}

/** Names of what somebody may wait for, beside those of classes, Agents and quota keys. */
const [PLACES, BYTES] = ['places', 'bytes'] as const;

const NO_MARKS: Admission['marks'] = new Map();

/** What is left while admission goes through the queue. */
class Room {
  readonly #input: AdmissionInput;
  readonly #free: Map<string, bigint>;
  readonly #freeIn: Map<string, Map<string, bigint>>;
  readonly #gpus: Map<string, number>;
  readonly #running = new Map<string, number>();
  /** Scarce things that somebody ahead waits for. */
  readonly #awaited = new Set<string>();
  #desk: DeviceDesk | undefined;
  #bytes: number;
  #keysLeft: number;
  /** Reservations that the ledger can still hold. */
  #slots: number;
  /** What the present candidate is the first to wait for. */
  readonly #own = new Set<string>();
  /** Runs that wait for the rate alone. */
  #late = 0;
  /** What thousands may be told who wait for a place. */
  #full: Waiting | undefined;
  /** Runs that may still be admitted. */
  places: number;

  constructor(input: AdmissionInput) {
    this.#input = input;
    this.#free = new Map(input.free);
    this.#freeIn = new Map([...input.freeIn].map(([name, amounts]) => [name, new Map(amounts)]));
    this.#gpus = new Map(input.gpus);
    this.places = Math.min(input.maxConcurrentRuns ?? MAX_RESERVATIONS, MAX_RESERVATIONS);
    this.#slots = MAX_RESERVATIONS - input.held.length;
    this.#bytes = input.held.reduce((left, one) => left - reservationBytes(one), input.bytes ?? Infinity);
    this.#keysLeft = input.keysLeft ?? Infinity;
    for (const one of input.held) this.#count(one, awaitedOf(one, input.held));
  }

  /** Whether somebody has asked for devices, which are given away over all tenants. */
  get isAtDesk(): boolean {
    return this.#desk !== undefined;
  }

  /** The reservation that `candidate` gets, or what it waits for. */
  verdictOn(candidate: Candidate): Reservation | Waiting {
    if (this.#input.isSuspended) return TENANT_SUSPENDED;
    if (candidate.blocked !== undefined) return candidate.blocked;
    const obstacle = this.#obstacle(candidate);
    return obstacle === undefined ? reservationFor(candidate) : this.#takeOver(candidate, obstacle);
  }

  /** What `candidate` waits for. Without an obstacle it is admitted, and its share taken. */
  #obstacle(candidate: Candidate): Waiting | undefined {
    this.#own.clear();
    const missing = this.#missing(candidate);
    if (missing !== undefined) return missing;
    // From here on its compute is set aside, also while its namespace waits for a grant.
    addTo(this.#free, limitedTo(candidate.demand, this.#free), -1n);
    this.#takeDevices(candidate);
    this.#input.budgets?.take(candidate);
    this.#input.preemption?.take(candidate);
    if (!this.#takeInNamespace(candidate)) return ELSEWHERE;
    this.#admit(candidate, { bytes: bytesOf(candidate), victims: [] });
    return undefined;
  }

  #missing(candidate: Candidate): Waiting | undefined {
    return (
      this.#noKey(candidate) ??
      this.#noRoom(candidate) ??
      this.#agentFull(candidate) ??
      this.#noBudget(candidate) ??
      this.#noDevices(candidate) ??
      this.#noFreeDevices(candidate) ??
      this.#noCompute(candidate) ??
      this.#tooSoon(candidate)
    );
  }

  /**
   * The reservation by which `candidate` takes over from others, or what it goes on waiting for. What those who leave give back is
   * theirs until then, so nothing of it is given to anybody else. Rate, budget and key are its own from now on.
   */
  #takeOver(candidate: Candidate, obstacle: Waiting): Reservation | Waiting {
    const { preemption, budgets } = this.#input;
    if (preemption === undefined || this.#slots <= 0 || !mayTakeOver(candidate, obstacle)) return obstacle;
    if (preemption.willFit(candidate)) {
      if (budgets?.hasRoomFor(candidate) !== false) preemption.take(candidate);
      return obstacle;
    }
    const victims = preemption.victimsFor(candidate);
    const reservation = { ...reservationFor(candidate), awaits: victims.map(({ serial = 0 }) => serial) };
    const bytes = bytesOf(candidate, reservation) + victims.length * preemptorBytes(candidate);
    if (victims.length === 0 || this.#lacksBytes(candidate, bytes)) return obstacle;
    const unready = this.#unready(candidate);
    if (unready !== undefined) return unready;
    this.#setAside(candidate, preemption.handOver(candidate, victims));
    this.#admit(candidate, { bytes, victims });
    return reservation;
  }

  /** What keeps one from starting who has found others to take over from: of what these have it waits for nothing any more. */
  #unready(candidate: Candidate): Waiting | undefined {
    for (const scarce of this.#own) this.#awaited.delete(scarce);
    return this.#input.budgets?.obstacleTo(candidate) ?? this.#tooSoon(candidate);
  }

  #setAside(candidate: Candidate, { amounts, within }: Omit<Pending, 'namespace'>): void {
    addTo(this.#free, limitedTo(amounts, this.#free), -1n);
    const free = this.#freeIn.get(candidate.namespace);
    if (free !== undefined) addTo(free, limitedTo(within, free), -1n);
    this.#input.budgets?.take(candidate);
  }

  #admit(
    candidate: Candidate,
    { bytes, victims }: { readonly bytes: number; readonly victims: readonly Reservation[] },
  ): void {
    this.#slots -= 1;
    this.#bytes -= bytes;
    if (candidate.keyBytes !== undefined) this.#keysLeft -= 1;
    if (isNew(candidate)) this.#input.rate?.take();
    const reservation = reservationFor(candidate);
    this.#input.trees?.take(candidate, reservation);
    this.#count(reservation, victims);
  }

  /** Counts a reservation beside those from whom it takes over, who hold theirs until they have ended. */
  #count({ namespace, agent, gpuClass, gpus = 0 }: Reservation, awaited: readonly Reservation[]): void {
    if (awaited.length === 0) this.places -= 1;
    const key = agentKey(namespace, agent);
    if (!awaited.some((one) => agentKey(one.namespace, one.agent) === key)) this.#start(key);
    if (gpuClass === undefined) return;
    const kept = awaited.reduce((sum, one) => sum + (one.gpuClass === gpuClass ? (one.gpus ?? 0) : 0), 0);
    this.#gpus.set(gpuClass, (this.#gpus.get(gpuClass) ?? 0) - Math.max(0, gpus - kept));
  }

  #noKey({ keyBytes, levels = 0 }: Candidate): Waiting | undefined {
    return keyBytes === undefined || this.#keysLeft > levels ? undefined : TOO_MANY_KEYS;
  }

  #noRoom(candidate: Candidate): Waiting | undefined {
    const free = Math.min(this.places, this.#slots);
    if (free <= 0) return (this.#full ??= noPlace(this.#input.maxConcurrentRuns));
    const { levels = 0 } = candidate;
    if (free <= levels) this.#await(PLACES);
    if (free <= levels || this.#isHeldBack(candidate, PLACES)) return noPlaceBelow(levels, this.places);
    if (!this.#lacksBytes(candidate, bytesOf(candidate) + levels * MOST_BYTES_BELOW)) return undefined;
    // Held back as well is who stands behind and needs less: of shorter names there may always be some.
    this.#await(BYTES);
    return LEDGER_FULL;
  }

  #lacksBytes(candidate: Candidate, bytes: number): boolean {
    return bytes > this.#bytes || this.#isHeldBack(candidate, BYTES);
  }

  /**
   * Whether somebody ahead waits for something scarce. Who is called by a Run under way is held back by nobody: that waits for him, and
   * holds what those ahead wait for.
   */
  #isHeldBack({ call }: Candidate, scarce: string): boolean {
    return call === undefined && this.#awaited.has(scarce);
  }

  #agentFull(candidate: Candidate): Waiting | undefined {
    for (const { key, wanted, levels } of agentsWanted(candidate)) {
      const limit = this.#input.agentLimits.get(key) ?? Infinity;
      const isFull = (this.#running.get(key) ?? 0) + wanted > limit;
      if (isFull && candidate.below !== undefined) this.#await(`agent/${key}`);
      if (isFull || this.#isHeldBack(candidate, `agent/${key}`)) return agentFull(key, { limit, levels });
    }
    return undefined;
  }

  /** Of what is set aside for Runs that call each other, or of the tenant. */
  #noBudget(candidate: Candidate): Waiting | undefined {
    const { trees, budgets } = this.#input;
    return trees?.obstacleTo(candidate) ?? budgets?.obstacleTo(candidate);
  }

  #noDevices(candidate: Candidate): Waiting | undefined {
    const { gpu } = candidate;
    if (gpu === undefined) return undefined;
    const scarce = `gpu/${gpu.class}`;
    if (!this.#awaited.has(scarce) && (this.#gpus.get(gpu.class) ?? 0) >= gpu.count) return undefined;
    this.#await(scarce);
    const limit = this.#input.gpus.get(gpu.class) ?? 0;
    return tooFewDevices(gpu, { limit, dealtOut: dealtOut(candidate) });
  }

  /** Devices on nodes, which the quota does not promise. */
  #noFreeDevices(candidate: Candidate): Waiting | undefined {
    const { gpu } = candidate;
    if (gpu === undefined || this.#input.openDesk === undefined) return undefined;
    const scarce = `devices/${gpu.class}`;
    if (this.#awaited.has(scarce)) return aheadOf(gpu.class);
    this.#desk ??= this.#input.openDesk();
    const obstacle = this.#desk.obstacleTo(deviceRequest(candidate, gpu));
    if (obstacle !== undefined) this.#awaited.add(scarce);
    return obstacle;
  }

  #takeDevices(candidate: Candidate): void {
    if (candidate.gpu !== undefined) this.#desk?.take(deviceRequest(candidate, candidate.gpu));
  }

  #noCompute(candidate: Candidate): Waiting | undefined {
    const { demand, below, call } = candidate;
    const wanted = below === undefined ? demand : sumOf([demand, below.compute]);
    const missing = new Set(lacking(wanted, this.#free));
    const held = call === undefined ? [...demand.keys()] : [];
    for (const key of held) if (this.#awaited.has(key) && this.#free.has(key)) missing.add(key);
    if (missing.size === 0) return undefined;
    for (const key of missing) this.#await(key);
    return tooLittleCompute(missingAmounts([...missing], candidate, this.#free));
  }

  /** Asked last: who waits for something else takes nobody's turn. */
  #tooSoon(candidate: Candidate): Waiting | undefined {
    const { rate } = this.#input;
    if (rate === undefined || !isNew(candidate) || rate.isOpen) return undefined;
    const goesOn = new Date(rate.openMs(this.#late)).toISOString();
    this.#late += 1;
    return tooSoon(rate.limit, goesOn);
  }

  #takeInNamespace({ namespace, demand }: Candidate): boolean {
    const free = this.#freeIn.get(namespace);
    // Without any quota on the tenant there is nothing to be granted.
    if (free === undefined) return this.#free.size === 0;
    if (lacking(limitedTo(demand, this.#free), free).length > 0) return false;
    addTo(free, limitedTo(demand, free), -1n);
    return true;
  }

  #await(scarce: string): void {
    if (this.#awaited.has(scarce)) return;
    this.#awaited.add(scarce);
    this.#own.add(scarce);
  }

  #start(agent: string): void {
    this.#running.set(agent, (this.#running.get(agent) ?? 0) + 1);
  }
}

// SPDX-License-Identifier: Apache-2.0

/** What a process may have, and the threads that share it. */
export interface MemoryToShare {
  /** Bytes that the process may have; undefined: nobody limits them. */
  readonly limitBytes: number | undefined;
  readonly workers: number;
  /** Threads that are started, and have nothing loaded yet. */
  readonly spareWorkers: number;
}

/** What packs may take of it. */
export interface MemoryShares {
  /** All instances of one worker together, and the most that one of them may have. */
  readonly residentBytes: number;
  readonly maxMemoryMiB: number;
  /** Modules, data and live objects, which the workers share. */
  readonly keptBytes: number;
}

const MIB = 1024 * 1024;
/** What the process takes by itself, objects of the cluster and bodies of requests included (see ADR 0051). */
const OWN_BYTES = 144 * MIB;
/** A thread that has nothing loaded. */
const THREAD_BYTES = 26 * MIB;
const MOST_RESIDENT_BYTES = 96 * MIB;
const MOST_KEPT_BYTES = 512 * MIB;
/** What rules need that look at a request and at little else. Below, nothing would be judged at all. */
const LEAST_RESIDENT_BYTES = 16 * MIB;
const LEAST_KEPT_BYTES = 32 * MIB;
const MOST_MEMORY_MIB = 64;
/** The part of what is left that instances get. */
const RESIDENT_SHARE = 5 / 8;

/** Deals out memory, so that all together never need more than there is, whatever packs do. */
export function memoryShares({ limitBytes, workers, spareWorkers }: MemoryToShare): MemoryShares {
  const own = OWN_BYTES + (workers + spareWorkers) * THREAD_BYTES;
  const left = limitBytes === undefined ? Infinity : Math.max(limitBytes - own, 0);
  const each = Math.floor((left * RESIDENT_SHARE) / workers);
  const residentBytes = Math.min(Math.max(each, LEAST_RESIDENT_BYTES), MOST_RESIDENT_BYTES);
  const rest = left - residentBytes * workers;
  return {
    residentBytes,
    maxMemoryMiB: Math.min(Math.floor(residentBytes / MIB), MOST_MEMORY_MIB),
    keptBytes: Math.min(Math.max(rest, LEAST_KEPT_BYTES), MOST_KEPT_BYTES),
  };
}

/** What a process may have at least, for that to hold. */
export function leastBytes({ workers, spareWorkers }: Omit<MemoryToShare, 'limitBytes'>): number {
  const own = OWN_BYTES + (workers + spareWorkers) * THREAD_BYTES;
  const resident = LEAST_RESIDENT_BYTES * workers;
  return own + Math.ceil(Math.max(resident + LEAST_KEPT_BYTES, LEAST_KEPT_BYTES / (1 - RESIDENT_SHARE)));
}

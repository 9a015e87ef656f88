// SPDX-License-Identifier: Apache-2.0
import { hasEnded, lastOf, type Moment, runUidOf, type Written } from './trail.ts';

/** A part of something that is limited: `{ of: 'Runs of acme', amount: 1 }`. */
export interface Hold {
  readonly of: string;
  readonly amount: number;
}

/** What is limited, and who holds how much of it. */
export interface LevelRules {
  readonly limits: ReadonlyMap<string, number>;
  /** What a pod holds while it is there, as the scenario knows and no status says. */
  readonly holdsOf: (pod: Written, run: Written | undefined) => readonly Hold[];
}

/** What became of everything that is limited, over all moments. */
export interface Levels {
  /** The most that was held of each at one moment. */
  readonly peaks: ReadonlyMap<string, number>;
  /** In words, each time when more was held than is allowed. */
  readonly overshoots: readonly string[];
}

/** Plays all pods of Runs again, write by write, and looks after each at what is held. */
export function levelsOf(moments: readonly Moment[], { limits, holdsOf }: LevelRules): Levels {
  const runs = lastOf(moments, 'runs');
  const scale = new Scale(limits);
  const overshoots: string[] = [];
  for (const { object, resource, version } of moments) {
    const runUid = runUidOf(object);
    if (resource !== 'pods' || runUid === undefined) continue;
    const { uid, namespace, name } = object.metadata;
    const holds = hasEnded(object) ? [] : holdsOf(object, runs.get(runUid));
    const over = scale.put(uid, holds);
    overshoots.push(...over.map((what) => `${what}, with ${namespace}/${name} at version ${version}`));
  }
  return { peaks: scale.peaks, overshoots };
}

/** Adds up what is held. */
class Scale {
  readonly peaks = new Map<string, number>();
  readonly #limits: ReadonlyMap<string, number>;
  readonly #held = new Map<string, readonly Hold[]>();
  readonly #levels = new Map<string, number>();

  constructor(limits: ReadonlyMap<string, number>) {
    this.#limits = limits;
  }

  /** From now on `holder` holds just that. Returns, in words, of what there is more than is allowed by it. */
  put(holder: string, holds: readonly Hold[]): readonly string[] {
    for (const { of, amount } of this.#held.get(holder) ?? []) this.#add(of, -amount);
    this.#held.set(holder, holds);
    return holds.flatMap(({ of, amount }) => {
      const level = this.#add(of, amount);
      this.peaks.set(of, Math.max(this.peaks.get(of) ?? 0, level));
      const limit = this.#limits.get(of) ?? Infinity;
      return level > limit ? [`${level} of ${limit} ${of}`] : [];
    });
  }

  #add(of: string, amount: number): number {
    const level = (this.#levels.get(of) ?? 0) + amount;
    this.#levels.set(of, level);
    return level;
  }
}

/** So many may start in a second on average, and so many at once. */
export interface StartRate {
  readonly perSecond: number;
  readonly burst: number;
}

/**
 * Runs whose first pod came earlier than a rate allows, in words: by any moment no more may have started than the burst, and what the
 * rate gave since the first Run was created. Who is late to make a pod starts no more of them by that. `groupOf` says which rate
 * holds for a Run.
 */
export function earlyStarts(
  moments: readonly Moment[],
  rates: ReadonlyMap<string, StartRate>,
  groupOf: (run: Written) => string,
): readonly string[] {
  const sinceMs = firstCreated(moments, groupOf);
  const runs = lastOf(moments, 'runs');
  const started = new Map<string, Set<string>>();
  return moments.flatMap(({ object, resource, isFirst, atMs }) => {
    const run = isFirst && resource === 'pods' ? runs.get(runUidOf(object) ?? '') : undefined;
    const group = run === undefined ? '' : groupOf(run);
    const rate = rates.get(group);
    if (run === undefined || rate === undefined) return [];
    const those = started.get(group) ?? new Set();
    started.set(group, those.add(run.metadata.uid));
    const seconds = (atMs - (sinceMs.get(group) ?? atMs)) / 1000;
    const most = rate.burst + seconds * rate.perSecond;
    if (those.size <= most) return [];
    return [`${those.size} Runs of ${group} have started after ${seconds} s, of ${most.toFixed(2)}`];
  });
}

/** By group, the second in which its first Run was created: a Run may be started before its creator has the answer. */
function firstCreated(
  moments: readonly Moment[],
  groupOf: (run: Written) => string,
): ReadonlyMap<string, number> {
  const created = moments.filter(({ resource, isFirst }) => isFirst && resource === 'runs');
  // The first is to be the last that is put there.
  return new Map(created.toReversed().map(({ object }) => [groupOf(object), createdMs(object)]));
}

function createdMs({ metadata }: Written): number {
  return Date.parse(metadata.creationTimestamp ?? '');
}

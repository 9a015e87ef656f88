// SPDX-License-Identifier: Apache-2.0
import type { PolicyPackStatus } from '#crds/v1alpha1/policy-pack';
import { type BlastRadius, DEFAULT_ROLLOUT, type PolicyRollout } from '#crds/v1alpha1/policy-rollout';
import { NO_COUNTS, type PairCounts } from '../comparison.ts';
import type { ReplicaView } from '../replicas.ts';
import { nextStage, type StageFacts, type StageStep } from '../stage.ts';

/** When worlds begin. */
export const START_MS = Date.parse('2027-03-01T12:00:00Z');
const NAMESPACE = 'nexusos-system';
const PACK = 'baseline';

/** A name as replicas have it. */
export function qualified(revision: string): string {
  return `${NAMESPACE}/${revision}`;
}

/** A report that names nothing, but for what `fields` says. */
export function reportOf(revision: string, fields: Partial<BlastRadius> = {}): BlastRadius {
  return {
    revision,
    digest: `sha256:${'0'.repeat(64)}`,
    scanned: 100,
    complete: true,
    newlyDenied: 0,
    newlyAllowed: 0,
    at: '2027-03-01T12:00:00Z',
    ...fields,
  };
}

/** One pack, its replicas, and the time: what they do when the status changes is done by `settle`. */
export class RolloutWorld {
  nowMs = START_MS;
  wanted: string | undefined = 'v1';
  revisions: string[] = ['v1'];
  rollout: PolicyRollout = { ...DEFAULT_ROLLOUT };
  rollbackTo: string | undefined;
  suspended = false;
  strangers: ReadonlyMap<string, string> | undefined;
  status: PolicyPackStatus = {};
  /** Made for the pair that is asked about. */
  blast: (revision: string, against: string | undefined) => BlastRadius | 'none' | undefined = () => 'none';
  readonly replicas = new Map<string, ReplicaView>();
  /** Each step that changed something, as phase or stage and what decides. */
  readonly told: string[] = [];
  last: StageStep | undefined;

  constructor(names: readonly string[] = ['a', 'b']) {
    for (const name of names) this.start(name);
  }

  /** A replica comes, or begins anew and has nothing. */
  start(name: string): void {
    const empty = { prepared: [], enforcing: [], refused: [], quarantined: [], comparisons: [] };
    this.replicas.set(name, { name, live: true, ...empty });
  }

  change(name: string, fields: Partial<ReplicaView>): void {
    const replica = this.replicas.get(name);
    if (replica !== undefined) this.replicas.set(name, { ...replica, ...fields });
  }

  facts(): StageFacts {
    return {
      pack: {
        metadata: { name: PACK, namespace: NAMESPACE },
        spec: {
          rollout: this.rollout,
          suspended: this.suspended,
          ...(this.rollbackTo !== undefined && { rollbackTo: this.rollbackTo }),
        },
        status: this.status,
      },
      wanted: this.wanted,
      revisions: this.revisions.toReversed(),
      ...(this.strangers !== undefined && { strangers: this.strangers }),
      replicas: [...this.replicas.values()],
      blast: this.wanted === undefined ? undefined : this.blast(this.wanted, this.status.activeRevision),
    };
  }

  /** One pass of the operator. */
  pass(): StageStep {
    const step = nextStage(this.facts(), new Date(this.nowMs));
    this.status = { ...this.status, ...unset(this.status), ...step.status };
    this.last = step;
    const { phase, stage, activeRevision } = this.status;
    const line = `${stage?.name ?? phase} ${activeRevision ?? '-'}`;
    if (this.told.at(-1) !== line) this.told.push(line);
    return step;
  }

  /** A replica that is alive loads what it is told of, and decides by it. */
  follow(name: string): void {
    const { activeRevision, candidateRevision, previousRevision, phase } = this.status;
    const known = [activeRevision, candidateRevision, previousRevision].filter((one) => one !== undefined);
    const refused = this.replicas.get(name)?.refused.map(({ revision }) => revision) ?? [];
    const prepared = known.map(qualified).filter((one) => !refused.includes(one));
    const decides = [activeRevision, phase === 'Cohort' ? candidateRevision : undefined];
    const enforcing = decides.filter((one) => one !== undefined).map(qualified);
    this.change(name, { prepared, enforcing: enforcing.filter((one) => prepared.includes(one)) });
  }

  /** Passes and replicas in turns, until nothing changes. */
  settle(): StageStep {
    for (let i = 0; i < 20; i += 1) {
      const before = this.#all();
      this.pass();
      for (const [name, { live }] of this.replicas) if (live) this.follow(name);
      if (this.#all() === before) break;
    }
    return this.pass();
  }

  #all(): string {
    return JSON.stringify([this.status, ...this.replicas.values()]);
  }

  /** So many seconds go by. */
  wait(seconds: number): StageStep {
    this.nowMs += seconds * 1000;
    return this.settle();
  }

  /** What a replica has counted of the candidate beside what is active. */
  count(name: string, counts: Partial<PairCounts>): void {
    const { candidateRevision: revision = '', activeRevision: against } = this.status;
    const one = { ...NO_COUNTS, ...counts, pack: `${NAMESPACE}/${PACK}`, revision };
    this.change(name, { comparisons: [against === undefined ? one : { ...one, against }] });
  }

  /** A new version of the source is verified. */
  release(revision: string): void {
    this.revisions = [...this.revisions, revision];
    this.wanted = revision;
  }
}

/** All that a step may leave out, so that it is gone when it does. */
function unset(status: PolicyPackStatus): PolicyPackStatus {
  const { observedGeneration: _, conditions: __, source: ___, ...stages } = status;
  return Object.fromEntries(Object.keys(stages).map((key) => [key, undefined]));
}

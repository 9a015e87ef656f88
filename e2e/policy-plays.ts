// SPDX-License-Identifier: Apache-2.0

/** A version of a pack that does harm, and what is to become of it. */
export interface BadVersion {
  /** What is added to rules that are right. */
  readonly rego?: string;
  /** What takes their place. */
  readonly instead?: string;
  /** The stage that catches it, as `status.stage` or the page has it. */
  readonly stage: 'Source' | 'Report' | 'Shadow' | 'Cohort' | 'Active';
  /** What `Ready` says. */
  readonly reason: string;
  /** Requests that it does harm to begin in that stage; without, it does so from the beginning. */
  readonly isOdd?: boolean;
  /** NexusOS itself writes what it does harm to. */
  readonly isOwn?: boolean;
  /** In a cohort, it gives no answer to these requests: what is active judges them, and nobody is refused. */
  readonly givesNoAnswer?: boolean;
  readonly rules?: readonly object[];
  readonly rollout?: object;
  readonly evaluation?: object;
}

/** What never ends takes memory as well; it is to be stopped for its time. */
const FAT = { memoryMiB: 64 };

const ALWAYS = 'input.review.operation != ""';
const ODD = 'input.review.object.metadata.annotations.purpose == "odd"';

function denies(condition: string): string {
  return `deny contains sprintf("%s is not wanted", [input.review.name]) if ${condition}`;
}

/** Two values for one rule: the module gives up. */
function crashes(condition: string): string {
  return `level := "low" if ${condition}\nlevel := input.review.name if ${condition}\ndeny contains level`;
}

function neverEnds(condition: string): string {
  return search(condition, 500);
}

/** Some milliseconds of work, where one is allowed. */
function isSlow(condition: string): string {
  return search(condition, 20);
}

function search(condition: string, size: number): string {
  const range = `numbers.range(1, ${size})`;
  return `deny contains "found" if {
  ${condition}
  some a in ${range}
  some b in ${range}
  some c in ${range}
  a * b == c + 1000000000
}`;
}

/** What it does, as docs/how-to/roll-out-a-policy.md says it. */
export const BAD_VERSIONS: Readonly<Record<string, BadVersion>> = {
  'fails, whatever it is asked': { rego: crashes(ALWAYS), stage: 'Source', reason: 'EvaluationFailed' },
  'never ends, whatever it is asked': {
    rego: neverEnds(ALWAYS),
    evaluation: FAT,
    stage: 'Source',
    reason: 'EvaluationFailed',
  },
  'refuses kube-system': {
    rego: denies('input.review.namespace == "kube-system"'),
    rules: [{ apiGroups: ['', 'apps'], resources: ['pods', 'deployments', 'services'] }],
    stage: 'Source',
    reason: 'LocksOut',
  },
  'refuses everything': { rego: denies(ALWAYS), stage: 'Report', reason: 'AwaitingAcknowledgement' },
  'refuses three of ten objects that exist': {
    rego: denies('input.review.object.metadata.labels.tier == "web"'),
    stage: 'Report',
    reason: 'AwaitingAcknowledgement',
  },
  'lets pass what exists and is refused': {
    instead: denies('input.review.name == "nobody"'),
    stage: 'Report',
    reason: 'AwaitingAcknowledgement',
  },
  'is slow': {
    rego: isSlow(ALWAYS),
    stage: 'Shadow',
    reason: 'Slow',
    rollout: { latencyBudgetMs: 1 },
  },
  'fails on requests that come': { rego: crashes(ODD), isOdd: true, stage: 'Shadow', reason: 'Failing' },
  'never ends on requests that come': {
    rego: neverEnds(ODD),
    evaluation: FAT,
    isOdd: true,
    stage: 'Shadow',
    reason: 'TimedOut',
  },
  'refuses what NexusOS itself writes': {
    rego: denies('input.review.object.metadata.annotations.purpose == "own"'),
    isOwn: true,
    stage: 'Shadow',
    reason: 'ProtectedDenied',
  },
  'refuses three of ten requests that come': {
    rego: denies(ODD),
    isOdd: true,
    stage: 'Shadow',
    reason: 'NewlyDenied',
  },
  'lets pass requests that are refused': {
    instead: denies('input.review.name == "nobody"'),
    stage: 'Shadow',
    reason: 'NewlyAllowed',
  },
  'refuses requests that come while it decides for some': {
    rego: denies(ODD),
    isOdd: true,
    stage: 'Cohort',
    reason: 'NewlyDenied',
  },
  'never ends on requests that come while it decides for some': {
    rego: neverEnds(ODD),
    evaluation: FAT,
    isOdd: true,
    stage: 'Cohort',
    // Whichever is told first: that it was late three times, or that a replica has stopped running it for that.
    reason: 'TimedOut or Quarantined',
    givesNoAnswer: true,
  },
  'fails on requests that come while it decides for some': {
    rego: crashes(ODD),
    isOdd: true,
    stage: 'Cohort',
    reason: 'Failing',
    givesNoAnswer: true,
  },
  'never ends on requests that come within an hour of its activation': {
    rego: neverEnds(ODD),
    evaluation: FAT,
    isOdd: true,
    stage: 'Active',
    reason: 'Quarantined',
  },
};

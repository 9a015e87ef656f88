// SPDX-License-Identifier: Apache-2.0
import { compose, type PackResult } from '../core/policy/compose.ts';
import { matches } from '../core/policy/match.ts';
import { projector } from '../core/policy/projection.ts';
import type { SnapshotRevision } from '../core/policy/snapshot.ts';
import { plainCases, type ProtectedCase, protectedCases, type TrialCase } from '../core/policy-pack/trial.ts';
import type { PackFault } from '../core/policy-pack/verification.ts';
import { askPack, type Evaluate, type PackReply } from '../policy/packs/ask.ts';
import type { LoadedRevision } from '../policy/packs/load.ts';

/** What is tried, and by what. */
export interface Trial {
  readonly revision: SnapshotRevision;
  readonly loaded: LoadedRevision;
  /** Whose pack it is; undefined is the platform. */
  readonly tenant: string | undefined;
  readonly platformNamespace: string;
  readonly evaluate: Evaluate;
  readonly now: Date;
}

/** It was slow once, and not slower than a machine may be. */
const UNSURE = 'Slow';
/** On a machine that does other things, and for the first time, something may take longer than it does: so it has that many chances. */
const ATTEMPTS = 3;
/** Beyond so many times of what it may take, it is not the machine. */
const FACTOR = 4;
/** For an evaluation that is let end, to see how long it takes. */
export const LONG_MS = 1000;
/** Failures of who evaluates. */
const OURS: ReadonlySet<string> = new Set(['Overloaded', 'Lost', 'Quarantined', UNSURE]);

/**
 * Tries a module on objects as they are everywhere, as admission would ask it. Undefined: it answers, and nothing that it says is against the
 * system itself.
 */
export async function tryPack(trial: Trial): Promise<PackFault | undefined> {
  for (const one of plainCases(trial.tenant)) {
    const result = await resultFor(trial, one);
    if (result.kind === 'failed') return failure(one, result);
  }
  if (trial.tenant !== undefined || trial.revision.enforcement !== 'Deny') return undefined;
  for (const one of protectedCases(trial.platformNamespace)) {
    if (!matches(trial.revision.binding, one.review, one.facts)) continue;
    const fault = await judge(trial, one);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

async function judge(trial: Trial, one: ProtectedCase): Promise<PackFault | undefined> {
  const [result, ofTwin] = [await resultFor(trial, one), await resultFor(trial, one.twin)];
  for (const [what, found] of [
    [one, result],
    [one.twin, ofTwin],
  ] as const) {
    if (found.kind === 'failed') return failure(what, found);
  }
  const denial = denialIn(trial, one, result);
  const isMeant = denialIn(trial, one.twin, ofTwin) !== undefined;
  return denial === undefined || isMeant ? undefined : lockOut(one, denial);
}

/** What it says, in the time that it may take; what is too slow is let end once, to tell it from a machine that is. */
async function resultFor(trial: Trial, one: TrialCase): Promise<PackResult> {
  const { deadlineMs } = trial.revision;
  let last: PackReply | undefined;
  for (let i = 0; i < ATTEMPTS; i += 1) {
    last = await ask(trial, one, deadlineMs);
    if (!isLate(last.result)) return last.result;
  }
  const { result, micros } = await ask(trial, one, LONG_MS);
  if (result.kind === 'failed') return result;
  const reason = micros > FACTOR * deadlineMs * 1000 ? 'Timeout' : UNSURE;
  return {
    kind: 'failed',
    reason,
    message: `it took ${Math.ceil(micros / 1000)} ms; it may take ${deadlineMs} ms`,
  };
}

function isLate(result: PackResult): boolean {
  return result.kind === 'failed' && (result.reason === 'Timeout' || OURS.has(result.reason));
}

async function ask(trial: Trial, { review, facts }: TrialCase, deadlineMs: number): Promise<PackReply> {
  const { loaded, tenant, evaluate, now } = trial;
  const revision = { ...trial.revision, deadlineMs };
  const { shape, trust, parameters, seesImages } = revision;
  const constraints = loaded.constraints === undefined ? undefined : '[]';
  const text = projector(review, facts, now)({ shape, trust, parameters, constraints, seesImages });
  return askPack(evaluate, {
    revision,
    loaded,
    input: Buffer.from(text),
    nowNs: BigInt(now.getTime()) * 1_000_000n,
    leftMs: () => Infinity,
    tenant,
  });
}

/** The first thing that the pack says against it. */
function denialIn(trial: Trial, { review, facts }: TrialCase, result: PackResult): string | undefined {
  const context = { review, facts, exemptions: [], now: trial.now };
  const { denials } = compose([{ pack: trial.revision, result }], context);
  return denials[0] && `${denials[0].rule}: ${denials[0].message}`;
}

function failure(
  { what }: TrialCase,
  { reason, message }: Extract<PackResult, { kind: 'failed' }>,
): PackFault {
  return {
    reason: 'EvaluationFailed',
    message: `tried on ${what}, it fails (${reason}): ${message}`,
    passing: OURS.has(reason),
  };
}

function lockOut({ what }: TrialCase, denial: string): PackFault {
  const message = `it refuses ${what} (${denial}), and not the same of a tenant: Kubernetes and NexusOS would be locked out. Leave such namespaces out by spec.binding.namespaceSelector or excludedNamespaces`;
  return { reason: 'LocksOut', message, passing: false };
}

// SPDX-License-Identifier: Apache-2.0
import type { Reservation, TreeRecord } from '#crds/v1alpha1/quota-ledger';
import { ANNOTATIONS, LABELS } from '#crds/v1alpha1/names';
import { defined, type KubeObject } from '../../core/object.ts';
import { creatorOf } from '../../core/run/approval.ts';
import { isToldToEnd } from '../../core/run/interruption.ts';
import { type Kinship, NO_KIN } from '../../core/run/retirement.ts';
import { isActive, isFinished, type Run } from '../../core/run/run.ts';
import { countTree, isTold, type TreeObserved } from '../../core/run/tree-status.ts';
import type { Ledger } from '../../core/tenant/tenant.ts';
import { type Key, keyOf, type Reader } from '../../runtime/controller.ts';
import { AGENTS, RUNS } from '../../core/resources.ts';
import { INDEX, reservationIn } from './workloads.ts';

/** Runs below one that are counted: as many as there may be, finished ones of earlier attempts included. */
const MOST_COUNTED = 20_000;

/**
 * The Run that another one names as its parent. What is not seen may be gone, so the API server is asked, once: then that one ends.
 *
 * @throws ApiError when the API server cannot say.
 */
export async function findParent(run: Run, read: Reader): Promise<Run | undefined> {
  const { parentRef } = run.spec;
  if (parentRef === undefined || isFinished(run)) return undefined;
  const key = { ...keyOf(run), name: parentRef.name };
  const seen = read.get(RUNS, key);
  const found = seen?.metadata.uid === parentRef.uid ? seen : await read.live(RUNS, key);
  return found as Run | undefined;
}

/** The Runs below one that nobody has called; undefined for any other, and where there are none. */
export function treeOf(run: Run, ledger: Ledger | undefined, read: Reader): TreeObserved | undefined {
  if (run.spec.parentRef !== undefined || run.status?.call === undefined) return undefined;
  const found = ledgerTreeOf(run, ledger);
  if (found === undefined) return undefined;
  const pool = ledger && poolOf(found.record, ledger);
  return { ...found, pool, counts: () => countTree(descendantsOf(run, read)) };
}

/** What the ledger has forgotten was told: Runs that have ended may still be deleted. */
function ledgerTreeOf(run: Run, ledger: Ledger | undefined): LedgerTree | undefined {
  const known = ledger && treesIn(ledger).get(run.metadata.uid ?? '');
  const told = recordAsTold(run);
  return known ?? (told && { record: told, held: [] });
}

/** What the Run has reserved by the attempt that a record is of. */
function poolOf({ uid, attempt }: TreeRecord, ledger: Ledger): Reservation['pool'] {
  const own = reservationIn(ledger, uid);
  return own?.attempt === attempt ? own.pool : undefined;
}

/** Whom a change of a Run concerns beside itself: those that it has called, once it is over, and the one above all; once it is gone, the one that has called it. */
export function relativesOf(object: KubeObject, read: Reader): readonly Key[] {
  const run = object as Run;
  const isGone = read.get(RUNS, keyOf(run))?.metadata.uid !== run.metadata.uid;
  const isOver = isGone || !isActive(run) || isToldToEnd(run);
  const children = isOver ? childrenOf(run, read).filter((one) => !isFinished(one)) : [];
  return [...children.map(keyOf), ...rootOf(run, read), ...(isGone ? parentOf(run) : [])];
}

/** Runs that do not tell yet what the ledger remembers of those below them. */
export function untoldTrees(ledger: Ledger, read: Reader): readonly Key[] {
  const records = ledger.status?.trees ?? [];
  return records.flatMap((record) => {
    const { uid, namespace, name } = record;
    const run = read.get(RUNS, { namespace, name });
    return run?.metadata.uid === uid && !isTold(record, run as Run) ? [{ namespace, name }] : [];
  });
}

interface LedgerTree {
  readonly record: TreeRecord;
  readonly held: Reservation[];
}

/** What a version of a ledger says of Runs that call each other, by the uid of the one above all. */
const treesOf = new WeakMap<Ledger, ReadonlyMap<string, LedgerTree>>();

function treesIn(ledger: Ledger): ReadonlyMap<string, LedgerTree> {
  const known = treesOf.get(ledger);
  if (known !== undefined) return known;
  const { trees = [], reservations = [] } = ledger.status ?? {};
  const found = new Map(trees.map((record) => [record.uid, { record, held: [] as Reservation[] }]));
  for (const one of reservations) found.get(one.call?.root ?? '')?.held.push(one);
  treesOf.set(ledger, found);
  return found;
}

function recordAsTold({ metadata, status }: Run): TreeRecord | undefined {
  const { tree } = status ?? {};
  if (tree === undefined) return undefined;
  const { uid = '', namespace = '', name } = metadata;
  const { attempt, calls, depth, runUnits, tokens, cost } = tree;
  const used = { runUnits: runUnits.used, tokens: tokens.used, ...defined({ cost: cost?.used }) };
  return { uid, namespace, name, attempt, calls, depth, ...used };
}

/** What goes with the Runs of a tenant, and who has still to be counted. Of the archive nothing is known here. */
export function kinshipIn(ledger: Ledger | undefined, read: Reader): Kinship {
  return {
    ...NO_KIN,
    childrenOf: (run) => childrenOf(run, read).filter((one) => goesWith(one, run)),
    isHeld: ({ metadata }) => ledger !== undefined && reservationIn(ledger, metadata.uid ?? '') !== undefined,
  };
}

/** Nobody owns anything in another namespace, whatever is written there, and who has other owners outlives one of them. */
function goesWith({ metadata: { namespace, ownerReferences = [] } }: Run, { metadata }: Run): boolean {
  const isOwned = ownerReferences.length > 0 && ownerReferences.every(({ uid }) => uid === metadata.uid);
  return isOwned && namespace === metadata.namespace;
}

function childrenOf({ metadata: { uid = '' } }: Run, read: Reader): readonly Run[] {
  return read.list(RUNS, { index: INDEX.childrenOf, value: uid }) as readonly Run[];
}

function descendantsOf(run: Run, read: Reader): readonly Run[] {
  const found = [...childrenOf(run, read)];
  for (let i = 0; i < found.length && found.length < MOST_COUNTED; i += 1) {
    const one = found[i];
    if (one !== undefined) found.push(...childrenOf(one, read));
  }
  return found;
}

/** The Run that may wait for this one to be gone. */
function parentOf(run: Run): readonly Key[] {
  const { parentRef } = run.spec;
  return parentRef === undefined ? [] : [{ ...keyOf(run), name: parentRef.name }];
}

/** No Run is deeper: a line that is longer is none. */
const MOST_ABOVE = 32;

/** Users who are behind a Run, as far as watches tell: who created those above it, and wrote the schedules that started these, or it. */
export function startersOf(run: Run, read: Reader): readonly string[] {
  const line = lineOf(run, read);
  const names = [...line.slice(1).map(creatorOf), ...line.map((one) => scheduleAuthorOf(one, read))];
  return names.filter((one) => one !== undefined);
}

/** A Run, and all above it. */
function lineOf(run: Run, read: Reader): readonly Run[] {
  const line = [run];
  for (let next = callerOf(run, read); next !== undefined; next = callerOf(next, read)) {
    if (line.length > MOST_ABOVE) break;
    line.push(next);
  }
  return line;
}

function callerOf(run: Run, read: Reader): Run | undefined {
  const [key] = parentOf(run);
  const found = key && (read.get(RUNS, key) as Run | undefined);
  return found?.metadata.uid === run.spec.parentRef?.uid ? found : undefined;
}

function scheduleAuthorOf(run: Run, read: Reader): string | undefined {
  const uid = run.metadata.labels?.[LABELS.scheduledBy];
  const agent = uid && read.get(AGENTS, { ...keyOf(run), name: run.spec.agentRef.name });
  if (!agent || agent.metadata.uid !== uid) return undefined;
  return agent.metadata.annotations?.[ANNOTATIONS.scheduleAuthor];
}

/** The Run above all, if it is known: before its admission, that of its parent, or that itself. */
function rootOf(run: Run, read: Reader): readonly Key[] {
  const { parentRef } = run.spec;
  if (parentRef === undefined) return [];
  const key = { ...keyOf(run), name: parentRef.name };
  const parent = read.get(RUNS, key) as Run | undefined;
  return [{ ...key, name: rootNameIn(run) ?? (parent && rootNameIn(parent)) ?? parentRef.name }];
}

function rootNameIn({ status }: Run): string | undefined {
  return status?.call?.root?.name;
}

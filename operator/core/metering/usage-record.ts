// SPDX-License-Identifier: Apache-2.0
import { ANNOTATIONS, API_VERSION, LABELS, MANAGED_BY } from '#crds/v1alpha1/names';
import type { LedgerWindowUse, UsageHistory, WindowUse } from '#crds/v1alpha1/usage-history';
import type { UsageRecordSpec } from '#crds/v1alpha1/usage-record';
import { toInstant } from '../conditions.ts';
import type { KubeObject } from '../object.ts';
import { type Removal, removalOf } from '../plan.ts';
import { type Ledger, uidOf } from '../tenant/tenant.ts';
import { addWindows, latestWindows, windowKey, windowStart } from './history.ts';

/** What a tenant has used in windows that are over. */
export type UsageRecord = KubeObject & { readonly spec: UsageRecordSpec };

/** How the record of a tenant was found by a direct read. */
export type SeenRecord =
  | { readonly kind: 'absent' }
  | { readonly kind: 'found'; readonly record: UsageRecord }
  /** Of a former tenant of that name. That one is gone, or the ledger would not be there. */
  | { readonly kind: 'former'; readonly record: UsageRecord }
  /** Deleted, and still there: what it took over would go with it. */
  | { readonly kind: 'going'; readonly record: UsageRecord };

/** Whether the ledger has windows that its record has still to take over, or that are still to leave it. */
export function hasSealed(ledger: Ledger): boolean {
  return ledger.status?.usage?.windows.some(isSealed) === true;
}

function isSealed({ sealed }: LedgerWindowUse): boolean {
  return sealed !== undefined;
}

/**
 * Whether a pass over the ledger has to know its record: something is to be given to it, or to be dropped. Also where numbers are lost that were
 * given, as by an operator of before that has led in between. There is nothing to be numbered before anything was used.
 */
export function needsRecord(ledger: Ledger, now: Date): boolean {
  const usage = ledger.status?.usage;
  if (usage === undefined) return false;
  return usage.lastSealed === undefined || hasSealed(ledger) || mayLackUse(ledger, usage, now);
}

/**
 * Whether the record may have use of a present window that a budget is for: a leader whose clock was ahead has sealed it. Then a window is left
 * that has not begun. Where there is none of the present at all, that one may have been pushed out.
 */
function mayLackUse({ spec }: Ledger, { windows, lastSealed = 0 }: UsageHistory, now: Date): boolean {
  return (spec.budgets ?? []).some(({ window }) => {
    // Minutes are never sealed.
    if (window === 'minute') return false;
    const present = windowStart(window, toInstant(now));
    const starts = windows.filter((one) => one.window === window).map(({ start }) => start);
    return starts.some((start) => start > present) || (lastSealed > 0 && !starts.includes(present));
  });
}

/** What was found under the name of the ledger's record. */
export function seenRecord(ledger: Ledger, found: KubeObject | undefined): SeenRecord {
  if (found === undefined) return { kind: 'absent' };
  const record = found as UsageRecord;
  if (record.metadata.deletionTimestamp !== undefined) return { kind: 'going', record };
  return { kind: record.spec.tenantUID === ledger.spec.tenantUID ? 'found' : 'former', record };
}

/** What the ledger has used but for windows that the record is seen to have: they are never in neither. */
export function withoutRecorded(ledger: Ledger, seen: SeenRecord | undefined): UsageHistory | undefined {
  const usage = ledger.status?.usage;
  if (usage === undefined || seen?.kind !== 'found') return usage;
  const merged = mergedOf(ledger, seen.record.spec);
  return { ...usage, windows: usage.windows.filter(({ sealed }) => sealed === undefined || sealed > merged) };
}

/** What counts against budgets: also what the record is seen to have of present windows. */
export function withPresent(
  usage: UsageHistory | undefined,
  seen: SeenRecord | undefined,
  now: Date,
): UsageHistory | undefined {
  if (usage === undefined || seen?.kind !== 'found') return usage;
  const instant = toInstant(now);
  const present = seen.record.spec.windows.filter(
    ({ window, start }) => start === windowStart(window, instant),
  );
  return present.length === 0 ? usage : { ...usage, windows: [...usage.windows, ...present] };
}

/** `usage` with the highest number that is known of, from which those go on that are given next: never one that the record has. */
export function numberedOn(
  usage: UsageHistory | undefined,
  ledger: Ledger,
  seen: SeenRecord | undefined,
): UsageHistory | undefined {
  if (usage === undefined || seen === undefined) return usage;
  const merged = seen.kind === 'absent' ? 0 : mergedOf(ledger, seen.record.spec);
  return { ...usage, lastSealed: Math.max(usage.lastSealed ?? 0, merged) };
}

/** The number up to which a record has what `ledger` has sealed; of another ledger it has nothing. */
function mergedOf(ledger: Ledger, { ledgerUID, merged }: UsageRecordSpec): number {
  return ledgerUID === ledger.metadata.uid ? merged : 0;
}

/** What becomes of the record of a ledger; one of these, or nothing: then it is looked at again. */
export interface RecordChange {
  readonly create?: KubeObject;
  readonly replace?: KubeObject;
  readonly remove?: Removal;
}

/**
 * Adds to the record what the ledger, as it is in the API, has sealed and the record does not have: it is made, or written over the
 * version that was read; undefined when it has all. Numbers only grow, and a window stays in the ledger until its number is in the record: so
 * whoever writes on whichever old view of the ledger, it is added once. Nothing is added to one that goes: windows stay until it is gone.
 */
export function recordChange(
  ledger: Ledger,
  seen: SeenRecord | undefined,
  now: Date,
): RecordChange | undefined {
  if (seen === undefined) return undefined;
  if (seen.kind === 'going') return hasSealed(ledger) ? {} : undefined;
  if (seen.kind === 'former') return { remove: removalOf(seen.record) };
  const record = seen.kind === 'found' ? seen.record : undefined;
  const spec = mergedSpec(ledger, record?.spec, now);
  if (spec === undefined) return undefined;
  return record === undefined ? { create: { ...newRecord(ledger), spec } } : { replace: { ...record, spec } };
}

/** What a record says with what the ledger has for it; undefined when that is nothing. */
function mergedSpec(
  ledger: Ledger,
  before: UsageRecordSpec | undefined,
  now: Date,
): UsageRecordSpec | undefined {
  const merged = before === undefined ? 0 : mergedOf(ledger, before);
  const news = (ledger.status?.usage?.windows ?? []).filter(({ sealed = 0 }) => sealed > merged);
  if (news.length === 0) return undefined;
  return {
    tenantUID: ledger.spec.tenantUID,
    ledgerUID: uidOf(ledger),
    merged: Math.max(...news.map(({ sealed = 0 }) => sealed)),
    windows: latestWindows(addUp([...(before?.windows ?? []), ...news]), now),
  };
}

function addUp(windows: readonly LedgerWindowUse[]): readonly WindowUse[] {
  const sums = new Map<string, WindowUse>();
  for (const { sealed: _, ...one } of windows) {
    const before = sums.get(windowKey(one));
    sums.set(windowKey(one), before === undefined ? one : addWindows(before, one));
  }
  return [...sums.values()];
}

/** It goes with the Tenant, and stays when the ledger is deleted by hand. */
function newRecord({ metadata: { name }, spec: { tenantUID } }: Ledger): KubeObject {
  return {
    apiVersion: API_VERSION,
    kind: 'UsageRecord',
    metadata: {
      name,
      labels: { [LABELS.managedBy]: MANAGED_BY, [LABELS.tenant]: name },
      annotations: { [ANNOTATIONS.tenantUid]: tenantUID },
      ownerReferences: [{ apiVersion: API_VERSION, kind: 'Tenant', name, uid: tenantUID }],
    },
  };
}

/** How soon a ledger looks whether its record has what was given to it: nobody tells it of that. */
const RECORDED_AGAIN_MS = 1000;

/** When that is, in milliseconds since 1970; infinite where nothing is given to it. */
export function recordAgainAt(change: RecordChange | undefined, now: Date): number {
  return change === undefined ? Infinity : now.getTime() + RECORDED_AGAIN_MS;
}

/** What a plan changes. */
interface Changes {
  readonly apply: readonly KubeObject[];
  readonly replace: readonly KubeObject[];
  readonly create: readonly KubeObject[];
  readonly remove: readonly Removal[];
}

/** The changes of a ledger, and that of its record after them: what Runs wait for comes first. */
export function withRecord(changes: Changes, { replace, create, remove }: RecordChange = {}): Changes {
  return {
    ...changes,
    replace: replace === undefined ? changes.replace : [...changes.replace, replace],
    create: create === undefined ? changes.create : [...changes.create, create],
    remove: remove === undefined ? changes.remove : [...changes.remove, remove],
  };
}

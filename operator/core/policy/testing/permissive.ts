// SPDX-License-Identifier: Apache-2.0
import type { Composition, Objection } from '../compose.ts';
import { DLP_ACTIONS } from '../outputs.ts';

/** Where `more` lets through what `less` does not; undefined where it is at most as permissive. */
export function widenedBy(less: Composition, more: Composition): string | undefined {
  if (!less.allowed && more.allowed) return 'it allows what was refused';
  if (!includes(more.denials, less.denials)) return 'a denial is gone';
  if (!includes(more.warnings, less.warnings)) return 'a warning is gone';
  if (!includes(more.noted, less.noted)) return 'a note is gone';
  return obligationLost(less.obligations, more.obligations);
}

/** A region that is left over counts as one denial, of whoever left none: which pack that is may differ. */
function includes(all: readonly Objection[], some: readonly Objection[]): boolean {
  const texts = new Set(all.map(textOf));
  return some.every((one) => texts.has(textOf(one)));
}

function textOf({ pack, rule, message, code }: Objection): string {
  return JSON.stringify([pack.pack, pack.enforcement, code, rule, message]);
}

type Obligations = Composition['obligations'];

function obligationLost(less: Obligations, more: Obligations): string | undefined {
  if (less.regions !== undefined) {
    const known = new Set(less.regions);
    if (more.regions === undefined || !more.regions.every((one) => known.has(one))) return 'a region more';
  }
  for (const [detector, action] of Object.entries(less.dlp)) {
    const then = more.dlp[detector];
    if (then === undefined || DLP_ACTIONS.indexOf(then) < DLP_ACTIONS.indexOf(action))
      return `milder on ${detector}`;
  }
  for (const list of ['disclosures', 'masks'] as const) {
    if (!less[list].every((one) => more[list].includes(one))) return `fewer ${list}`;
  }
  for (const key of ['tokens', 'cost', 'seconds'] as const) {
    const before = less.limits[key];
    if (before !== undefined && (more.limits[key] ?? Number.POSITIVE_INFINITY) > before) return `more ${key}`;
  }
  return undefined;
}

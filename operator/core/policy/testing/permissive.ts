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
  return regionLost(less, more) ?? dlpLost(less, more) ?? listLost(less, more) ?? limitLost(less, more);
}

function regionLost(less: Obligations, more: Obligations): string | undefined {
  if (less.regions === undefined) return undefined;
  const known = new Set(less.regions);
  return more.regions?.every((one) => known.has(one)) === true ? undefined : 'a region more';
}

function dlpLost(less: Obligations, more: Obligations): string | undefined {
  const milder = Object.entries(less.dlp).find(([detector, action]) => {
    const then = more.dlp[detector];
    return then === undefined || DLP_ACTIONS.indexOf(then) < DLP_ACTIONS.indexOf(action);
  });
  return milder === undefined ? undefined : `milder on ${milder[0]}`;
}

function listLost(less: Obligations, more: Obligations): string | undefined {
  const lists = ['disclosures', 'masks'] as const;
  return lists.find((list) => !less[list].every((one) => more[list].includes(one)));
}

function limitLost(less: Obligations, more: Obligations): string | undefined {
  const keys = ['tokens', 'cost', 'seconds'] as const;
  return keys.find(
    (key) => (more.limits[key] ?? Number.POSITIVE_INFINITY) > (less.limits[key] ?? Number.POSITIVE_INFINITY),
  );
}

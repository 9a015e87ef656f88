// SPDX-License-Identifier: Apache-2.0
import { LABELS } from '#crds/v1alpha1/names';
import type { RequestFacts } from '#operator/core/policy/facts';
import { isForeignGroup } from '#operator/core/policy/foreign-kinds';
import { imageInputs } from '#operator/core/policy/image-input';
import { isBeyondPolicy } from '#operator/core/policy/match';
import type { Trust } from '#operator/core/policy/mutate';
import type { Review } from '#operator/core/policy/review';
import { operationsAskedAbout } from '#webhooks/registrations';
import { type Difference, DifferenceCounter } from './difference.ts';
import type { Live, LiveObject } from './live.ts';
import { seeInventory } from './live-inventory.ts';
import { type Reviewed, reviewOfRequest } from './review-of.ts';
import { judge, type PackVerdict, type ReadyPack, seesImages, type Surroundings } from './verdict.ts';
import { factsIn, type World } from './world.ts';

/** What is compared: the pack as it is to be, and as it is. */
export interface Packs {
  readonly after: ReadyPack;
  /** Undefined: there is none. */
  readonly before: ReadyPack | undefined;
}

/** Of what could not be judged by all rules. */
export interface Unjudged {
  /** Objects with images of which nothing is known. */
  readonly objects: number;
  /** Rules that would speak for want of that, and were left out. */
  readonly rules: readonly string[];
}

/** What a change of packs would do, and what of it is not known. */
export interface Compared {
  readonly difference: Difference;
  /** Objects that no review can be made of. */
  readonly unread: number;
  /** Objects that no pack is ever asked about, wherever it is bound. */
  readonly beyond: number;
  /** Newly denied in namespaces of no tenant, where a cluster asks no pack. */
  readonly outside: number;
  /** Kinds of which something is newly denied, and that the API server does not ask about. */
  readonly unasked: readonly string[];
  /** Those of others among them that it may have been told to ask about: nothing is known of that. */
  readonly perhapsAsked: readonly string[];
  /** Objects of which no tenant is known. */
  readonly tenantless: number;
  readonly withoutFacts: Unjudged;
  /** Why live objects, at which a pack looks, could not be seen. */
  readonly unseen: readonly string[];
}

/** Asks both packs about every object. */
export async function compare(packs: Packs, live: Live): Promise<Compared> {
  const after = await seeInventory(packs.after, live);
  const before = packs.before && (await seeInventory(packs.before, live));
  const comparison = new Comparison({ after: after.ready, before: before?.ready }, live);
  for await (const one of live.objects) comparison.add(one);
  const unseen = new Set([after.unseen, before?.unseen].filter((one) => one !== undefined));
  return { ...comparison.result(), unseen: [...unseen] };
}

class Comparison {
  readonly #packs: { readonly after: Placed; readonly before: Placed | undefined };
  readonly #world: World;
  readonly #counter = new DifferenceCounter();
  readonly #now = new Date();
  readonly #counts = { unread: 0, beyond: 0, outside: 0, tenantless: 0 };
  readonly #registered: Live['registered'];
  readonly #unasked = new Set<string>();
  readonly #perhapsAsked = new Set<string>();
  readonly #unjudged = { objects: 0, rules: new Set<string>() };

  constructor({ after, before }: Packs, { world, registered }: Pick<Live, 'world' | 'registered'>) {
    this.#packs = { after: placed(after, world), before: before && placed(before, world) };
    this.#world = world;
    this.#registered = registered;
  }

  add(live: LiveObject): void {
    const read = reviewOf(live, 'CREATE');
    if (read.kind === 'refused') this.#counts.unread += 1;
    else if (isBeyondPolicy(read.review, this.#world.platformNamespace)) this.#counts.beyond += 1;
    else this.#judge(live, read.review);
  }

  result(): Omit<Compared, 'unseen'> {
    const { objects, rules } = this.#unjudged;
    const withoutFacts = { objects, rules: [...rules].toSorted() };
    const unasked = [...this.#unasked].toSorted();
    const perhapsAsked = [...this.#perhapsAsked].toSorted();
    return { difference: this.#counter.result(), ...this.#counts, unasked, perhapsAsked, withoutFacts };
  }

  #judge(live: LiveObject, review: Review): void {
    const facts = factsIn(this.#world, review.namespace);
    const { after, before } = this.#packs;
    const asked = { live, review, facts };
    const [was, is] = [before && this.#ask(before, asked), this.#ask(after, asked)];
    this.#counter.add(review, was?.verdict, is.verdict);
    const isNewlyDenied = was?.verdict.verdict !== 'Denied' && is.verdict.verdict === 'Denied';
    if (isNewlyDenied) this.#noteUnasked(review);
    if (facts.tenant === undefined) this.#countOutside(isNewlyDenied);
    this.#countUnjudged([was, is].filter((one) => one?.isUnjudged === true));
  }

  #noteUnasked({ resource: { group, resource }, kind: { kind } }: Review): void {
    if (operationsAskedAbout(group, resource, this.#registered).size > 0) return;
    this.#unasked.add(kind);
    if (this.#registered === undefined && isForeignGroup(group)) this.#perhapsAsked.add(kind);
  }

  /** Where there are tenants, packs are asked about what is theirs. */
  #countOutside(isNewlyDenied: boolean): void {
    this.#counts.tenantless += 1;
    if (isNewlyDenied && this.#world.tenants.size > 0) this.#counts.outside += 1;
  }

  #countUnjudged(answers: readonly (Answered | undefined)[]): void {
    if (answers.length > 0) this.#unjudged.objects += 1;
    for (const rule of answers.flatMap((one) => one?.rules ?? [])) this.#unjudged.rules.add(rule);
  }

  /** As somebody who makes it, or where a pack judges only changes, as somebody who leaves it as it is. */
  #ask(pack: Placed, { live, review, facts }: Asked): Answered {
    const around = { facts, now: this.#now, trust: pack.trust, point: 'audit' } as const;
    const all = { ...around, exemptions: this.#world.exemptions };
    if (!reaches(pack, facts)) return { verdict: UNBOUND };
    const made = answer(pack.ready, review, all);
    if (made.verdict.verdict !== 'NotBound') return made;
    const changed = reviewOf(live, 'UPDATE');
    return changed.kind === 'ok' ? answer(pack.ready, changed.review, all) : made;
  }
}

interface Asked {
  readonly live: LiveObject;
  readonly review: Review;
  readonly facts: RequestFacts;
}

interface Answered {
  readonly verdict: PackVerdict;
  readonly isUnjudged?: boolean;
  readonly rules?: readonly string[];
}

const UNBOUND: PackVerdict = { verdict: 'NotBound', composition: undefined, texts: [] };

/** Where nothing is known of images, only by rules that say the same whatever they are; the others are named. */
function answer(ready: ReadyPack, review: Review, around: Surroundings): Answered {
  const { facts, now } = around;
  const isBlind = seesImages(ready.pack) && facts.images === undefined;
  if (!isBlind || imageInputs(review, undefined, now).length === 0)
    return { verdict: judge(ready, review, around) };
  const verdict = judge(ready, review, { ...around, withoutImages: true });
  if (verdict.verdict === 'NotBound') return { verdict };
  const known = new Set(rulesOf(verdict));
  const rules = rulesOf(judge(ready, review, around)).filter((rule) => !known.has(rule));
  return { verdict, isUnjudged: true, rules };
}

function rulesOf({ composition }: PackVerdict): readonly string[] {
  const { denials = [], warnings = [], noted = [] } = composition ?? {};
  return [...denials, ...warnings, ...noted].map(({ rule }) => rule);
}

function reviewOf({ object, resource }: LiveObject, operation: 'CREATE' | 'UPDATE'): Reviewed {
  const old = operation === 'UPDATE' ? { oldObject: object } : {};
  return reviewOfRequest({ operation, object, ...old, resource: { resource } });
}

/** A pack, with whose it is. */
interface Placed {
  readonly ready: ReadyPack;
  readonly trust: Trust;
  /** Whose namespaces it reaches; undefined: all. */
  readonly tenant: string | undefined;
}

/** A pack that says no namespace, or one that is not known to be a tenant's, is taken for the platform's. */
function placed(ready: ReadyPack, { namespaces, platformNamespace }: World): Placed {
  const { pack } = ready;
  const { namespace = platformNamespace } = pack;
  const tenant = namespaces.get(namespace)?.labels[LABELS.tenant];
  if (tenant === undefined)
    return { ready: { ...ready, pack: { ...pack, namespace } }, trust: 'Platform', tenant };
  // Whom a tenant's pack is about is not for it to say: its own tenant.
  const binding = { ...pack.spec.binding, tenants: undefined, excludedNamespaces: undefined };
  return { ready: { ...ready, pack: { ...pack, spec: { ...pack.spec, binding } } }, trust: 'Tenant', tenant };
}

function reaches({ tenant }: Placed, { namespace }: RequestFacts): boolean {
  return tenant === undefined || namespace?.labels[LABELS.tenant] === tenant;
}

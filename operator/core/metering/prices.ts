// SPDX-License-Identifier: Apache-2.0
import { CURRENCY, type Price, PRICED, type PricedUnit } from '#crds/v1alpha1/price';
import { parseMicro } from './micro.ts';

/** What tenants pay, as the platform says. */
export interface Prices {
  /** Of plans that are not named; undefined where these pay nothing that is known. */
  readonly others: Price | undefined;
  readonly plans: ReadonlyMap<string, Price>;
}

/** Prices, or what is wrong with them: which field, what was found, what would pass. */
export type PricesRead =
  | { readonly kind: 'ok'; readonly prices: Prices }
  | { readonly kind: 'refused'; readonly problems: readonly string[] };

const MAX_PLANS = 64;
const FIELDS = ['currency', 'default', 'plans'];
/** A decimal whose millionths are an integer of the API. */
const PRICE = /^(0|[1-9][0-9]{0,8})([.][0-9]{1,6})?$/;
const PLAN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const MAX_PLAN_LENGTH = 63;

/** What a tenant of a plan pays; undefined where the platform has not said. */
export function priceFor(prices: Prices | undefined, plan: string | undefined): Price | undefined {
  return prices?.plans.get(plan ?? '') ?? prices?.others;
}

/**
 * Reads prices: `{"currency": "USD", "default": {"runUnits": "11.5"}, "plans": {"gold": {"runUnits": "9"}}}`, of a million of each, as
 * texts, since numbers of JSON are not exact. `{}` is none. Everything that is wrong is told at once.
 */
export function readPrices(text: string): PricesRead {
  const json = parsed(text);
  if (!isObject(json)) return { kind: 'refused', problems: [`found no JSON object; ${EXAMPLE}`] };
  const problems = problemsIn(json);
  return problems.length > 0 ? { kind: 'refused', problems } : { kind: 'ok', prices: pricesOf(json) };
}

type Json = Readonly<Record<string, unknown>>;

function problemsIn(json: Json): readonly string[] {
  const { currency, default: others, plans = {} } = json;
  const isNone = Object.keys(json).length === 0;
  return [
    ...unknownIn(json, FIELDS, ''),
    ...(isNone || isCurrency(currency) ? [] : [problemOf('.currency', currency, 'a name such as USD')]),
    ...(others === undefined ? [] : priceProblems('.default', others)),
    ...(isObject(plans) ? plansProblems(plans) : [problemOf('.plans', plans, 'an object of prices by plan')]),
  ];
}

/** What was found to be right. */
function pricesOf({ currency, default: others, plans = {} }: Json): Prices {
  const price = (one: unknown) => priceOf(String(currency), one as Said);
  const byPlan = Object.entries(plans as Json).map(([plan, one]) => [plan, price(one)] as const);
  return { others: others === undefined ? undefined : price(others), plans: new Map(byPlan) };
}

const EXAMPLE = 'wanted is {"currency": "USD", "default": {"runUnits": "11.5"}}';

type Said = Readonly<Partial<Record<PricedUnit, string>>>;

function priceOf(currency: string, said: Said): Price {
  const units = PRICED.filter((unit) => said[unit] !== undefined);
  const micros = units.map((unit) => [unit, Number(parseMicro(said[unit] ?? '0'))] as const);
  return { currency, ...Object.fromEntries(micros) };
}

function plansProblems(plans: Json): readonly string[] {
  const named = Object.entries(plans);
  const tooMany = `.plans: found ${named.length}; at most ${MAX_PLANS} are allowed`;
  return [
    ...(named.length > MAX_PLANS ? [tooMany] : []),
    ...named.flatMap(([plan, one]) => planProblems(plan, one)),
  ];
}

function planProblems(plan: string, one: unknown): readonly string[] {
  const isPlan = plan.length <= MAX_PLAN_LENGTH && PLAN.test(plan);
  return [
    ...(isPlan ? [] : [problemOf('.plans', plan, 'the name of a plan, a DNS label')]),
    ...priceProblems(`.plans.${plan.slice(0, MAX_PLAN_LENGTH)}`, one),
  ];
}

function priceProblems(field: string, value: unknown): readonly string[] {
  if (!isObject(value) || Object.keys(value).length === 0)
    return [problemOf(field, value, `an object with some of ${PRICED.join(', ')}`)];
  const wrong = PRICED.filter((unit) => value[unit] !== undefined && !isPrice(value[unit]));
  return [
    ...unknownIn(value, PRICED, field),
    ...wrong.map((unit) => {
      return problemOf(
        `${field}.${unit}`,
        value[unit],
        'a decimal as text, such as "11.5", below a billion, with up to six places',
      );
    }),
  ];
}

function unknownIn(value: object, known: readonly string[], field: string): readonly string[] {
  const unknown = Object.keys(value).filter((key) => !known.includes(key));
  return unknown.map(
    (key) => `${field}.${key.slice(0, 100)}: there is no such field; there are ${known.join(', ')}`,
  );
}

function isPrice(value: unknown): boolean {
  return typeof value === 'string' && PRICE.test(value);
}

function isCurrency(value: unknown): boolean {
  return typeof value === 'string' && CURRENCY.test(value);
}

function problemOf(field: string, found: unknown, wanted: string): string {
  return `${field}: found ${(JSON.stringify(found) ?? 'nothing').slice(0, 100)}; wanted is ${wanted}`;
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

// SPDX-License-Identifier: Apache-2.0
import type { NamespaceFacts } from './facts.ts';
import {
  type ConstraintMatch,
  constraintMatches,
  readConstraintMatch,
  type ReadingOf,
} from './gatekeeper-match.ts';
import { isJsonObject, type JsonObject, type Review } from './review.ts';

/** What becomes of what a constraint finds. */
export const CONSTRAINT_ACTIONS = ['deny', 'warn', 'dryrun'] as const;
/** One of them. */
export type ConstraintAction = (typeof CONSTRAINT_ACTIONS)[number];

/** Where constraints are evaluated, by the names that Gatekeeper has for these places. */
export const ENFORCEMENT_POINTS = {
  webhook: 'validation.gatekeeper.sh',
  audit: 'audit.gatekeeper.sh',
  cli: 'gator.gatekeeper.sh',
} as const;
/** One of these places. */
export type EnforcementPoint = keyof typeof ENFORCEMENT_POINTS;

/** A Gatekeeper constraint, as it is kept in the data of a pack, at `gatekeeper.constraints`. */
export interface Constraint {
  readonly kind: string;
  readonly name: string;
  readonly parameters: JsonObject;
  readonly match: ConstraintMatch;
  /** By place. Where there is none, the constraint does not take part. */
  readonly actions: Readonly<Partial<Record<EnforcementPoint, readonly ConstraintAction[]>>>;
}

/** What the adapter of a pack is given of a constraint that takes part: once for each of its actions. */
export interface ConstraintInput {
  readonly kind: string;
  readonly name: string;
  readonly parameters: JsonObject;
  readonly enforcementAction: ConstraintAction;
}

/** A constraint, or all fields of it that cannot be read. */
export type ReadConstraint =
  | { readonly kind: 'ok'; readonly constraint: Constraint }
  | {
      readonly kind: 'refused';
      readonly faults: readonly { readonly field: string; readonly wanted: string }[];
    };

type Faults = Extract<ReadConstraint, { readonly kind: 'refused' }>['faults'];

const POINTS = Object.keys(ENFORCEMENT_POINTS) as readonly EnforcementPoint[];

/** The constraints of a pack, from its data; undefined where it has none of that kind of policy. Ill-formed data is a fault. */
export function constraintsOf(data: unknown, of: ReadingOf = 'new'): readonly ReadConstraint[] | undefined {
  const gatekeeper = isJsonObject(data) && Object.hasOwn(data, 'gatekeeper') ? data['gatekeeper'] : undefined;
  if (!isJsonObject(gatekeeper) || gatekeeper['constraints'] === undefined) return undefined;
  const list = gatekeeper['constraints'];
  if (Array.isArray(list)) return list.map((one) => readConstraint(one, of));
  return [
    { kind: 'refused', faults: [{ field: 'gatekeeper.constraints', wanted: 'a list of constraints' }] },
  ];
}

/** Reads a constraint as Gatekeeper has it: any kind, with `metadata.name` and a `spec`. */
export function readConstraint(value: unknown, of: ReadingOf = 'new'): ReadConstraint {
  if (!isJsonObject(value)) return { kind: 'refused', faults: [{ field: '', wanted: 'an object' }] };
  const spec = value['spec'] ?? {};
  if (!isJsonObject(spec)) return { kind: 'refused', faults: [{ field: 'spec', wanted: 'an object' }] };
  const match = readConstraintMatch(spec['match'], of);
  const actions = readActions(spec);
  const faults = [...headFaults(value, spec), ...(actions.kind === 'refused' ? actions.faults : [])];
  if (match.kind === 'refused')
    return { kind: 'refused', faults: [...faults, { field: match.field, wanted: match.wanted }] };
  if (faults.length > 0 || actions.kind === 'refused') return { kind: 'refused', faults };
  const constraint = {
    kind: String(value['kind']),
    name: String(nameOf(value)),
    parameters: (spec['parameters'] ?? {}) as JsonObject,
    match: match.match,
    actions: actions.actions,
  };
  return { kind: 'ok', constraint };
}

function nameOf({ metadata }: JsonObject): unknown {
  return isJsonObject(metadata) ? metadata['name'] : undefined;
}

function headFaults(value: JsonObject, spec: JsonObject): Faults {
  const isObject = isJsonObject(spec['parameters'] ?? {});
  return [
    ...textFault('kind', value['kind']),
    ...textFault('metadata.name', nameOf(value)),
    ...(isObject ? [] : [{ field: 'spec.parameters', wanted: 'an object' }]),
  ];
}

function textFault(field: string, value: unknown): Faults {
  return typeof value === 'string' && value !== '' ? [] : [{ field, wanted: 'a text that is not empty' }];
}

type ReadActions =
  | { readonly kind: 'ok'; readonly actions: Constraint['actions'] }
  | { readonly kind: 'refused'; readonly faults: Faults };

function readActions(spec: JsonObject): ReadActions {
  const action = spec['enforcementAction'] ?? 'deny';
  if (action === 'scoped') return readScoped(spec['scopedEnforcementActions']);
  if (isAction(action))
    return { kind: 'ok', actions: Object.fromEntries(POINTS.map((point) => [point, [action]])) };
  const wanted = `${CONSTRAINT_ACTIONS.join(', ')} or scoped`;
  return { kind: 'refused', faults: [{ field: 'spec.enforcementAction', wanted }] };
}

/** For each place, the actions that name it, or all places. */
function readScoped(list: unknown): ReadActions {
  const field = 'spec.scopedEnforcementActions';
  if (!Array.isArray(list) || list.length === 0) {
    const wanted = 'a list of actions with enforcementPoints, as enforcementAction is scoped';
    return { kind: 'refused', faults: [{ field, wanted }] };
  }
  const wanted = `an action, ${CONSTRAINT_ACTIONS.join(', ')}, with enforcementPoints that have names`;
  const faults = list.flatMap((one, index) =>
    isScoped(one) ? [] : [{ field: `${field}[${index}]`, wanted }],
  );
  if (faults.length > 0) return { kind: 'refused', faults };
  const scoped = list.filter(isScoped);
  return {
    kind: 'ok',
    actions: Object.fromEntries(POINTS.map((point) => [point, actionsAt(point, scoped)])),
  };
}

function actionsAt(point: EnforcementPoint, scoped: readonly Scoped[]): readonly ConstraintAction[] {
  const names = ['*', ENFORCEMENT_POINTS[point]];
  const there = scoped.filter((one) => one.enforcementPoints.some(({ name }) => names.includes(name)));
  return [...new Set(there.map((one) => one.action))];
}

interface Scoped {
  readonly action: ConstraintAction;
  readonly enforcementPoints: readonly { readonly name: string }[];
}

function isScoped(value: unknown): value is Scoped {
  if (!isJsonObject(value) || !isAction(value['action'])) return false;
  const points = value['enforcementPoints'];
  return Array.isArray(points) && points.every((one) => isJsonObject(one) && typeof one['name'] === 'string');
}

function isAction(value: unknown): value is ConstraintAction {
  return CONSTRAINT_ACTIONS.some((one) => one === value);
}

/** What is known of a request when its constraints are chosen. */
export interface ConstraintSubject {
  readonly review: Review;
  readonly namespace: NamespaceFacts | undefined;
  readonly point: EnforcementPoint;
}

/** `input.constraints` of a request: those that are about it, with what becomes of what they find at this place. */
export function constraintsFor(
  constraints: readonly Constraint[],
  { review, namespace, point }: ConstraintSubject,
): readonly ConstraintInput[] {
  return constraints.flatMap(({ kind, name, parameters, match, actions }) => {
    const here = actions[point] ?? [];
    if (here.length === 0 || !constraintMatches(match, review, namespace)) return [];
    return here.map((enforcementAction) => ({ kind, name, parameters, enforcementAction }));
  });
}

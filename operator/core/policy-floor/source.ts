// SPDX-License-Identifier: Apache-2.0
import {
  type PolicyFloor,
  policyFloor,
  RESERVED_VARIABLE_PREFIX,
  RESERVED_VARIABLES,
} from '#crds/v1alpha1/policy-floor';
import { isJsonObject } from '../policy/review.ts';

/** Name of the file of a source that has its floor. */
export const FLOOR_FILE = 'floor.yaml';

/** A floor, or what is wrong with it. */
export type FloorRead =
  | { readonly kind: 'ok'; readonly floor: PolicyFloor }
  | { readonly kind: 'refused'; readonly message: string };

/** Reads what stands in `floor.yaml`, once it is no text any more. */
export function readFloor(value: unknown): FloorRead {
  const unknown = strangers(value);
  if (unknown !== undefined) return refused(unknown);
  const parsed = policyFloor.safeParse(value);
  if (!parsed.success) {
    const [{ path, message } = { path: [], message: 'it is not as it should be' }] = parsed.error.issues;
    return refused(`${path.map(String).join('.') || 'it'}: ${message}`);
  }
  const wrong = problemOf(parsed.data);
  return wrong === undefined ? { kind: 'ok', floor: parsed.data } : refused(wrong);
}

/** What a schema cannot say. */
function problemOf({ rules, variables = [] }: PolicyFloor): string | undefined {
  const reserved = variables.find(({ name }) => isReserved(name));
  if (reserved !== undefined)
    return `variables: found the name ${reserved.name}; ${RESERVED_VARIABLES.join(', ')} and names that begin with ${RESERVED_VARIABLE_PREFIX} are given by NexusOS`;
  const twice = twiceIn(rules.map(({ rule }) => rule)) ?? twiceIn(variables.map(({ name }) => name));
  if (twice !== undefined) return `found ${twice} twice; each name stands once`;
  const mute = rules.find(({ message, messageExpression }) => (message ?? messageExpression) === undefined);
  return mute && `rules: ${mute.rule} has neither message nor messageExpression`;
}

function isReserved(name: string): boolean {
  return name.startsWith(RESERVED_VARIABLE_PREFIX) || RESERVED_VARIABLES.some((one) => one === name);
}

function twiceIn(names: readonly string[]): string | undefined {
  return names.find((name, index) => names.indexOf(name) !== index);
}

const KEYS = {
  floor: ['rules', 'variables'],
  rules: ['expression', 'message', 'messageExpression', 'rule'],
  variables: ['expression', 'name'],
} as const;

/** A key that is misspelt would else be a rule without a message, or without a variable. */
function strangers(value: unknown): string | undefined {
  if (!isJsonObject(value))
    return 'found no mapping; it has rules and, where they share something, variables';
  const odd = oddKey(value, KEYS.floor);
  if (odd !== undefined) return `found ${odd}; ${KEYS.floor.join(' and ')} are known`;
  for (const list of ['rules', 'variables'] as const) {
    const items = Array.isArray(value[list]) ? (value[list] as readonly unknown[]) : [];
    const found = items
      .filter(isJsonObject)
      .map((one) => oddKey(one, KEYS[list]))
      .find((one) => one !== undefined);
    if (found !== undefined) return `${list}: found ${found}; ${KEYS[list].join(', ')} are known`;
  }
  return undefined;
}

function oddKey(value: Readonly<Record<string, unknown>>, known: readonly string[]): string | undefined {
  return Object.keys(value).find((key) => !known.includes(key));
}

function refused(message: string): FloorRead {
  return { kind: 'refused', message };
}

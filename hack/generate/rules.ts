// SPDX-License-Identifier: Apache-2.0
import type { PolicyRule } from '#operator/runtime/controller';

/**
 * The same permissions in their shortest and only form: verbs of the same thing together, resources of a group with
 * the same verbs together, everything sorted. Throws on `*`: a permission that nobody can list is one that nobody
 * decided on.
 */
export function mergeRules(rules: readonly PolicyRule[]): readonly PolicyRule[] {
  refuseWildcards(rules);
  const verbsOf = new Map<string, Set<string>>();
  for (const grant of rules.flatMap(expand)) {
    const key = JSON.stringify([grant.group, grant.names, grant.resource]);
    verbsOf.set(key, (verbsOf.get(key) ?? new Set()).add(grant.verb));
  }
  const resourcesOf = new Map<string, string[]>();
  for (const [key, verbs] of verbsOf) {
    const [group, names, resource] = JSON.parse(key) as [string, readonly string[], string];
    const merged = JSON.stringify([group, names, [...verbs].toSorted()]);
    resourcesOf.set(merged, [...(resourcesOf.get(merged) ?? []), resource]);
  }
  return [...resourcesOf].map(([key, resources]) => toRule(key, resources)).toSorted(byText);
}

/** Whether `rules` let somebody do `verb` on all objects of the resource. */
export function allows(
  rules: readonly PolicyRule[],
  wanted: { readonly group: string; readonly resource: string; readonly verb: string },
): boolean {
  return rules.some(
    (rule) =>
      rule.resourceNames === undefined &&
      rule.apiGroups.includes(wanted.group) &&
      rule.resources.includes(wanted.resource) &&
      rule.verbs.includes(wanted.verb),
  );
}

interface Grant {
  readonly group: string;
  readonly resource: string;
  readonly verb: string;
  readonly names: readonly string[];
}

function expand(rule: PolicyRule): readonly Grant[] {
  const names = (rule.resourceNames ?? []).toSorted();
  return rule.apiGroups.flatMap((group) =>
    rule.resources.flatMap((resource) => rule.verbs.map((verb) => ({ group, resource, verb, names }))),
  );
}

function toRule(key: string, resources: readonly string[]): PolicyRule {
  const [group, names, verbs] = JSON.parse(key) as [string, readonly string[], readonly string[]];
  return {
    apiGroups: [group],
    resources: resources.toSorted(),
    ...(names.length > 0 && { resourceNames: names }),
    verbs,
  };
}

function refuseWildcards(rules: readonly PolicyRule[]): void {
  const wide = rules.find((rule) =>
    [...rule.apiGroups, ...rule.resources, ...rule.verbs].some((one) => one.includes('*')),
  );
  if (wide !== undefined) throw new Error(`a role may not contain *: ${JSON.stringify(wide)}`);
}

function byText(a: PolicyRule, b: PolicyRule): number {
  const [left, right] = [JSON.stringify(a), JSON.stringify(b)];
  return left < right ? -1 : Number(left > right);
}

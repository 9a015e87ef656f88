// SPDX-License-Identifier: Apache-2.0
import { TEMPLATES_PACKAGE } from './gatekeeper/adapter.ts';
import { isTestPackage } from './rego-tests.ts';

/** The package of the wrapper; packs may not have one of that name, or below. */
export const WRAPPER_PACKAGE = 'nexusos';
/** The one entry point of a module that we compile. */
export const ENTRYPOINT = 'nexusos/main/decision';

/** What a package of a pack answers to. */
export interface PackageRules {
  /** As in `data`: `abac.tools`. */
  readonly path: readonly string[];
  /** Names of its rules, functions aside. */
  readonly rules: readonly string[];
}

/** Rules that every package may have, and that make lists of findings. */
const FINDINGS = ['deny', 'warn', 'violation'] as const;
/** Rules that count only in, or below, a package of a certain name. */
const BY_FOLDER = { allow: 'abac', regions: 'residency', dlp: 'dlp', disclosures: 'disclosures' } as const;
/** Rules that every package may have, and that make plain lists. */
const LISTS = ['mutate', 'masks'] as const;

type Question = (typeof FINDINGS)[number] | keyof typeof BY_FOLDER | (typeof LISTS)[number] | 'limits';

/** For each question, the packages that answer it. */
export type Answering = Readonly<Partial<Record<Question, readonly string[]>>>;

/** Which packages answer which questions. Tests answer none, nor do templates, which are asked by their adapter. */
export function answering(packages: readonly PackageRules[]): Answering {
  const asked = packages
    .filter(isAsked)
    .map(({ path, rules }) => ({ path, rules, reference: referenceOf(path) }));
  const holders = (question: Question): readonly string[] => {
    const folder = Object.hasOwn(BY_FOLDER, question)
      ? BY_FOLDER[question as keyof typeof BY_FOLDER]
      : undefined;
    const found = asked
      .filter(({ path, rules }) => rules.includes(question) && (folder === undefined || path[0] === folder))
      .map(({ reference }) => reference);
    return [...new Set(found)].toSorted();
  };
  const questions: readonly Question[] = [
    ...FINDINGS,
    'allow',
    'regions',
    'dlp',
    'disclosures',
    ...LISTS,
    'limits',
  ];
  const all = questions.map((question) => [question, holders(question)] as const);
  return Object.fromEntries(all.filter(([, found]) => found.length > 0));
}

function isAsked({ path }: PackageRules): boolean {
  const templates = TEMPLATES_PACKAGE.split('.');
  const isTemplate = templates.every((part, index) => path[index] === part);
  return !isTemplate && !isTestPackage(path);
}

/** `data.abac["a-b"]`: how Rego refers to a package. */
function referenceOf(path: readonly string[]): string {
  return path.reduce((all, part) => `${all}[${JSON.stringify(part)}]`, 'data');
}

/**
 * The module that asks every package of a pack, so that its input is read once. Each finding bears the package that it is
 * from, unless it says of which rule it is. A rule that is no set counts as well: what a pack meant to refuse is
 * refused, whatever it wrote it as.
 */
export function wrapperModule(found: Answering): string {
  return [
    HEAD,
    decision(found),
    ...FINDINGS.flatMap((name) => (found[name] ?? []).map((from) => findingRule(name, from))),
    ...LISTS.flatMap((name) => (found[name] ?? []).map((from) => listRule(name, from))),
    ...(['dlp', 'disclosures'] as const).flatMap((name) =>
      (found[name] ?? []).map((from) => listRule(name, from)),
    ),
    ...allowRules(found.allow ?? []),
    ...regionRules(found.regions ?? []),
    ...limitRules(found.limits ?? []),
  ].join('\n');
}

const HEAD = `package nexusos.main

import rego.v1

# What is known of a value at compile time, such as that a set is empty, would make questions about it errors.
untyped(found) := found

listed(found) := found if is_set(found)

listed(found) := found if is_array(found)

listed(found) := [found] if is_string(found)

listed(found) := [found] if is_number(found)

listed(found) := ["it is not allowed"] if found == true

listed(found) := [found] if {
	is_object(found)
	"msg" in object.keys(found)
}

listed(found) := [one | some one in found] if {
	is_object(found)
	not "msg" in object.keys(found)
}

named(found, rule) := {"msg": found, "rule": rule} if is_string(found)

named(found, rule) := object.union({"rule": rule, "msg": message(found)}, known(found)) if is_object(found)

named(found, rule) := {"msg": json.marshal(found), "rule": rule} if {
	not is_string(found)
	not is_object(found)
}

message(found) := found.msg if {
	is_string(found.msg)
} else := json.marshal(found)

known(found) := object.filter(found, ["rule", "field", "details", "enforcementAction"])
`;

/** Only keys that the pack speaks of. `regions` is left out where no rule on them holds. */
function decision(found: Answering): string {
  const keys = Object.keys(found).filter((key) => key !== 'regions');
  const fields = keys.map((key) => `\t${JSON.stringify(key)}: ${key},\n`).join('');
  const object = `{\n${fields}}`;
  if (found.regions === undefined) return `decision := ${object}\n`;
  return `decision := object.union(${object}, regions_if_any)\n`;
}

function findingRule(name: string, from: string): string {
  const rule = JSON.stringify(
    from
      .replace(/^data/, '')
      .replaceAll(/\["([^"]*)"\]/g, '.$1')
      .slice(1),
  );
  return `${name} contains finding if {
	some found in listed(${from}.${name})
	finding := named(found, ${rule})
}
`;
}

function listRule(name: string, from: string): string {
  return `${name} contains found if {
	some found in untyped(${from}.${name})
}
`;
}

/** True only if each says so; null where one of them says nothing, and none says no. */
function allowRules(packages: readonly string[]): readonly string[] {
  if (packages.length === 0) return [];
  const opinions = packages.map((from, index) => `opinions[${index}] := ${from}.allow\n`);
  return [
    ...opinions,
    `allow := false if {
	some opinion in opinions
	opinion != true
} else := null if {
	count(opinions) < ${packages.length}
} else := true
`,
  ];
}

/** Those that all agree on. */
function regionRules(packages: readonly string[]): readonly string[] {
  if (packages.length === 0) return [];
  const sets = packages.map(
    (from) => `region_sets contains {region | some region in untyped(${from}.regions)} if ${from}.regions
`,
  );
  return [
    ...sets,
    `regions_if_any := {"regions": intersection(region_sets)} if {
	count(region_sets) > 0
} else := {}
`,
  ];
}

/** The smallest of each. */
function limitRules(packages: readonly string[]): readonly string[] {
  if (packages.length === 0) return [];
  const rules = packages.map(
    (from) => `limit_values contains [name, value] if some name, value in untyped(${from}.limits)
`,
  );
  return [
    ...rules,
    `limits[name] := least if {
	some [name, _] in limit_values
	least := min({value |
		some [other, value] in limit_values
		other == name
	})
}
`,
  ];
}

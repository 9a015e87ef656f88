// SPDX-License-Identifier: Apache-2.0

/** The package that answers for all templates of a pack. Those below it are no entry points. */
export const ADAPTER_PACKAGE = 'gatekeeper';
/** Where the packages of templates are. */
export const TEMPLATES_PACKAGE = `${ADAPTER_PACKAGE}.templates`;

/** Words that cannot stand in a path behind a dot. */
const KEYWORDS = new Set(
  'as contains data default else every false if import in input not null package set some true with'.split(
    ' ',
  ),
);

/** The package of a template: its kind in lower case. */
export function templatePackage(kind: string): string {
  const name = kind.toLowerCase();
  return `${TEMPLATES_PACKAGE}.${KEYWORDS.has(name) ? `${name}_` : name}`;
}

/**
 * The module that asks each template about the constraints that match, which the host chooses and gives in
 * `input.constraints`. What a template sees is what Gatekeeper shows it: the review, with the namespace of the object,
 * and the parameters; of what is deleted, the object that was. Nothing that a template says is lost: what is no finding becomes the text of one, and a
 * constraint without a template is a violation.
 */
export function adapterModule(kinds: readonly string[]): string {
  return [HEAD, ...kinds.map(answerOf)].join('\n');
}

function answerOf(kind: string): string {
  return `answers(constraint) := found if {
	constraint.kind == ${JSON.stringify(kind)}
	seen := {"review": subject, "parameters": constraint.parameters}
	found := data.${templatePackage(kind)}.violation with input as seen
}
`;
}

const HEAD = `package ${ADAPTER_PACKAGE}

import rego.v1

violation contains finding if {
	some constraint in input.constraints
	some answer in answers(constraint)
	finding := finding_of(constraint, answer)
}

violation contains finding if {
	some constraint in input.constraints
	not answers(constraint)
	finding := finding_of(constraint, "the template of this constraint gave no answer")
}

finding_of(constraint, answer) := object.union(
	{
		"rule": concat("/", [constraint.kind, constraint.name]),
		"enforcementAction": constraint.enforcementAction,
		"msg": message(answer),
	},
	details(answer),
)

message(answer) := answer.msg if {
	is_string(answer.msg)
} else := sprintf("%v", [answer])

details(answer) := {"details": answer.details} if {
	is_object(answer.details)
} else := {"details": {"value": answer.details}} if {
	answer.details
} else := {}

subject := object.union(reviewed, {"namespaceObject": object.get(input, "namespaceObject", null)})

reviewed := object.union(input.review, {"object": input.review.oldObject}) if {
	input.review.operation == "DELETE"
} else := input.review
`;

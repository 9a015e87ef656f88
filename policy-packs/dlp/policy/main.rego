# Data that should not stand in plain objects. What is found is never said: neither refusals nor logs are a place for it.
package dlp

import data.lib.parameters
import data.lib.workload

deny contains finding if some finding in parameters.problems

dlp contains match if {
	some detector in suspected
	some text in new_texts
	looks_like(detector, text.value)
	is_found(detector, text.value)
	action := parameters.values[classes[detector]]
	match := {
		"detector": detector,
		"action": action,
		"path": pointer(text.path),
		"msg": sprintf("here stands %s; take it out, or name a Secret that holds it", [names[detector]]),
	}
}

classes := {
	"credit-card": "financial",
	"iban": "financial",
	"email": "personal",
	"phone": "personal",
	"private-key": "credentials",
	"cloud-token": "credentials",
	"jwt": "credentials",
	"national-id": "identity",
}

names := {
	"credit-card": "the number of a credit card",
	"iban": "the number of a bank account",
	"email": "an e-mail address",
	"phone": "a telephone number",
	"private-key": "a private key",
	"cloud-token": "a token of a provider",
	"jwt": "a JSON Web Token",
	"national-id": "a national identity number",
}

# Of a change, only what is new: nothing that exists could else lose its finalizers.
new_texts := [text |
	some text in texts(input.review.object)
	not text in old_texts
]

old_texts := {text | some text in texts(input.review.oldObject)} if {
	is_object(input.review.oldObject)
} else := set()

# METADATA
# title: size
# description: More text than can be looked at in the time that an evaluation has.
# custom: { passes: "at most maxCharacters in annotations, data, variables and specs, those that were there before left out" }
deny contains {"rule": "size", "field": "", "msg": msg} if {
	is_too_large
	msg := sprintf("%d characters are to be looked at; at most %d can be", [size, parameters.values.maxCharacters])
}

is_too_large if size > parameters.values.maxCharacters

size := count(whole)

# All of it is looked at once for each detector, and mostly that is all.
whole := concat("\n", [text.value | some text in new_texts])

suspected contains detector if {
	not is_too_large
	some detector, class in classes
	parameters.values[class] != "allow"
	looks_like(detector, whole)
}

texts(of) := [{"path": path, "value": value} |
	some root in roots(of)
	walk(root.value, [below, value])
	is_string(value)
	count(value) >= 8
	path := array.concat(root.path, below)
]

# Where people write what is theirs: annotations, data, what programs are given, and what is said to Agents and Runs.
roots(of) := array.concat(
	[{"path": ["metadata", "annotations", name], "value": value} |
		some name, value in of.metadata.annotations
		not is_ignored(name)
	],
	array.concat(
		[{"path": ["data"], "value": of.data} | input.review.kind.kind == "ConfigMap"],
		array.concat(
			[{"path": ["spec"], "value": of.spec} | input.review.kind.group == "nexusos.dev"],
			[{"path": array.concat(place.path, [list, index, field]), "value": container[field]} |
				some place in places(of)
				some list in workload.lists
				some index, container in place.spec[list]
				some field in ["env", "args", "command"]
			],
		),
	),
)

places(of) := [{"path": path, "spec": spec} |
	some path in [["spec"], ["template", "spec"], ["spec", "template", "spec"], ["spec", "jobTemplate", "spec", "template", "spec"]]
	spec := object.get(of, path, null)
]

is_ignored(name) if {
	some beginning in parameters.values.ignoredAnnotations
	startswith(name, beginning)
}

pointer(path) := concat("", [concat("", ["/", escaped(part)]) | some part in path])

escaped(part) := replace(replace(part, "~", "~0"), "/", "~1") if is_string(part)

escaped(part) := format_int(part, 10) if is_number(part)

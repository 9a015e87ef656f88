# Agents and Runs of NexusOS, and what both say in variables.
package lib.agent

is_agent if input.review.kind.kind == "Agent"

is_run if input.review.kind.kind == "Run"

spec := object.get(input.review.object, "spec", {})

# What people do to a Run that is under way: whoever may not start it any more can still end it, approve it, or answer.
switches := ["answers", "approval", "cancel", "suspend"]

is_unchanged if {
	input.review.operation == "UPDATE"
	object.remove(spec, switches) == object.remove(input.review.oldObject.spec, switches)
}

# Whether rules on what it says are to be asked.
is_judged if {
	input.review.kind.kind in {"Agent", "Run"}
	not is_unchanged
}

# Every variable that the container gets by what the object says, with where it says it: of an Agent its environment, and what Runs may
# choose from; of a Run its parameters.
variables := array.concat(of_containers, array.concat(of_parameters, of_runs)) if is_judged

of_containers := [{"name": one.name, "value": one.value, "at": sprintf("spec.container.env[%d].value", [index])} |
	some index, one in spec.container.env
	one.value
]

of_parameters := array.concat(
	[{"name": one.name, "value": one["default"], "at": sprintf("spec.parameters[%d].default", [index])} |
		is_agent
		some index, one in spec.parameters
	],
	[{"name": one.name, "value": value, "at": sprintf("spec.parameters[%d].enum", [index])} |
		is_agent
		some index, one in spec.parameters
		some value in one.enum
	],
)

of_runs := [{"name": name, "value": value, "at": sprintf("spec.parameters.%s", [name])} |
	is_run
	some name, value in spec.parameters
]

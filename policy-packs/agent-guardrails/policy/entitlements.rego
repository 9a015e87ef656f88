# Models and tools. No field of an Agent says which it uses: programs are told by variables, whose names are parameters of this pack.
package guardrails

import data.lib.agent

entitled(kind) := object.get(input, ["tenant", "entitlements", kind], []) if input.tenant

entitled(_) := [] if not input.tenant

named(names) := [one |
	wanted := {lower(name) | some name in names}
	some one in agent.variables
	lower(one.name) in wanted
]

# METADATA
# title: models
# description: Models that are not allowed, or that the tenant is not entitled to.
# custom: { passes: "a model of allowedModels, and of entitlements.modelBackends of the Tenant, where these name some" }
violations contains finding if {
	some one in named(settings.modelVariables)
	some source, allowed in {"the pack": settings.allowedModels, "the entitlements of the tenant": entitled("modelBackends")}
	count(allowed) > 0
	not matches_any(allowed, one.value)
	finding := {
		"rule": "models",
		"field": one.at,
		"msg": sprintf("model %s is not among those of %s; these are: %s", [one.value, source, concat(", ", allowed)]),
	}
}

# METADATA
# title: tools
# description: Tools that nobody may use, or that the tenant is not entitled to.
# custom: { passes: "tools of entitlements.tools of the Tenant, where that names some, and none of deniedTools" }
violations contains finding if {
	some one in named(settings.toolVariables)
	some tool in listed(one.value)
	allowed := entitled("tools")
	count(allowed) > 0
	not matches_any(allowed, tool)
	finding := {
		"rule": "tools",
		"field": one.at,
		"msg": sprintf("the tenant is not entitled to tool %s; it is to: %s", [tool, concat(", ", allowed)]),
	}
}

violations contains finding if {
	some one in named(settings.toolVariables)
	some tool in listed(one.value)
	matches_any(settings.deniedTools, tool)
	finding := {
		"rule": "tools",
		"field": one.at,
		"msg": sprintf("tool %s is denied; any may be named but: %s", [tool, concat(", ", settings.deniedTools)]),
	}
}

listed(value) := [tool | some tool in regex.split(`[\s,;]+`, value); tool != ""]

matches_any(patterns, value) if {
	some pattern in patterns
	glob.match(pattern, [], value)
}

package lib.agent_test

import data.lib.agent

review(kind, spec) := {"review": {"operation": "CREATE", "kind": {"kind": kind}, "object": {"spec": spec}}}

update(kind, spec, old) := {"review": {
	"operation": "UPDATE",
	"kind": {"kind": kind},
	"object": {"spec": spec},
	"oldObject": {"spec": old},
}}

test_others_are_not_judged if {
	not agent.is_judged with input as review("Pod", {})
}

test_what_is_new_is_judged if {
	agent.is_judged with input as review("Run", {"agentRef": {"name": "a"}})
	agent.is_judged with input as {"review": {"operation": "CREATE", "kind": {"kind": "Agent"}, "object": {}}}
}

test_to_end_or_approve_is_not_judged if {
	not agent.is_judged with input as update("Run", {"a": 1, "cancel": true, "approval": {}}, {"a": 1, "cancel": false})
	agent.is_judged with input as update("Run", {"a": 2}, {"a": 1})
}

test_variables_of_agents if {
	found := agent.variables with input as review("Agent", {
		"container": {"env": [{"name": "A", "value": "1"}, {"name": "EMPTY"}]},
		"parameters": [{"name": "B", "default": "2", "enum": ["2", "3"]}, {"name": "C"}],
	})
	{[one.name, one.value, one.at] | some one in found} == {
		["A", "1", "spec.container.env[0].value"],
		["B", "2", "spec.parameters[0].default"],
		["B", "2", "spec.parameters[0].enum"],
		["B", "3", "spec.parameters[0].enum"],
	}
}

test_variables_of_runs if {
	found := agent.variables with input as review("Run", {"parameters": {"A": "1"}})
	found == [{"name": "A", "value": "1", "at": "spec.parameters.A"}]
}

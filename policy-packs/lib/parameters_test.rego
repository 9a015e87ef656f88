package lib.parameters_test

import data.lib.parameters

schemas := {
	"level": {"type": "string", "enum": ["low", "high"], "default": "high"},
	"count": {"type": "integer", "minimum": 1, "default": 3},
	"share": {"type": "number", "minimum": 0, "default": 0.5},
	"strict": {"type": "boolean", "default": true},
	"names": {"type": "array", "items": {"type": "string"}, "default": ["a"]},
	"prices": {"type": "object", "values": {"type": "number", "minimum": 0}, "default": {}},
	"regions": {"type": "object", "values": {"type": "array", "items": {"type": "string"}}, "default": {}},
}

values(given) := found if found := parameters.values with input as {"parameters": given} with data.parameters as schemas

messages(given) := {one.msg | some one in found} if {
	found := parameters.problems with input as {"parameters": given} with data.parameters as schemas
}

test_defaults_count_where_nothing_is_given if {
	values({}).level == "high"
	values({}).names == ["a"]
	count(messages({})) == 0
}

test_no_parameters_at_all if {
	found := parameters.values with input as {} with data.parameters as schemas
	found.count == 3
}

test_what_is_given_takes_the_place_of_a_default if {
	values({"names": ["b"], "level": "low"}).names == ["b"]
	values({"names": ["b"], "level": "low"}).level == "low"
}

test_what_fits_is_no_problem if {
	count(messages({
		"level": "low",
		"count": 2,
		"share": 0.25,
		"strict": false,
		"names": [],
		"prices": {"h100": 4.5},
		"regions": {"secret": ["eu-1"]},
	})) == 0
}

test_a_misspelt_name_is_told if {
	messages({"levle": "low"}) == {"the pack has no parameter levle; it has count, level, names, prices, regions, share, strict"}
}

test_what_does_not_fit_is_told if {
	messages({"level": "medium"}) == {`parameter level of the pack is "medium"; it must be low or high`}
	messages({"count": 0}) == {"parameter count of the pack is 0; it must be a number, at least 1"}
	messages({"count": 1.5}) == {"parameter count of the pack is 1.5; it must be a number, at least 1"}
	messages({"share": "half"}) == {`parameter share of the pack is "half"; it must be a number, at least 0`}
	messages({"strict": 1}) == {"parameter strict of the pack is 1; it must be true or false"}
	messages({"names": "a"}) == {`parameter names of the pack is "a"; it must be a list of which each is a text`}
	messages({"names": [1]}) == {"parameter names of the pack is [1]; it must be a list of which each is a text"}
	messages({"prices": {"h100": -1}}) == {`parameter prices of the pack is {"h100":-1}; it must be an object of which each value is a number, at least 0`}
	messages({"regions": {"a": "b"}}) == {`parameter regions of the pack is {"a":"b"}; it must be an object of which each value is a list of which each is a text`}
}

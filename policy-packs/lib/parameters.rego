# What a pack is told by its parameters: those that are given, and else the defaults that data.yaml lists. One that data.yaml does
# not list, or of another type, is a finding of its own: a misspelt parameter would be a rule that nobody sees fail.
package lib.parameters

given := object.get(input, "parameters", {})

values[name] := value if {
	some name, schema in data.parameters
	value := object.get(given, name, schema.default)
}

problems contains finding if {
	some name, _ in given
	not data.parameters[name]
	finding := {
		"rule": "parameters",
		"field": sprintf("spec.parameters.%s", [name]),
		"msg": sprintf("the pack has no parameter %s; it has %s", [name, concat(", ", sort(object.keys(data.parameters)))]),
	}
}

problems contains finding if {
	some name, value in given
	schema := data.parameters[name]
	not fits(schema, value)
	finding := {
		"rule": "parameters",
		"field": sprintf("spec.parameters.%s", [name]),
		"msg": sprintf("parameter %s of the pack is %s; it must be %s", [name, shown(value), wanted(schema)]),
	}
}

fits(schema, value) if flat(schema, value)

fits(schema, value) if {
	schema.type == "object"
	is_object(value)
	every inner in value {
		flat(schema.values, inner)
	}
}

flat(schema, value) if scalar(schema, value)

flat(schema, value) if {
	schema.type == "array"
	is_array(value)
	every item in value {
		scalar(schema.items, item)
	}
}

scalar(schema, value) if {
	schema.type == "string"
	is_string(value)
	is_listed(schema, value)
}

scalar(schema, value) if {
	schema.type == "boolean"
	is_boolean(value)
}

scalar(schema, value) if {
	schema.type == "number"
	is_number(value)
	value >= object.get(schema, "minimum", value)
}

scalar(schema, value) if {
	schema.type == "integer"
	is_number(value)
	round(value) == value
	value >= object.get(schema, "minimum", value)
}

is_listed(schema, _) if not schema.enum

is_listed(schema, value) if value in schema.enum

shown(value) := substring(json.marshal(value), 0, 200)

wanted(schema) := sprintf("a list of which each is %s", [named(schema.items)]) if schema.type == "array"

wanted(schema) := sprintf("an object of which each value is %s", [inner(schema.values)]) if schema.type == "object"

wanted(schema) := named(schema) if not schema.type in {"array", "object"}

inner(schema) := sprintf("a list of which each is %s", [named(schema.items)]) if schema.type == "array"

inner(schema) := named(schema) if schema.type != "array"

named(schema) := concat(" or ", schema.enum) if schema.enum

named(schema) := "true or false" if schema.type == "boolean"

named(schema) := sprintf("a number, at least %v", [object.get(schema, "minimum", "any")]) if schema.type in {"number", "integer"}

named(schema) := "a text" if {
	schema.type == "string"
	not schema.enum
}

# Where data may be worked on: class of data by region by residency of the tenant.
package residency

import data.lib.parameters
import data.lib.workload

deny contains finding if {
	is_asked
	some finding in violations
}

deny contains finding if some finding in parameters.problems

settings := parameters.values

body := input.review.object

kind := input.review.kind.kind

is_agent if kind == "Agent"

# What is not changed in what is asked about goes on: it was let in, and can be put right or deleted.
is_asked if input.review.operation != "UPDATE"

is_asked if object.get(body, "spec", {}) != object.get(input.review.oldObject, "spec", {})

is_asked if labels != object.get(input.review.oldObject, ["metadata", "labels"], {})

labels := object.get(body, ["metadata", "labels"], {})

# Of the object itself, of the template of its pods, or else of its namespace: the most sensitive that one of the first two says.
said contains class if class := labels[settings.classificationLabel]

said contains class if class := template_labels[settings.classificationLabel]

template_labels := object.get(body, ["spec", "template", "metadata", "labels"], object.get(body, ["spec", "jobTemplate", "spec", "template", "metadata", "labels"], {}))

of_namespace contains class if class := input.namespace.labels[settings.classificationLabel]

classification := class if {
	some class in [highest(said), highest(of_namespace)]
	class != ""
} else := ""

highest(classes) := settings.classes[max(ranks)] if {
	ranks := {rank(class) | some class in classes; rank(class) >= 0}
	count(ranks) > 0
} else := ""

rank(class) := index if {
	some index, one in settings.classes
	one == class
} else := -1

# METADATA
# title: classification
# description: Things of which nobody knows what data they work on.
# custom: { passes: "the label classificationLabel with one of classes, on the object or, of kinds of requiredFor, on its namespace" }
violations contains finding if {
	some class in said
	rank(class) < 0
	finding := {
		"rule": "classification",
		"field": label_field(settings.classificationLabel),
		"msg": sprintf("class %s is none; it must be %s", [class, concat(" or ", settings.classes)]),
	}
}

violations contains finding if {
	kind in settings.requiredFor
	classification == ""
	count(said) == 0
	finding := {
		"rule": "classification",
		"field": label_field(settings.classificationLabel),
		"msg": sprintf("label %s is missing, here and on the namespace; it must be %s", [settings.classificationLabel, concat(" or ", settings.classes)]),
	}
}

label_field(label) := sprintf("metadata.labels[%s]", [label])

# METADATA
# title: clearance
# description: Data that is more sensitive than the tenant may work on.
# custom: { passes: "a class of at most residency.maxDataClassification of the Tenant" }
violations contains finding if {
	highest_allowed := input.tenant.residency.maxDataClassification
	rank(highest_allowed) >= 0
	rank(classification) > rank(highest_allowed)
	finding := {
		"rule": "clearance",
		"field": label_field(settings.classificationLabel),
		"msg": sprintf("data is %s, and the tenant may work on %s at most", [classification, highest_allowed]),
	}
}

# What tenants of one cluster owe each other.
package tenancy

import data.lib.image
import data.lib.parameters
import data.lib.workload

deny contains finding if some finding in violations

deny contains finding if some finding in parameters.problems

settings := parameters.values

body := input.review.object

kind := input.review.kind.kind

# What a rule is about is new, or is another than it was: what exists can be put right step by step, and deleted.
is_new if input.review.operation != "UPDATE"

is_changed if is_new

is_changed if object.get(body, "spec", {}) != object.get(input.review.oldObject, "spec", {})

# METADATA
# title: default-namespace
# description: What lies in a namespace that belongs to nobody. Workloads outside of namespaces of tenants are not asked about; Agents and Runs are everywhere, and all is in CI.
# custom: { passes: "any namespace but those of forbiddenNamespaces" }
violations contains finding if {
	is_new
	namespace := input.review.namespace
	namespace in settings.forbiddenNamespaces
	finding := {
		"rule": "default-namespace",
		"field": "metadata.namespace",
		"msg": sprintf("namespace %s is not for this; use one of your tenant", [namespace]),
	}
}

# METADATA
# title: required-labels
# description: Workloads and Agents of which nobody can tell whose they are.
# custom: { passes: "every label of requiredLabels, with a value that fits its expression" }
violations contains finding if {
	kind in settings.labelledKinds
	is_labelled_anew
	some key, pattern in settings.requiredLabels
	not has_label(key, pattern)
	finding := {
		"rule": "required-labels",
		"field": sprintf("metadata.labels[%s]", [key]),
		"msg": sprintf("label %s is %s; it must be %s", [key, found_label(key), wanted_label(pattern)]),
	}
}

labels := object.get(body, ["metadata", "labels"], {})

is_labelled_anew if is_changed

is_labelled_anew if labels != object.get(input.review.oldObject, ["metadata", "labels"], {})

has_label(key, pattern) if {
	pattern != ""
	regex.match(sprintf("^(?:%s)$", [pattern]), labels[key])
}

has_label(key, "") if labels[key] != ""

found_label(key) := labels[key] if {
	labels[key] != ""
} else := "missing"

wanted_label("") := "there"

wanted_label(pattern) := sprintf("like %s", [pattern]) if pattern != ""

# METADATA
# title: registries
# description: Images from elsewhere, of all containers and of Agents.
# custom: { passes: "an image of allowedRegistries, and of entitlements.registries of the Tenant, where these name some" }
violations contains finding if {
	some one in images
	some source, allowed in {"the pack": settings.allowedRegistries, "the entitlements of the tenant": entitled}
	count(allowed) > 0
	not image.is_of(one.image, allowed)
	finding := {
		"rule": "registries",
		"field": image_at(one),
		"msg": sprintf("image %s is from none of the registries of %s; these are: %s", [one.image, source, concat(", ", allowed)]),
	}
}

entitled := object.get(input, ["tenant", "entitlements", "registries"], [])

images := array.concat(
	[{"image": one.value.image, "of": one} |
		workload.is_judged
		some one in workload.containers
	],
	[{"image": found} |
		kind == "Agent"
		is_changed
		found := body.spec.container.image
	],
)

image_at(one) := workload.at(one.of, "image")

image_at(one) := "spec.container.image" if not one.of

# METADATA
# title: image-versions
# description: Images that are another one tomorrow.
# custom: { passes: "a digest, or a tag other than latest; with requireDigest a digest" }
violations contains finding if {
	some one in images
	not is_versioned(one.image)
	finding := {
		"rule": "image-versions",
		"field": image_at(one),
		"msg": sprintf("image %s does not say which one it is; name %s", [one.image, wanted_version]),
	}
}

is_versioned(found) if image.has_digest(found)

is_versioned(found) if {
	not settings.requireDigest
	image.has_version(found)
}

wanted_version := "its digest" if {
	settings.requireDigest
} else := "a tag other than latest, or a digest"

# METADATA
# title: priority-classes
# description: Pods that go before those of all others.
# custom: { passes: "a class of allowedPriorityClasses, or none" }
violations contains finding if {
	count(settings.allowedPriorityClasses) > 0
	workload.is_judged
	class := workload.pod.spec.priorityClassName
	not class in array.concat(settings.allowedPriorityClasses, [""])
	finding := {
		"rule": "priority-classes",
		"field": workload.in_spec("priorityClassName"),
		"msg": sprintf("PriorityClass %s is not for tenants; leave it out, or name %s", [class, concat(" or ", settings.allowedPriorityClasses)]),
	}
}

# What things may cost: compute of containers, and how many there are.
package cost

import data.lib.parameters
import data.lib.quantity
import data.lib.workload

deny contains finding if some finding in violations

deny contains finding if some finding in parameters.problems

settings := parameters.values

body := input.review.object

kind := input.review.kind.kind

is_changed if input.review.operation != "UPDATE"

is_changed if object.get(body, "spec", {}) != object.get(input.review.oldObject, "spec", {})

# What somebody says about compute: containers of workloads, and that of an Agent. Those for debugging can say nothing.
compute := array.concat(
	[{"of": one, "is": object.get(one.value, "resources", {})} |
		workload.is_judged
		some one in workload.containers
		one.list != "ephemeralContainers"
	],
	[{"is": object.get(container, "resources", {})} |
		kind == "Agent"
		is_changed
		container := body.spec.container
	],
)

# In words that only findings need.
who(one) := sprintf("container %s", [one.of.name])

who(one) := "the Agent" if not one.of

at(one) := workload.at(one.of, "resources")

at(one) := "spec.container.resources" if not one.of

# METADATA
# title: requests
# description: Containers of which nobody knows what they need.
# custom: { passes: "requests of every resource of requiredRequests; a LimitRange fills them in before this is asked" }
violations contains finding if {
	some one in compute
	some resource in settings.requiredRequests
	not one.is.requests[resource]
	not one.is.limits[resource]
	finding := {
		"rule": "requests",
		"field": sprintf("%s.requests.%s", [at(one), resource]),
		"msg": sprintf("%s requests no %s; say how much it needs", [who(one), resource]),
	}
}

# METADATA
# title: limits
# description: Containers that may take all that a node has.
# custom: { passes: "limits of every resource of requiredLimits; of an Agent, a limit or a request" }
violations contains finding if {
	some one in compute
	some resource in settings.requiredLimits
	not one.is.limits[resource]
	not is_limited_by_request(one.is, resource)
	finding := {
		"rule": "limits",
		"field": sprintf("%s.limits.%s", [at(one), resource]),
		"msg": sprintf("%s has no limit of %s; say how much it may have at most", [who(one), resource]),
	}
}

# Pods of Agents are given a limit where only a request is said: by the LimitRange of the tenant.
is_limited_by_request(resources, resource) if {
	kind == "Agent"
	resources.requests[resource]
}

# METADATA
# title: container-size
# description: Containers that take a node for themselves.
# custom: { passes: "requests of at most maxCpu cores and maxMemoryGiB" }
violations contains finding if {
	some one in compute
	some resource, most in {"cpu": settings.maxCpu, "memory": settings.maxMemoryGiB * quantity.gibibyte}
	wanted := object.get(one.is, ["requests", resource], object.get(one.is, ["limits", resource], 0))
	quantity.exceeds(wanted, most)
	finding := {
		"rule": "container-size",
		"field": sprintf("%s.requests.%s", [at(one), resource]),
		"msg": sprintf("%s requests %v of %s; at most %s", [who(one), wanted, resource, sizes[resource]]),
	}
}

sizes := {
	"cpu": sprintf("%v cores are allowed", [settings.maxCpu]),
	"memory": sprintf("%v GiB are allowed", [settings.maxMemoryGiB]),
}

# METADATA
# title: memory-ratio
# description: Containers that count on memory which is reserved for nobody.
# custom: { passes: "a limit of memory of at most maxMemoryRatio times the request" }
violations contains finding if {
	some one in compute
	limit := quantity.number(one.is.limits.memory)
	request := quantity.number(one.is.requests.memory)
	limit > request * settings.maxMemoryRatio
	finding := {
		"rule": "memory-ratio",
		"field": sprintf("%s.limits.memory", [at(one)]),
		"msg": sprintf("%s may take %v and requests %v of memory; at most %v times as much is allowed", [who(one), one.is.limits.memory, one.is.requests.memory, settings.maxMemoryRatio]),
	}
}

# METADATA
# title: replicas
# description: Many pods by one number.
# custom: { passes: "replicas, maxReplicas of an autoscaler and replicas of a service are at most maxReplicas" }
violations contains finding if {
	is_changed
	some path in replica_paths
	found := object.get(body, path, 0)
	found > settings.maxReplicas
	finding := {
		"rule": "replicas",
		"field": concat(".", path),
		"msg": sprintf("found %v pods; at most %d are allowed", [found, settings.maxReplicas]),
	}
}

replica_paths := [
	["spec", "replicas"],
	["spec", "maxReplicas"],
	["spec", "parallelism"],
] if {
	not kind in {"Agent", "Run"}
} else := [["spec", "service", "replicas", "min"], ["spec", "service", "replicas", "max"]]

# METADATA
# title: volume-size
# description: Claims of much storage.
# custom: { passes: "at most maxVolumeGiB" }
violations contains finding if {
	kind == "PersistentVolumeClaim"
	is_changed
	wanted := body.spec.resources.requests.storage
	quantity.exceeds(wanted, settings.maxVolumeGiB * quantity.gibibyte)
	finding := {
		"rule": "volume-size",
		"field": "spec.resources.requests.storage",
		"msg": sprintf("the claim is of %v; at most %v GiB are allowed", [wanted, settings.maxVolumeGiB]),
	}
}

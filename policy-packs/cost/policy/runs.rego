# What Runs may cost.
package cost

import data.lib.agent
import data.lib.quantity

default_timeout_seconds := 3600

gpus := object.get(agent.spec.gpu, "count", 1) * object.get(agent.spec, ["gang", "pods"], 1)

price_per_hour := settings.gpuPrices[agent.spec.gpu.class] * gpus

# METADATA
# title: gpu-price
# description: Devices that cost more than a Run may, or whose price nobody has said.
# custom: { passes: "a class of gpuPrices, where it has some; at most maxPricePerHour, and maxPricePerRun within limits.timeoutSeconds" }
violations contains finding if {
	agent.is_judged
	count(settings.gpuPrices) > 0
	class := agent.spec.gpu.class
	not class in object.keys(settings.gpuPrices)
	finding := {
		"rule": "gpu-price",
		"field": "spec.gpu.class",
		"msg": sprintf("GPU class %s has no price; these have: %s", [class, concat(", ", sort(object.keys(settings.gpuPrices)))]),
	}
}

violations contains finding if {
	agent.is_judged
	price_per_hour > settings.maxPricePerHour
	finding := {
		"rule": "gpu-price",
		"field": "spec.gpu",
		"msg": sprintf("%d devices of class %s cost %v an hour; at most %v are allowed", [gpus, agent.spec.gpu.class, price_per_hour, settings.maxPricePerHour]),
	}
}

violations contains finding if {
	agent.is_judged
	price_per_hour <= settings.maxPricePerHour
	seconds := object.get(agent.spec, ["limits", "timeoutSeconds"], default_timeout_seconds)
	price := (price_per_hour * seconds) / 3600
	price > settings.maxPricePerRun
	finding := {
		"rule": "gpu-price",
		"field": "spec.limits.timeoutSeconds",
		"msg": sprintf("a Run that takes all of its %d seconds costs %v; at most %v are allowed", [seconds, price, settings.maxPricePerRun]),
	}
}

# METADATA
# title: estimates
# description: Runs that are estimated to use much, or of which nobody has said it.
# custom: { passes: "estimate.runUnits and estimate.tokens are at most maxRunUnits and maxTokens; Agents of estimateTiers have estimate.runUnits" }
violations contains finding if {
	agent.is_judged
	some field, most in {"runUnits": settings.maxRunUnits, "tokens": settings.maxTokens}
	found := agent.spec.estimate[field]
	quantity.exceeds(found, most)
	finding := {
		"rule": "estimates",
		"field": sprintf("spec.estimate.%s", [field]),
		"msg": sprintf("%s are estimated at %v; at most %v are allowed", [field, found, most]),
	}
}

violations contains finding if {
	agent.is_judged
	agent.is_agent
	tier := object.get(agent.spec, "tier", "standard")
	tier in settings.estimateTiers
	not agent.spec.estimate.runUnits
	finding := {
		"rule": "estimates",
		"field": "spec.estimate.runUnits",
		"msg": sprintf("Agents of tier %s have to say how many run units an attempt is estimated to use", [tier]),
	}
}

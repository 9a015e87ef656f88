package cost_test

import data.cost

rules(kind, spec, parameters) := {one.rule | some one in found} if {
	found := cost.deny with input as {
		"review": {"operation": "CREATE", "kind": {"kind": kind}, "object": {"spec": spec}},
		"parameters": parameters,
	}
}

changed(kind, spec, old) := {one.rule | some one in found} if {
	found := cost.deny with input as {"review": {
		"operation": "UPDATE",
		"kind": {"kind": kind},
		"object": {"spec": spec},
		"oldObject": {"spec": old},
	}}
}

pod(resources) := {"containers": [{"name": "main", "resources": resources}]}

enough := {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}}

test_plain_ones_pass if {
	rules("Pod", pod(enough), {}) == set()
	rules("Deployment", {"replicas": 3, "template": {"spec": pod(enough)}}, {}) == set()
	rules("Agent", {"container": {"resources": {"requests": {"cpu": "1", "memory": "1Gi"}}}}, {}) == set()
	rules("Run", {"agentRef": {"name": "a"}}, {}) == set()
	rules("Service", {"replicas": 0}, {}) == set()
}

test_requests if {
	rules("Pod", pod({"limits": {"memory": "1Gi"}}), {}) == {"requests"}
	rules("Pod", pod({"limits": {"memory": "1Gi", "cpu": 1}}), {}) == set()
	rules("Agent", {"container": {}}, {}) == {"limits", "requests"}
	rules("Agent", {"container": {}}, {"requiredRequests": [], "requiredLimits": []}) == set()
}

test_limits if {
	rules("Pod", pod({"requests": {"cpu": 1, "memory": "1Gi"}}), {}) == {"limits"}
	rules("Pod", pod(enough), {"requiredLimits": ["cpu"]}) == {"limits"}
}

test_containers_for_debugging_say_nothing if {
	rules("Pod", {"containers": [{"name": "main", "resources": enough}], "ephemeralContainers": [{"name": "debug"}]}, {}) == set()
}

test_sizes if {
	rules("Pod", pod({"requests": {"cpu": "64001m", "memory": "1Gi"}, "limits": {"memory": "1Gi"}}), {}) == {"container-size"}
	rules("Pod", pod({"requests": {"cpu": "1", "memory": "513Gi"}, "limits": {"memory": "513Gi"}}), {}) == {"container-size"}
	rules("Pod", pod({"limits": {"cpu": "65", "memory": "1Gi"}}), {}) == {"container-size"}
	rules("Agent", {"container": {"resources": {"requests": {"cpu": "65", "memory": "1Gi"}}}}, {}) == {"container-size"}
}

test_ratio if {
	rules("Pod", pod({"requests": {"cpu": 1, "memory": "1Gi"}, "limits": {"memory": "4Gi"}}), {}) == set()
	rules("Pod", pod({"requests": {"cpu": 1, "memory": "1Gi"}, "limits": {"memory": "5Gi"}}), {}) == {"memory-ratio"}
}

test_replicas if {
	rules("Deployment", {"replicas": 101}, {}) == {"replicas"}
	rules("HorizontalPodAutoscaler", {"maxReplicas": 101}, {}) == {"replicas"}
	rules("Job", {"parallelism": 101}, {}) == {"replicas"}
	rules("Agent", {"service": {"replicas": {"min": 1, "max": 101}}}, {}) == {"replicas"}
	rules("Scale", {"replicas": 101}, {}) == {"replicas"}
	changed("Deployment", {"replicas": 101}, {"replicas": 101}) == set()
	changed("Deployment", {"replicas": 102}, {"replicas": 101}) == {"replicas"}
}

claim(size) := {"resources": {"requests": {"storage": size}}}

test_volumes if {
	rules("PersistentVolumeClaim", claim("1Ti"), {}) == set()
	rules("PersistentVolumeClaim", claim("1025Gi"), {}) == {"volume-size"}
}

quiet := {"requiredRequests": [], "requiredLimits": []}

gpu(class, count, more) := object.union({"container": {}, "gpu": {"class": class, "count": count}}, more)

priced := object.union(quiet, {"gpuPrices": {"h100": 10, "l4": 1}})

test_prices if {
	rules("Agent", gpu("h100", 10, {}), priced) == set()
	rules("Agent", gpu("h100", 11, {}), priced) == {"gpu-price"}
	rules("Agent", gpu("h100", 2, {"gang": {"pods": 6}}), priced) == {"gpu-price"}
	rules("Agent", gpu("a100", 1, {}), priced) == {"gpu-price"}
	rules("Agent", gpu("a100", 64, {}), quiet) == set()
	rules("Agent", gpu("h100", 10, {"limits": {"timeoutSeconds": 36001}}), priced) == {"gpu-price"}
	rules("Agent", gpu("h100", 10, {"limits": {"timeoutSeconds": 36000}}), priced) == set()
}

test_estimates if {
	rules("Run", {"estimate": {"runUnits": "1000001"}}, {}) == {"estimates"}
	rules("Run", {"estimate": {"runUnits": "1M", "tokens": "1k"}}, {}) == set()
	rules("Agent", {"estimate": {"tokens": 100000001}}, {}) == {"estimates"}
	rules("Agent", {"tier": "ultra"}, {"estimateTiers": ["ultra"]}) == {"estimates"}
	rules("Agent", {"tier": "ultra", "estimate": {"runUnits": "5"}}, {"estimateTiers": ["ultra"]}) == set()
	rules("Agent", {}, {"estimateTiers": ["ultra"]}) == set()
}

test_parameters if {
	rules("Pod", pod(enough), {"maxCPU": 1}) == {"parameters"}
}

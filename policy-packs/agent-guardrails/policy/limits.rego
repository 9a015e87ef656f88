# How much one Run may take, and who starts it.
package guardrails

import data.lib.agent

# METADATA
# title: gpu-classes
# description: GPU classes that are not for everybody.
# custom: { passes: "a class of allowedGpuClasses" }
violations contains finding if {
	count(settings.allowedGpuClasses) > 0
	class := agent.spec.gpu.class
	not class in settings.allowedGpuClasses
	finding := {
		"rule": "gpu-classes",
		"field": "spec.gpu.class",
		"msg": sprintf("GPU class %s is not for this Agent; it must be %s", [class, concat(" or ", settings.allowedGpuClasses)]),
	}
}

# METADATA
# title: gpu-count
# description: Runs that take many devices at one time.
# custom: { passes: "at most maxGpus, pods of a gang together" }
violations contains finding if {
	devices := object.get(agent.spec.gpu, "count", 1) * object.get(agent.spec, ["gang", "pods"], 1)
	devices > settings.maxGpus
	finding := {
		"rule": "gpu-count",
		"field": "spec.gpu.count",
		"msg": sprintf("one Run takes %d devices; at most %d are allowed", [devices, settings.maxGpus]),
	}
}

# METADATA
# title: timeouts
# description: Runs that may go on for long.
# custom: { passes: "limits.timeoutSeconds of an Agent and timeoutSeconds of a Run are at most maxTimeoutSeconds" }
violations contains finding if {
	some path in [["limits", "timeoutSeconds"], ["timeoutSeconds"]]
	seconds := object.get(agent.spec, path, 0)
	seconds > settings.maxTimeoutSeconds
	finding := too_many("timeouts", path, [seconds, "seconds", settings.maxTimeoutSeconds])
}

# METADATA
# title: retries
# description: Runs that are tried again and again.
# custom: { passes: "limits.maxRetries of an Agent and retries.limit of a Run are at most maxRetries" }
violations contains finding if {
	some path in [["limits", "maxRetries"], ["retries", "limit"]]
	retries := object.get(agent.spec, path, 0)
	retries > settings.maxRetries
	finding := too_many("retries", path, [retries, "retries", settings.maxRetries])
}

# METADATA
# title: priority
# description: Runs that go before all others.
# custom: { passes: "priority of a Run, and of those of a schedule, is at most maxPriority" }
violations contains finding if {
	some path in [["priority"], ["schedule", "priority"]]
	priority := object.get(agent.spec, path, 0)
	priority > settings.maxPriority
	finding := too_many("priority", path, [priority, "priority", settings.maxPriority])
}

# METADATA
# title: calls
# description: Agents whose Runs call many others, or those others again.
# custom: { passes: "calls.maxDepth is at most maxCallDepth, and calls.maxTotal at most maxCalls" }
violations contains finding if {
	some field, most in {"maxDepth": settings.maxCallDepth, "maxTotal": settings.maxCalls}
	calls := agent.spec.calls[field]
	calls > most
	finding := too_many("calls", ["calls", field], [calls, units[field], most])
}

units := {"maxDepth": "levels", "maxTotal": "Runs"}

too_many(rule, path, [found, unit, most]) := {
	"rule": rule,
	"field": sprintf("spec.%s", [concat(".", path)]),
	"msg": sprintf("found %d %s; at most %d are allowed", [found, unit, most]),
}

# METADATA
# title: approval
# description: Runs that nobody else has looked at.
# custom: { passes: "of a tier of approvalTiers, approval with approvers Others; onTimeout Reject, unless allowApprovalByTimeout" }
violations contains finding if {
	agent.is_agent
	tier := object.get(agent.spec, "tier", "standard")
	tier in settings.approvalTiers
	not is_approved_by_others
	finding := {
		"rule": "approval",
		"field": "spec.approval",
		"msg": sprintf("Runs of tier %s have to be approved by somebody else; set approval.approvers to Others", [tier]),
	}
}

is_approved_by_others if object.get(agent.spec.approval, "approvers", "Others") == "Others"

violations contains finding if {
	agent.is_agent
	not settings.allowApprovalByTimeout
	agent.spec.approval.onTimeout == "Approve"
	finding := {
		"rule": "approval",
		"field": "spec.approval.onTimeout",
		"msg": "onTimeout is Approve: what nobody has looked at would start; it must be Reject",
	}
}

# METADATA
# title: remote-hosts
# description: Agents of shape remote that hand Runs to anybody, or so that anybody can read them.
# custom: { passes: "a host of allowedRemoteHosts; https, unless allowInsecureRemotes" }
violations contains finding if {
	count(settings.allowedRemoteHosts) > 0
	some field in ["url", "cardUrl"]
	url := agent.spec.remote[field]
	not is_allowed_host(host_of(url))
	finding := {
		"rule": "remote-hosts",
		"field": sprintf("spec.remote.%s", [field]),
		"msg": sprintf("host %s is not allowed; it must be like %s", [host_of(url), concat(" or ", settings.allowedRemoteHosts)]),
	}
}

violations contains finding if {
	not settings.allowInsecureRemotes
	agent.spec.remote.insecureHttp == true
	finding := {
		"rule": "remote-hosts",
		"field": "spec.remote.insecureHttp",
		"msg": "insecureHttp is true: whoever is on the way reads and changes everything; it must be false, with an https address",
	}
}

host_of(url) := lower(trim_suffix(regex.find_all_string_submatch_n(`^https?://(\[[^\]]*\]|[^/:?#]*)`, url, 1)[0][1], "."))

is_allowed_host(host) if {
	some pattern in settings.allowedRemoteHosts
	glob.match(lower(pattern), ["."], host)
}

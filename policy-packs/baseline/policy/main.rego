# The Pod Security Standards, for pods and for what makes pods.
package baseline

import data.lib.parameters
import data.lib.workload

deny contains finding if {
	is_asked
	some finding in violations
}

deny contains finding if some finding in parameters.problems

is_asked if {
	workload.is_judged
	not is_exempt
}

is_exempt if workload.pod.spec.runtimeClassName in parameters.values.exemptRuntimeClasses

is_restricted if parameters.values.level == "restricted"

is_windows if workload.pod.spec.os.name == "windows"

# In a user namespace of its own, root of a pod is nobody on the node.
is_in_user_namespace if workload.pod.spec.hostUsers == false

# Security contexts: that of the pod, and those of its containers.
contexts := array.concat(
	[{"who": "the pod", "at": workload.in_spec("securityContext"), "value": value} |
		value := workload.pod.spec.securityContext
	],
	[{"who": sprintf("container %s", [one.name]), "at": workload.at(one, "securityContext"), "value": value} |
		some one in workload.containers
		value := one.value.securityContext
	],
)

violation_of(rule, at, msg) := {"rule": rule, "field": at, "msg": msg}

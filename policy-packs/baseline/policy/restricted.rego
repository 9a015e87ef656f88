# What the level restricted has beside baseline.
package baseline

import data.lib.workload

allowed_volumes := {
	"configMap",
	"csi",
	"downwardAPI",
	"emptyDir",
	"ephemeral",
	"image",
	"persistentVolumeClaim",
	"projected",
	"secret",
}

# METADATA
# title: volume-types
# description: Volumes that reach the node, or storage that is not asked for by a claim.
# custom: { level: restricted, passes: "configMap, csi, downwardAPI, emptyDir, ephemeral, image, persistentVolumeClaim, projected, secret" }
violations contains finding if {
	is_restricted
	some index, volume in workload.pod.spec.volumes
	types := {key | some key, value in volume; key != "name"; value != null} - {"hostPath"}
	count(types) > 0
	count(types & allowed_volumes) == 0
	finding := violation_of(
		"volume-types",
		workload.in_spec(sprintf("volumes[%d]", [index])),
		sprintf("volume %s is of type %s; it must be one of %s", [volume.name, concat(", ", sort(types)), concat(", ", sort(allowed_volumes))]),
	)
}

# METADATA
# title: privilege-escalation
# description: Programs that gain more rights than what started them.
# custom: { level: restricted, passes: "allowPrivilegeEscalation is false; not asked of pods of Windows" }
violations contains finding if {
	is_restricted
	not is_windows
	some one in workload.containers
	not one.value.securityContext.allowPrivilegeEscalation == false
	finding := violation_of(
		"privilege-escalation",
		workload.at(one, "securityContext.allowPrivilegeEscalation"),
		sprintf("container %s may gain privileges; allowPrivilegeEscalation must be false", [one.name]),
	)
}

# METADATA
# title: run-as-non-root
# description: Containers that may run as root.
# custom: { level: restricted, passes: "runAsNonRoot is true, of the pod or of each container; anything with hostUsers false" }
violations contains finding if {
	must_not_be_root
	some context in contexts
	context.value.runAsNonRoot == false
	finding := violation_of(
		"run-as-non-root",
		sprintf("%s.runAsNonRoot", [context.at]),
		sprintf("%s may run as root; runAsNonRoot must be true", [context.who]),
	)
}

violations contains finding if {
	must_not_be_root
	not says_non_root(workload.pod.spec)
	some one in workload.containers
	not says_non_root(one.value)
	finding := violation_of(
		"run-as-non-root",
		workload.at(one, "securityContext.runAsNonRoot"),
		sprintf("container %s may run as root; runAsNonRoot must be true, here or in securityContext of the pod", [one.name]),
	)
}

says_non_root(holder) if is_boolean(holder.securityContext.runAsNonRoot)

must_not_be_root if {
	is_restricted
	not is_in_user_namespace
}

# METADATA
# title: run-as-user
# description: Containers that run as user 0.
# custom: { level: restricted, passes: "runAsUser is not 0; anything with hostUsers false" }
violations contains finding if {
	must_not_be_root
	some context in contexts
	context.value.runAsUser == 0
	finding := violation_of(
		"run-as-user",
		sprintf("%s.runAsUser", [context.at]),
		sprintf("%s runs as user 0, which is root; runAsUser must be another number, or left out", [context.who]),
	)
}

violations contains finding if {
	is_restricted
	not is_windows
	not workload.pod.spec.securityContext.seccompProfile.type
	some one in workload.containers
	not one.value.securityContext.seccompProfile.type
	finding := violation_of(
		"seccomp",
		workload.at(one, "securityContext.seccompProfile.type"),
		sprintf("container %s has no seccomp profile; type must be RuntimeDefault or Localhost, here or in securityContext of the pod", [one.name]),
	)
}

violations contains finding if {
	is_restricted
	not is_windows
	some one in workload.containers
	not "ALL" in object.get(one.value, ["securityContext", "capabilities", "drop"], [])
	finding := violation_of(
		"capabilities",
		workload.at(one, "securityContext.capabilities.drop"),
		sprintf(`container %s keeps capabilities; drop must be ["ALL"]`, [one.name]),
	)
}

violations contains finding if {
	is_restricted
	not is_windows
	some one in workload.containers
	some capability in one.value.securityContext.capabilities.add
	capability in default_capabilities
	capability != "NET_BIND_SERVICE"
	finding := violation_of(
		"capabilities",
		workload.at(one, "securityContext.capabilities.add"),
		sprintf("container %s adds the capability %s; it may add %s", [one.name, capability, addable]),
	)
}

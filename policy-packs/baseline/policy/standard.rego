# The level baseline.
package baseline

import data.lib.workload

# METADATA
# title: host-process
# description: Windows containers that are processes of the node.
# custom: { level: baseline, passes: "windowsOptions.hostProcess is false or left out" }
violations contains finding if {
	some context in contexts
	context.value.windowsOptions.hostProcess == true
	finding := violation_of(
		"host-process",
		sprintf("%s.windowsOptions.hostProcess", [context.at]),
		sprintf("%s is a process of the node; hostProcess must be false or left out", [context.who]),
	)
}

# METADATA
# title: host-namespaces
# description: The network, processes or IPC of the node.
# custom: { level: baseline, passes: "hostNetwork, hostPID and hostIPC are false or left out" }
violations contains finding if {
	some field in ["hostNetwork", "hostPID", "hostIPC"]
	workload.pod.spec[field] == true
	finding := violation_of("host-namespaces", workload.in_spec(field), sprintf("%s is true; it must be false or left out", [field]))
}

# METADATA
# title: privileged
# description: Containers to which the node is open.
# custom: { level: baseline, passes: "privileged is false or left out" }
violations contains finding if {
	some one in workload.containers
	one.value.securityContext.privileged == true
	finding := violation_of(
		"privileged",
		workload.at(one, "securityContext.privileged"),
		sprintf("container %s is privileged; privileged must be false or left out", [one.name]),
	)
}

default_capabilities := {
	"AUDIT_WRITE",
	"CHOWN",
	"DAC_OVERRIDE",
	"FOWNER",
	"FSETID",
	"KILL",
	"MKNOD",
	"NET_BIND_SERVICE",
	"SETFCAP",
	"SETGID",
	"SETPCAP",
	"SETUID",
	"SYS_CHROOT",
}

# METADATA
# title: capabilities
# description: Capabilities beyond those that a container has by default; with level restricted all are to be dropped, and one may be added again.
# custom: { level: baseline, passes: "added are only those of the default set; restricted: drop has ALL, add at most NET_BIND_SERVICE" }
violations contains finding if {
	some one in workload.containers
	some capability in one.value.securityContext.capabilities.add
	not capability in default_capabilities
	finding := violation_of(
		"capabilities",
		workload.at(one, "securityContext.capabilities.add"),
		sprintf("container %s adds the capability %s; it may add %s", [one.name, capability, addable]),
	)
}

addable := "NET_BIND_SERVICE" if {
	is_restricted
} else := concat(", ", sort(default_capabilities))

# METADATA
# title: host-path
# description: Folders of the node as volumes.
# custom: { level: baseline, passes: "no volume has hostPath" }
violations contains finding if {
	some index, volume in workload.pod.spec.volumes
	volume.hostPath
	finding := violation_of(
		"host-path",
		workload.in_spec(sprintf("volumes[%d].hostPath", [index])),
		sprintf("volume %s is a folder of the node; use another kind of volume", [volume.name]),
	)
}

# METADATA
# title: host-ports
# description: Ports of the node.
# custom: { level: baseline, passes: "hostPort is 0 or left out" }
violations contains finding if {
	some one in workload.containers
	some index, port in one.value.ports
	port.hostPort != 0
	finding := violation_of(
		"host-ports",
		workload.at(one, sprintf("ports[%d].hostPort", [index])),
		sprintf("container %s takes port %d of the node; hostPort must be 0 or left out", [one.name, port.hostPort]),
	)
}

# METADATA
# title: host-probes
# description: Probes and hooks that have the node ask somebody else than the pod.
# custom: { level: baseline, passes: "host of httpGet and tcpSocket is left out" }
violations contains finding if {
	some one in workload.containers
	some hook in [["livenessProbe"], ["readinessProbe"], ["startupProbe"], ["lifecycle", "postStart"], ["lifecycle", "preStop"]]
	handler := object.get(one.value, hook, {})
	some way in ["httpGet", "tcpSocket"]
	host := handler[way].host
	host != ""
	finding := violation_of(
		"host-probes",
		workload.at(one, sprintf("%s.%s.host", [concat(".", hook), way])),
		sprintf("container %s has the node ask host %s; host must be left out, the pod itself is asked then", [one.name, host]),
	)
}

confined := {"RuntimeDefault", "Localhost"}

# METADATA
# title: app-armor
# description: AppArmor switched off.
# custom: { level: baseline, passes: "appArmorProfile.type is RuntimeDefault or Localhost, or left out; annotations runtime/default or localhost/*" }
violations contains finding if {
	some context in contexts
	type := context.value.appArmorProfile.type
	not type in confined
	finding := violation_of(
		"app-armor",
		sprintf("%s.appArmorProfile.type", [context.at]),
		sprintf("the AppArmor profile of %s is %s; it must be RuntimeDefault or Localhost, or left out", [context.who, type]),
	)
}

violations contains finding if {
	some key, value in workload.pod.annotations
	startswith(key, "container.apparmor.security.beta.kubernetes.io/")
	not is_confined(value)
	finding := violation_of(
		"app-armor",
		workload.in_annotations(key),
		sprintf("the AppArmor profile is %s; it must be runtime/default or localhost/ and a name, or left out", [value]),
	)
}

is_confined(value) if value in {"", "runtime/default"}

is_confined(value) if startswith(value, "localhost/")

# METADATA
# title: selinux
# description: SELinux types, users or roles that hold less tightly.
# custom: { level: baseline, passes: "seLinuxOptions.type is one of the container types; user and role are left out" }
violations contains finding if {
	some context in contexts
	type := context.value.seLinuxOptions.type
	not type in selinux_types
	finding := violation_of(
		"selinux",
		sprintf("%s.seLinuxOptions.type", [context.at]),
		sprintf("the SELinux type of %s is %s; it must be container_t, container_init_t, container_kvm_t or container_engine_t, or left out", [context.who, type]),
	)
}

selinux_types := {"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"}

violations contains finding if {
	some context in contexts
	some field in ["user", "role"]
	value := context.value.seLinuxOptions[field]
	value != ""
	finding := violation_of(
		"selinux",
		sprintf("%s.seLinuxOptions.%s", [context.at, field]),
		sprintf("the SELinux %s of %s is %s; it must be left out", [field, context.who, value]),
	)
}

# METADATA
# title: proc-mount
# description: A /proc that shows and lets change what the default hides.
# custom: { level: baseline, passes: "procMount is Default or left out; baseline: anything with hostUsers false" }
violations contains finding if {
	not may_unmask
	some one in workload.containers
	found := one.value.securityContext.procMount
	found != "Default"
	finding := violation_of(
		"proc-mount",
		workload.at(one, "securityContext.procMount"),
		sprintf("container %s has procMount %s; it must be Default or left out", [one.name, found]),
	)
}

may_unmask if {
	is_in_user_namespace
	not is_restricted
}

# METADATA
# title: seccomp
# description: System calls without filter; with level restricted a filter has to be named.
# custom: { level: baseline, passes: "seccompProfile.type is RuntimeDefault or Localhost; baseline: or left out" }
violations contains finding if {
	some context in contexts
	type := context.value.seccompProfile.type
	not type in confined
	finding := violation_of(
		"seccomp",
		sprintf("%s.seccompProfile.type", [context.at]),
		sprintf("the seccomp profile of %s is %s; it must be RuntimeDefault or Localhost", [context.who, type]),
	)
}

safe_sysctls := {
	"kernel.shm_rmid_forced",
	"net.ipv4.ip_local_port_range",
	"net.ipv4.ip_local_reserved_ports",
	"net.ipv4.ip_unprivileged_port_start",
	"net.ipv4.ping_group_range",
	"net.ipv4.tcp_fin_timeout",
	"net.ipv4.tcp_keepalive_intvl",
	"net.ipv4.tcp_keepalive_probes",
	"net.ipv4.tcp_keepalive_time",
	"net.ipv4.tcp_rmem",
	"net.ipv4.tcp_syncookies",
	"net.ipv4.tcp_wmem",
}

# METADATA
# title: sysctls
# description: Settings of the kernel that are not safe to change from within a pod.
# custom: { level: baseline, passes: "securityContext.sysctls has only safe ones" }
violations contains finding if {
	some index, sysctl in workload.pod.spec.securityContext.sysctls
	not sysctl.name in safe_sysctls
	finding := violation_of(
		"sysctls",
		workload.in_spec(sprintf("securityContext.sysctls[%d].name", [index])),
		sprintf("sysctl %s is not safe; these are: %s", [sysctl.name, concat(", ", sort(safe_sysctls))]),
	)
}

package baseline_test

import data.baseline

# A pod that restricted lets pass, with a container of each kind.
pod := {
	"metadata": {"annotations": {}},
	"spec": {
		"securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
		"volumes": [{"name": "tmp", "emptyDir": {}}],
		"initContainers": [container("init")],
		"containers": [container("main")],
		"ephemeralContainers": [container("debug")],
	},
}

container(name) := {
	"name": name,
	"securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
}

rules(object, parameters) := {one.rule | some one in found} if {
	found := baseline.deny with input as {
		"review": {"operation": "CREATE", "kind": {"kind": "Pod"}, "object": object},
		"parameters": parameters,
	}
}

patched(patches) := json.patch(pod, patches)

lists := ["initContainers", "containers", "ephemeralContainers"]

set(path, value) := {"op": "add", "path": path, "value": value}

in_container(list, field) := sprintf("/spec/%s/0/securityContext/%s", [list, field])

test_what_is_right_passes if {
	rules(pod, {}) == set()
	rules(pod, {"level": "baseline"}) == set()
	rules({"spec": {"containers": [{"name": "main"}]}}, {"level": "baseline"}) == set()
}

# Of every kind of container.
refused_in_containers := {
	"host-process": [["windowsOptions", {"hostProcess": true}]],
	"privileged": [["privileged", true]],
	"capabilities": [["capabilities/add", ["NET_ADMIN"]], ["capabilities/add", ["NET_BIND_SERVICE", "SYS_ADMIN"]]],
	"app-armor": [["appArmorProfile", {"type": "Unconfined"}]],
	"selinux": [["seLinuxOptions", {"type": "spc_t"}], ["seLinuxOptions", {"user": "root"}], ["seLinuxOptions", {"role": "r"}]],
	"proc-mount": [["procMount", "Unmasked"]],
	"seccomp": [["seccompProfile", {"type": "Unconfined"}]],
}

test_refused_in_containers_by_both_levels if {
	some level in ["baseline", "restricted"]
	every rule, changes in refused_in_containers {
		every change in changes {
			every list in lists {
				rules(patched([set(in_container(list, change[0]), change[1])]), {"level": level}) == {rule}
			}
		}
	}
}

refused_in_pod := {
	"host-namespaces": [["hostNetwork", true], ["hostPID", true], ["hostIPC", true]],
	"host-process": [["securityContext/windowsOptions", {"hostProcess": true}]],
	"app-armor": [["securityContext/appArmorProfile", {"type": "Unconfined"}]],
	"selinux": [["securityContext/seLinuxOptions", {"type": "spc_t"}]],
	"host-path": [["volumes/-", {"name": "root", "hostPath": {"path": "/"}}]],
	"host-ports": [["containers/0/ports", [{"containerPort": 80, "hostPort": 80}]]],
	"sysctls": [["securityContext/sysctls", [{"name": "kernel.msgmax", "value": "1"}]]],
	"host-probes": [
		["containers/0/livenessProbe", {"httpGet": {"host": "10.0.0.1"}}],
		["containers/0/lifecycle", {"preStop": {"tcpSocket": {"host": "10.0.0.1"}}}],
	],
}

test_refused_in_pods_by_both_levels if {
	some level in ["baseline", "restricted"]
	every rule, changes in refused_in_pod {
		every change in changes {
			rules(patched([set(concat("/", ["/spec", change[0]]), change[1])]), {"level": level}) == {rule}
		}
	}
}

test_annotations_of_app_armor if {
	key := "/metadata/annotations/container.apparmor.security.beta.kubernetes.io~1main"
	rules(patched([set(key, "unconfined")]), {}) == {"app-armor"}
	every value in ["", "runtime/default", "localhost/mine"] {
		rules(patched([set(key, value)]), {}) == set()
	}
}

allowed := [
	["securityContext/sysctls", [{"name": "net.ipv4.tcp_rmem", "value": "1"}]],
	["securityContext/seLinuxOptions", {"type": "container_engine_t"}],
	["securityContext/appArmorProfile", {"type": "Localhost", "localhostProfile": "a"}],
	["containers/0/securityContext/capabilities/add", ["NET_BIND_SERVICE"]],
	["containers/0/securityContext/procMount", "Default"],
	["containers/0/ports", [{"containerPort": 80, "hostPort": 0}]],
	["containers/0/livenessProbe", {"httpGet": {"port": 80}}],
	["containers/0/securityContext/runAsUser", 1000],
	["volumes/-", {"name": "unsaid"}],
	["volumes/-", {"name": "claim", "persistentVolumeClaim": {"claimName": "a"}}],
]

test_allowed_by_restricted if {
	every change in allowed {
		rules(patched([set(concat("/", ["/spec", change[0]]), change[1])]), {}) == set()
	}
}

refused_by_restricted := {
	"volume-types": [["volumes/-", {"name": "shared", "nfs": {"server": "a", "path": "/"}}]],
	"privilege-escalation": [["containers/0/securityContext/allowPrivilegeEscalation", true]],
	"run-as-non-root": [["securityContext/runAsNonRoot", false], ["containers/0/securityContext/runAsNonRoot", false]],
	"run-as-user": [["securityContext/runAsUser", 0], ["containers/0/securityContext/runAsUser", 0]],
	"capabilities": [
		["containers/0/securityContext/capabilities/add", ["CHOWN"]],
		["containers/0/securityContext/capabilities/drop", ["CHOWN"]],
	],
}

test_refused_by_restricted_alone if {
	every rule, changes in refused_by_restricted {
		every change in changes {
			object := patched([set(concat("/", ["/spec", change[0]]), change[1])])
			rules(object, {"level": "restricted"}) == {rule}
			rules(object, {"level": "baseline"}) == set()
		}
	}
}

without(paths) := patched([{"op": "remove", "path": path} | some path in paths])

test_restricted_wants_what_is_left_out if {
	rules(without(["/spec/securityContext/runAsNonRoot"]), {}) == {"run-as-non-root"}
	rules(without(["/spec/securityContext/seccompProfile"]), {}) == {"seccomp"}
	rules(without(["/spec/containers/0/securityContext"]), {}) == {"capabilities", "privilege-escalation"}
}

test_each_container_may_say_it_instead if {
	each := [change |
		some list in lists
		some change in [
			set(in_container(list, "runAsNonRoot"), true),
			set(in_container(list, "seccompProfile"), {"type": "Localhost", "localhostProfile": "a"}),
		]
	]
	of_pod := {"op": "remove", "path": "/spec/securityContext"}
	rules(patched(array.concat([of_pod], each)), {}) == set()
}

test_windows if {
	object := patched([
		set("/spec/os", {"name": "windows"}),
		{"op": "remove", "path": "/spec/securityContext/seccompProfile"},
		{"op": "remove", "path": "/spec/containers/0/securityContext"},
	])
	rules(object, {}) == set()
}

test_user_namespaces if {
	own := [set("/spec/hostUsers", false)]
	as_root := [set("/spec/securityContext/runAsNonRoot", false), set("/spec/securityContext/runAsUser", 0)]
	unmasked := [set("/spec/containers/0/securityContext/procMount", "Unmasked")]
	rules(patched(array.concat(own, as_root)), {}) == set()
	rules(patched(as_root), {}) == {"run-as-non-root", "run-as-user"}
	rules(patched(array.concat(own, unmasked)), {"level": "baseline"}) == set()
	rules(patched(array.concat(own, unmasked)), {"level": "restricted"}) == {"proc-mount"}
}

test_runtime_classes_that_are_exempt if {
	object := patched([set("/spec/runtimeClassName", "kata"), set("/spec/hostPID", true)])
	rules(object, {"exemptRuntimeClasses": ["kata"]}) == set()
	rules(object, {"exemptRuntimeClasses": ["gvisor"]}) == {"host-namespaces"}
}

test_parameters_that_are_wrong if {
	rules(pod, {"level": "strict"}) == {"parameters"}
}

test_messages_say_what_would_pass if {
	found := baseline.deny with input as {
		"review": {"operation": "CREATE", "kind": {"kind": "Deployment"}, "object": {"spec": {"template": patched([set("/spec/hostPID", true)])}}},
		"parameters": {},
	}
	found == {{"rule": "host-namespaces", "field": "spec.template.spec.hostPID", "msg": "hostPID is true; it must be false or left out"}}
}

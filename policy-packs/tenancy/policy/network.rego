# What is reached from outside, and what is lent.
package tenancy

# METADATA
# title: service-types
# description: Services that open ports of nodes, order load balancers, or stand for names elsewhere.
# custom: { passes: "a type of allowedServiceTypes" }
violations contains finding if {
	kind == "Service"
	is_changed
	type := object.get(body.spec, "type", "ClusterIP")
	not type in settings.allowedServiceTypes
	finding := {
		"rule": "service-types",
		"field": "spec.type",
		"msg": sprintf("type %s is not for tenants; it must be %s", [type, concat(" or ", settings.allowedServiceTypes)]),
	}
}

# METADATA
# title: external-ips
# description: Services that take traffic of addresses which are not theirs.
# custom: { passes: "externalIPs is left out" }
violations contains finding if {
	kind == "Service"
	is_changed
	count(body.spec.externalIPs) > 0
	finding := {
		"rule": "external-ips",
		"field": "spec.externalIPs",
		"msg": sprintf("a Service with externalIPs %s takes what is sent there from anybody in the cluster; leave them out", [concat(", ", body.spec.externalIPs)]),
	}
}

# METADATA
# title: ingress-hosts
# description: Ingresses, Gateways and routes for hosts of others.
# custom: { passes: "every host is like one of allowedHosts, and one is named" }
violations contains finding if {
	count(settings.allowedHosts) > 0
	is_changed
	some one in hosts
	not is_own_host(lower(one.host))
	finding := {
		"rule": "ingress-hosts",
		"field": one.at,
		"msg": sprintf("host %s is not of this tenant; it must be like %s", [shown_host(one.host), concat(" or ", own_hosts)]),
	}
}

shown_host("") := "(any)"

shown_host(host) := host if host != ""

own_hosts := [replace(pattern, "{tenant}", tenant) | some pattern in settings.allowedHosts]

# No name of a tenant has this, so a pattern with {tenant} fits nothing outside of tenants.
tenant := object.get(input, ["tenant", "name"], "_")

is_own_host(host) if {
	some pattern in own_hosts
	glob.match(lower(pattern), ["."], host)
}

# What has no host is for all of them.
hosts contains {"host": object.get(rule, "host", ""), "at": sprintf("spec.rules[%d].host", [index])} if {
	kind == "Ingress"
	some index, rule in body.spec.rules
}

hosts contains {"host": host, "at": sprintf("spec.tls[%d].hosts", [index])} if {
	kind == "Ingress"
	some index, tls in body.spec.tls
	some host in tls.hosts
}

hosts contains {"host": "", "at": "spec.defaultBackend"} if {
	kind == "Ingress"
	body.spec.defaultBackend
}

hosts contains {"host": host, "at": "spec.hostnames"} if {
	kind in {"HTTPRoute", "GRPCRoute"}
	some host in object.get(body.spec, "hostnames", [""])
}

hosts contains {"host": object.get(listener, "hostname", ""), "at": sprintf("spec.listeners[%d].hostname", [index])} if {
	kind == "Gateway"
	some index, listener in body.spec.listeners
}

# METADATA
# title: ingress-classes
# description: Ways in from outside that are not for tenants.
# custom: { passes: "a class of allowedIngressClasses" }
violations contains finding if {
	count(settings.allowedIngressClasses) > 0
	is_changed
	some field in class_fields[kind]
	class := object.get(body.spec, field, "")
	not class in settings.allowedIngressClasses
	finding := not_for_tenants("ingress-classes", field, [class, settings.allowedIngressClasses])
}

class_fields := {"Ingress": ["ingressClassName"], "Gateway": ["gatewayClassName"]}

# METADATA
# title: storage-classes
# description: Storage that is not for tenants.
# custom: { passes: "a class of allowedStorageClasses" }
violations contains finding if {
	count(settings.allowedStorageClasses) > 0
	kind == "PersistentVolumeClaim"
	is_changed
	class := object.get(body.spec, "storageClassName", "")
	not class in settings.allowedStorageClasses
	finding := not_for_tenants("storage-classes", "storageClassName", [class, settings.allowedStorageClasses])
}

not_for_tenants(rule, field, [found, allowed]) := {
	"rule": rule,
	"field": sprintf("spec.%s", [field]),
	"msg": sprintf("class %s is not for tenants; it must be %s", [json.marshal(found), concat(" or ", allowed)]),
}

# METADATA
# title: role-bindings
# description: RoleBindings that give more than a namespace has to give, or to everybody.
# custom: { passes: "no role of forbiddenRoles; nobody like system:anonymous or system:authenticated" }
violations contains finding if {
	kind == "RoleBinding"
	body.roleRef.kind == "ClusterRole"
	body.roleRef.name in settings.forbiddenRoles
	is_bound_anew
	finding := {
		"rule": "role-bindings",
		"field": "roleRef.name",
		"msg": sprintf("ClusterRole %s is not to be given; name one that has what is needed, and no more", [body.roleRef.name]),
	}
}

violations contains finding if {
	kind == "RoleBinding"
	some index, subject in body.subjects
	subject.name in everybody
	is_bound_anew
	finding := {
		"rule": "role-bindings",
		"field": sprintf("subjects[%d].name", [index]),
		"msg": sprintf("%s is everybody; name who it is for", [subject.name]),
	}
}

everybody := {"system:anonymous", "system:unauthenticated", "system:authenticated", "system:serviceaccounts"}

is_bound_anew if is_new

is_bound_anew if object.get(body, "subjects", []) != object.get(input.review.oldObject, "subjects", [])

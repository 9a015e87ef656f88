package tenancy_test

import data.tenancy

rules(kind, body, more) := {one.rule | some one in found} if {
	found := tenancy.deny with input as object.union(
		{"review": {"operation": "CREATE", "namespace": "acme-dev", "kind": {"kind": kind}, "object": body}},
		more,
	)
}

changed(kind, body, [old, parameters]) := {one.rule | some one in found} if {
	found := tenancy.deny with input as {
		"review": {"operation": "UPDATE", "namespace": "acme-dev", "kind": {"kind": kind}, "object": body, "oldObject": old},
		"parameters": parameters,
	}
}

given(parameters) := {"parameters": parameters}

pod(image) := {"spec": {"containers": [{"name": "main", "image": image}]}}

test_plain_ones_pass if {
	rules("Pod", pod("a:1"), {}) == set()
	rules("Service", {"spec": {}}, {}) == set()
	rules("Ingress", {"spec": {"rules": [{"host": "a.example.com"}]}}, {}) == set()
	rules("Run", {"spec": {"agentRef": {"name": "a"}}}, {}) == set()
}

test_default_namespace if {
	found := tenancy.deny with input as {"review": {"operation": "CREATE", "namespace": "default", "kind": {"kind": "Run"}, "object": {}}}
	{one.rule | some one in found} == {"default-namespace"}
}

test_labels if {
	wanted := given({"requiredLabels": {"team": "", "stage": "dev|prod"}})
	rules("Deployment", {"metadata": {"labels": {"team": "a", "stage": "dev"}}}, wanted) == set()
	rules("Deployment", {"metadata": {"labels": {"team": "a", "stage": "development"}}}, wanted) == {"required-labels"}
	rules("Deployment", {"metadata": {"labels": {"team": "", "stage": "dev"}}}, wanted) == {"required-labels"}
	rules("Deployment", {"metadata": {}}, wanted) == {"required-labels"}
	rules("Pod", pod("a:1"), wanted) == set()
}

test_labels_of_what_exists if {
	wanted := {"requiredLabels": {"team": ""}}
	changed("Deployment", {"spec": {"a": 1}}, [{"spec": {"a": 1}}, wanted]) == set()
	changed("Deployment", {"spec": {"a": 2}}, [{"spec": {"a": 1}}, wanted]) == {"required-labels"}
	changed("Deployment", {"spec": {"a": 1}}, [{"metadata": {"labels": {"team": "a"}}, "spec": {"a": 1}}, wanted]) == {"required-labels"}
}

test_registries if {
	allowed := given({"allowedRegistries": ["registry.example.com"]})
	rules("Pod", pod("registry.example.com/a:1"), allowed) == set()
	rules("Pod", pod("registry.example.com.evil.io/a:1"), allowed) == {"registries"}
	rules("Pod", pod("a:1"), allowed) == {"registries"}
	rules("Agent", {"spec": {"container": {"image": "a:1"}}}, allowed) == {"registries"}
	rules("Deployment", {"spec": {"template": pod("a:1")}}, allowed) == {"registries"}
	rules("Pod", pod("a:1"), {"tenant": {"name": "acme", "entitlements": {"registries": ["registry.example.com"]}}}) == {"registries"}
}

test_versions if {
	rules("Pod", pod("a"), {}) == {"image-versions"}
	rules("Pod", pod("a:latest"), {}) == {"image-versions"}
	rules("Pod", pod("a:1"), given({"requireDigest": true})) == {"image-versions"}
	rules("Pod", pod("a@sha256:1111111111111111111111111111111111111111111111111111111111111111"), given({"requireDigest": true})) == set()
	changed("Agent", {"spec": {"container": {"image": "a"}}}, [{"spec": {"container": {"image": "a"}}}, {}]) == set()
}

test_priority_classes if {
	urgent := {"spec": {"priorityClassName": "urgent", "containers": []}}
	rules("Pod", urgent, {}) == set()
	rules("Pod", urgent, given({"allowedPriorityClasses": ["normal"]})) == {"priority-classes"}
	rules("Pod", urgent, given({"allowedPriorityClasses": ["urgent"]})) == set()
	rules("Pod", pod("a:1"), given({"allowedPriorityClasses": ["urgent"]})) == set()
}

test_services if {
	rules("Service", {"spec": {"type": "NodePort"}}, {}) == {"service-types"}
	rules("Service", {"spec": {"type": "NodePort"}}, given({"allowedServiceTypes": ["NodePort"]})) == set()
	rules("Service", {"spec": {"externalIPs": ["10.0.0.1"]}}, {}) == {"external-ips"}
	rules("Service", {"spec": {"externalIPs": []}}, {}) == set()
	changed("Service", {"spec": {"type": "NodePort"}}, [{"spec": {"type": "NodePort"}}, {}]) == set()
	changed("Service", {"spec": {"type": "NodePort"}}, [{"spec": {"type": "ClusterIP"}}, {}]) == {"service-types"}
}

acme(parameters) := {"parameters": parameters, "tenant": {"name": "acme"}}

test_hosts if {
	own := acme({"allowedHosts": ["*.{tenant}.example.com"]})
	rules("Ingress", {"spec": {"rules": [{"host": "WEB.acme.example.com"}]}}, own) == set()
	rules("Ingress", {"spec": {"rules": [{"host": "*.acme.example.com"}]}}, own) == set()
	rules("Ingress", {"spec": {"rules": [{"host": "web.globex.example.com"}]}}, own) == {"ingress-hosts"}
	rules("Ingress", {"spec": {"rules": [{"host": "a.b.acme.example.com"}]}}, own) == {"ingress-hosts"}
	rules("Ingress", {"spec": {"rules": [{}]}}, own) == {"ingress-hosts"}
	rules("Ingress", {"spec": {"rules": [{"host": "*"}]}}, own) == {"ingress-hosts"}
	rules("Ingress", {"spec": {"defaultBackend": {}}}, own) == {"ingress-hosts"}
	rules("Ingress", {"spec": {"tls": [{"hosts": ["web.globex.example.com"]}]}}, own) == {"ingress-hosts"}
	rules("Ingress", {"spec": {"rules": [{"host": "web.acme.example.com"}]}}, given({"allowedHosts": ["*.{tenant}.example.com"]})) == {"ingress-hosts"}
}

test_hosts_of_the_gateway_api if {
	own := acme({"allowedHosts": ["**.acme.example.com"]})
	rules("HTTPRoute", {"spec": {"hostnames": ["a.b.acme.example.com"]}}, own) == set()
	rules("HTTPRoute", {"spec": {"hostnames": ["globex.example.com"]}}, own) == {"ingress-hosts"}
	rules("GRPCRoute", {"spec": {}}, own) == {"ingress-hosts"}
	rules("Gateway", {"spec": {"listeners": [{"hostname": "a.acme.example.com"}]}}, own) == set()
	rules("Gateway", {"spec": {"listeners": [{}]}}, own) == {"ingress-hosts"}
}

test_classes if {
	rules("Ingress", {"spec": {"ingressClassName": "public"}}, given({"allowedIngressClasses": ["private"]})) == {"ingress-classes"}
	rules("Ingress", {"spec": {"ingressClassName": "private"}}, given({"allowedIngressClasses": ["private"]})) == set()
	rules("Gateway", {"spec": {"gatewayClassName": "public"}}, given({"allowedIngressClasses": ["private"]})) == {"ingress-classes"}
	rules("PersistentVolumeClaim", {"spec": {"storageClassName": "fast"}}, given({"allowedStorageClasses": ["slow"]})) == {"storage-classes"}
	rules("PersistentVolumeClaim", {"spec": {}}, given({"allowedStorageClasses": ["slow"]})) == {"storage-classes"}
	rules("PersistentVolumeClaim", {"spec": {"storageClassName": "slow"}}, given({"allowedStorageClasses": ["slow"]})) == set()
}

binding(role, subject) := {"roleRef": {"kind": "ClusterRole", "name": role}, "subjects": [{"kind": "User", "name": subject}]}

test_role_bindings if {
	rules("RoleBinding", binding("view", "tess"), {}) == set()
	rules("RoleBinding", binding("cluster-admin", "tess"), {}) == {"role-bindings"}
	rules("RoleBinding", binding("view", "system:authenticated"), {}) == {"role-bindings"}
	changed("RoleBinding", binding("cluster-admin", "tess"), [binding("cluster-admin", "tess"), {}]) == set()
	changed("RoleBinding", binding("cluster-admin", "tom"), [binding("cluster-admin", "tess"), {}]) == {"role-bindings"}
}

test_parameters if {
	rules("Pod", pod("a:1"), given({"allowedServiceTypes": ["Any"]})) == {"parameters"}
}

test_words_of_labels if {
	found := tenancy.deny with input as object.union(given({"requiredLabels": {"team": "", "stage": "dev|prod"}}), {"review": {
		"operation": "CREATE",
		"kind": {"kind": "Deployment"},
		"namespace": "acme-dev",
		"object": {"metadata": {"labels": {"stage": "test"}}},
	}})
	{one.msg | some one in found} == {"label team is missing; it must be there", "label stage is test; it must be like dev|prod"}
}

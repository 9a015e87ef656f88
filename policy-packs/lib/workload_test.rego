package lib.workload_test

import data.lib.workload

spec := {
	"initContainers": [{"name": "init"}],
	"containers": [{"name": "main"}, {"name": "side"}],
	"ephemeralContainers": [{"name": "debug"}],
}

template := {"metadata": {"annotations": {"a": "b"}}, "spec": spec}

review(kind, object) := {"review": {"operation": "CREATE", "kind": {"kind": kind}, "object": object}}

update(kind, object, old) := {"review": {"operation": "UPDATE", "kind": {"kind": kind}, "object": object, "oldObject": old}}

objects := {
	"Pod": template,
	"PodTemplate": {"template": template},
	"Deployment": {"spec": {"template": template}},
	"CronJob": {"spec": {"jobTemplate": {"spec": {"template": template}}}},
}

test_containers_of_every_kind_are_found_in_every_workload if {
	every kind, object in objects {
		found := workload.containers with input as review(kind, object)
		{one.name | some one in found} == {"init", "main", "side", "debug"}
		annotations := workload.pod.annotations with input as review(kind, object)
		annotations == {"a": "b"}
	}
}

test_paths_lead_to_where_it_is if {
	some path in [{"Pod": "spec.", "PodTemplate": "template.spec.", "Deployment": "spec.template.spec.", "CronJob": "spec.jobTemplate.spec.template.spec."}]
	every kind, object in objects {
		at := workload.at({"list": "containers", "index": 1}, "image") with input as review(kind, object)
		at == concat("", [path[kind], "containers[1].image"])
		in_spec := workload.in_spec("hostPID") with input as review(kind, object)
		in_spec == concat("", [path[kind], "hostPID"])
	}
}

test_paths_of_annotations if {
	at := workload.in_annotations("x/y") with input as review("Deployment", objects.Deployment)
	at == "spec.template.metadata.annotations[x/y]"
}

test_what_has_no_pod_is_not_judged if {
	not workload.is_judged with input as review("Service", {"spec": {"template": "none"}})
}

test_new_ones_are_judged if {
	every kind, object in objects {
		workload.is_judged with input as review(kind, object)
	}
}

test_a_change_beside_the_pod_is_not_judged if {
	every kind, object in objects {
		not workload.is_judged with input as update(kind, object, object)
	}
	scaled := {"spec": {"replicas": 3, "template": template}}
	not workload.is_judged with input as update("Deployment", scaled, objects.Deployment)
	gated := {"metadata": {"annotations": {"a": "b"}}, "spec": object.union(spec, {"schedulingGates": [{"name": "x"}]})}
	not workload.is_judged with input as update("Pod", template, gated)
}

test_a_change_of_the_pod_is_judged if {
	other := {"metadata": {"annotations": {"a": "b"}}, "spec": {"containers": [{"name": "other"}]}}
	workload.is_judged with input as update("Pod", other, template)
	workload.is_judged with input as update("Deployment", {"spec": {"template": other}}, objects.Deployment)
	workload.is_judged with input as update("PodTemplate", {"template": other}, objects.PodTemplate)
	workload.is_judged with input as update("CronJob", {"spec": {"jobTemplate": {"spec": {"template": other}}}}, objects.CronJob)
}

test_a_change_of_annotations_is_judged if {
	workload.is_judged with input as update("Pod", template, {"metadata": {}, "spec": spec})
}

test_a_pod_without_spec_is_one_without_containers if {
	workload.containers == [] with input as review("Pod", {})
}

# The pod that a request is about, wherever it stands in the object: a pod itself, or the template of one.
package lib.workload

# What is judged: the pod's spec and annotations, and where in the object they are.
pod := {"spec": object.get(body, "spec", {}), "annotations": annotations(body), "at": "", "is_template": false} if {
	input.review.kind.kind == "Pod"
} else := {"spec": body.template.spec, "annotations": annotations(body.template), "at": "template.", "is_template": true} if {
	input.review.kind.kind == "PodTemplate"
} else := {"spec": job.spec, "annotations": annotations(job), "at": "spec.jobTemplate.spec.template.", "is_template": true} if {
	job := body.spec.jobTemplate.spec.template
} else := {"spec": template.spec, "annotations": annotations(template), "at": "spec.template.", "is_template": true} if {
	template := body.spec.template
	is_object(template.spec)
}

body := input.review.object

annotations(of) := object.get(of, ["metadata", "annotations"], {})

lists := ["initContainers", "containers", "ephemeralContainers"]

# Containers of every kind, with where each stands.
containers := [{"list": list, "index": index, "name": object.get(value, "name", ""), "value": value} |
	some list in lists
	some index, value in pod.spec[list]
]

# Path of a field of a container, of the pod's spec, and of an annotation.
at(container, path) := sprintf("%sspec.%s[%d].%s", [pod.at, container.list, container.index, path])

in_spec(path) := sprintf("%sspec.%s", [pod.at, path])

in_annotations(key) := sprintf("%smetadata.annotations[%s]", [pod.at, key])

# Fields of a pod that say where and when it runs, and not what it may do.
placing := [
	"activeDeadlineSeconds",
	"affinity",
	"nodeName",
	"nodeSelector",
	"schedulingGates",
	"terminationGracePeriodSeconds",
	"tolerations",
	"topologySpreadConstraints",
]

# Whether what a pod may do is as it was: such a change is let through, or nothing that exists could be scaled down, labelled, or lose its
# finalizers once a rule is stricter.
is_unchanged if {
	input.review.operation == "UPDATE"
	object.remove(pod.spec, placing) == object.remove(before.spec, placing)
	pod.annotations == annotations(before)
}

before := input.review.oldObject if {
	not pod.is_template
} else := input.review.oldObject.template if {
	pod.at == "template."
} else := input.review.oldObject.spec.jobTemplate.spec.template if {
	pod.at == "spec.jobTemplate.spec.template."
} else := input.review.oldObject.spec.template

# Whether rules on what a pod may do are to be asked.
is_judged if {
	pod
	not is_unchanged
}

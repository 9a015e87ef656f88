# Which regions there are for an object, and which it is in.
package residency

import data.lib.workload

node_label := "topology.kubernetes.io/region"

# Regions that the residency of the tenant allows; undefined where it says nothing.
of_tenant := {residency.primaryRegion} | {region | some region in residency.allowedRegions} if {
	residency := input.tenant.residency
	residency.primaryRegion
	residency.allowedRegions
} else := {input.tenant.residency.primaryRegion}

of_class := {region | some region in listed} if listed := settings.regionsByClass[classification]

# What all packs on residency leave is put together by their host, which refuses where nothing is left.
regions := of_tenant & of_class if {
	of_tenant
	of_class
} else := of_tenant if {
	of_tenant
} else := of_class

# Regions that the object says it may be in.
chosen contains {"region": region, "at": label_field(settings.regionLabel)} if region := labels[settings.regionLabel]

chosen contains {"region": region, "at": workload.in_spec("nodeSelector")} if region := workload.pod.spec.nodeSelector[node_label]

chosen contains {"region": region, "at": workload.in_spec("affinity.nodeAffinity")} if {
	some term in workload.pod.spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms
	some expression in term.matchExpressions
	expression.key == node_label
	expression.operator == "In"
	some region in expression.values
}

chosen contains {"region": region, "at": "spec.remote"} if some [_, region] in remotes

# METADATA
# title: regions
# description: Things in a region where data of this class, or of this tenant, may not be.
# custom: { passes: "regions of residency of the Tenant, and of regionsByClass for the class" }
violations contains finding if {
	some one in chosen
	not one.region in regions
	regions
	finding := {
		"rule": "regions",
		"field": one.at,
		"msg": sprintf("region %s is not allowed here; it must be %s", [one.region, shown_regions]),
	}
}

shown_regions := concat(" or ", sort(regions)) if {
	count(regions) > 0
} else := "one that both the tenant and the class allow, of which there is none"

# METADATA
# title: pinned
# description: Sensitive data in whichever region has room.
# custom: { passes: "from pinnedFrom on, a region: by regionLabel, a node selector or a required affinity" }
violations contains finding if {
	rank(classification) >= rank(settings.pinnedFrom)
	rank(settings.pinnedFrom) >= 0
	count(chosen) == 0
	not is_remote
	not is_of_controller
	finding := {
		"rule": "pinned",
		"field": label_field(settings.regionLabel),
		"msg": sprintf("data is %s, and no region is said; set label %s, or a node selector of %s", [classification, settings.regionLabel, node_label]),
	}
}

is_remote if body.spec.shape == "remote"

# Pods of workloads are where the template says, which was judged; labels of that are not always theirs.
is_of_controller if {
	kind in {"Pod", "Job", "ReplicaSet"}
	some owner in body.metadata.ownerReferences
	owner.controller == true
}

# METADATA
# title: remote-regions
# description: Agents of shape remote that hand data on to a host of which nobody knows where it is.
# custom: { passes: "from pinnedFrom on, a host of remoteRegions" }
violations contains finding if {
	is_remote
	rank(settings.pinnedFrom) >= 0
	rank(classification) >= rank(settings.pinnedFrom)
	some host in hosts
	count({region | some [at, region] in remotes; at == host}) == 0
	finding := {
		"rule": "remote-regions",
		"field": "spec.remote",
		"msg": sprintf("data is %s, and nobody has said in which region host %s is; have it added to remoteRegions", [classification, host]),
	}
}

hosts contains host if {
	is_agent
	some field in ["url", "cardUrl"]
	found := regex.find_all_string_submatch_n(`^https?://(\[[^\]]*\]|[^/:?#]*)`, body.spec.remote[field], 1)[0][1]
	host := lower(trim_suffix(found, "."))
}

remotes contains [host, region] if {
	some host in hosts
	some pattern, region in settings.remoteRegions
	glob.match(lower(pattern), ["."], host)
}

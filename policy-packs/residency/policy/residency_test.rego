package residency_test

import data.disclosures
import data.residency

acme := {"name": "acme", "residency": {"primaryRegion": "eu-1", "allowedRegions": ["eu-2"], "maxDataClassification": "confidential"}}

asked(kind, body, more) := object.union(
	{"review": {"operation": "CREATE", "kind": {"kind": kind}, "object": body}, "tenant": acme},
	more,
)

rules(kind, body, more) := {one.rule | some one in found} if {
	found := residency.deny with input as asked(kind, body, more)
}

given(parameters) := {"parameters": parameters}

labelled(labels) := {"metadata": {"labels": labels}, "spec": {"containers": []}}

test_plain_ones_pass if {
	rules("Pod", labelled({}), {}) == set()
	rules("Agent", {"spec": {}}, {}) == set()
	rules("Deployment", {"spec": {"template": {"spec": {}}}}, {"tenant": null}) == set()
}

test_classes if {
	rules("Pod", labelled({"data-classification": "public"}), {}) == set()
	rules("Pod", labelled({"data-classification": "secret"}), {}) == {"classification"}
	rules("Agent", {"spec": {}}, given({"requiredFor": ["Agent"]})) == {"classification"}
	rules("Agent", {"spec": {}}, object.union(given({"requiredFor": ["Agent"]}), {"namespace": {"labels": {"data-classification": "internal"}}})) == set()
}

test_clearance if {
	rules("Pod", labelled({"data-classification": "restricted", "data-region": "eu-1"}), {}) == {"clearance"}
	rules("Pod", labelled({"data-classification": "confidential", "data-region": "eu-1"}), {}) == set()
	rules("Deployment", {"spec": {"template": labelled({"data-classification": "restricted"})}, "metadata": {"labels": {"data-classification": "public", "data-region": "eu-1"}}}, {}) == {"clearance"}
	rules("CronJob", {"spec": {"jobTemplate": {"spec": {"template": labelled({"data-classification": "restricted"})}}}, "metadata": {"labels": {"data-region": "eu-1"}}}, {}) == {"clearance"}
}

test_regions_by_label if {
	rules("Agent", labelled({"data-region": "eu-2"}), {}) == set()
	rules("Agent", labelled({"data-region": "us-1"}), {}) == {"regions"}
	rules("Agent", labelled({"data-region": "us-1"}), {"tenant": null}) == set()
}

test_regions_of_nodes if {
	rules("Pod", {"spec": {"nodeSelector": {"topology.kubernetes.io/region": "us-1"}}}, {}) == {"regions"}
	rules("Deployment", {"spec": {"template": {"spec": {"nodeSelector": {"topology.kubernetes.io/region": "eu-1"}}}}}, {}) == set()
	affinity := {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": [{
		"key": "topology.kubernetes.io/region",
		"operator": "In",
		"values": ["eu-1", "us-1"],
	}]}]}}}
	rules("Pod", {"spec": {"affinity": affinity}}, {}) == {"regions"}
}

test_regions_of_classes if {
	by_class := given({"regionsByClass": {"confidential": ["eu-1"]}})
	rules("Agent", labelled({"data-classification": "confidential", "data-region": "eu-1"}), by_class) == set()
	rules("Agent", labelled({"data-classification": "confidential", "data-region": "eu-2"}), by_class) == {"regions"}
	rules("Agent", labelled({"data-classification": "internal", "data-region": "eu-2"}), by_class) == set()
	rules("Agent", labelled({"data-classification": "confidential", "data-region": "eu-2"}), object.union(by_class, {"tenant": null})) == {"regions"}
	rules("Agent", labelled({"data-classification": "confidential", "data-region": "eu-1"}), given({"regionsByClass": {"confidential": ["us-1"]}})) == {"regions"}
}

test_pinned if {
	rules("Agent", labelled({"data-classification": "confidential"}), {}) == {"pinned"}
	rules("Agent", labelled({"data-classification": "internal"}), {}) == set()
	owned := {"metadata": {"labels": {"data-classification": "confidential"}, "ownerReferences": [{"controller": true}]}, "spec": {}}
	rules("Pod", owned, {}) == set()
	rules("Agent", owned, {}) == {"pinned"}
}

remote(labels, url) := {"metadata": {"labels": labels}, "spec": {"shape": "remote", "remote": {"url": url}}}

known := given({"remoteRegions": {"*.eu.example.com": "eu-1", "*.us.example.com": "us-1"}})

test_remotes if {
	rules("Agent", remote({"data-classification": "confidential"}, "https://a.eu.example.com/x"), known) == set()
	rules("Agent", remote({"data-classification": "confidential"}, "https://elsewhere.example/x"), known) == {"remote-regions"}
	rules("Agent", remote({"data-classification": "internal"}, "https://elsewhere.example/x"), known) == set()
	rules("Agent", remote({}, "https://a.us.example.com/x"), known) == {"regions"}
}

test_what_is_left_alone_goes_on if {
	found := residency.deny with input as {
		"review": {"operation": "UPDATE", "kind": {"kind": "Agent"}, "object": labelled({"data-region": "us-1"}), "oldObject": labelled({"data-region": "us-1"})},
		"tenant": acme,
	}
	count(found) == 0
	moved := residency.deny with input as {
		"review": {"operation": "UPDATE", "kind": {"kind": "Agent"}, "object": labelled({"data-region": "us-1"}), "oldObject": labelled({})},
		"tenant": acme,
	}
	count(moved) == 1
}

test_regions_that_are_left if {
	found := residency.regions with input as asked("Agent", labelled({}), {})
	found == {"eu-1", "eu-2"}
	none := residency.regions with input as {"review": {"operation": "CREATE", "kind": {"kind": "Agent"}, "object": {}}, "tenant": {"residency": {"primaryRegion": "eu-3"}}}
	none == {"eu-3"}
}

test_disclosures if {
	told := disclosures.disclosures with input as asked("Agent", remote({"data-classification": "internal"}, "https://a.eu.example.com/x"), given({
		"remoteRegions": {"*.eu.example.com": "eu-1"},
		"disclosures": {"internal": ["Logs are kept for a year"]},
	}))
	told == {"Logs are kept for a year", "Runs of this Agent are handed on to a.eu.example.com in region eu-1"}
}

test_parameters if {
	rules("Agent", {"spec": {}}, given({"classes": "public"})) == {"parameters"}
}

package supplychain_test

import data.supplychain

key := {"authority": "release", "fingerprint": "f1", "states": ["signature"]}

person := {"authority": "ci", "fingerprint": "f2", "issuer": "https://issuer.example", "subject": "https://ci.example/build", "states": ["signature"]}

scanner := {"authority": "scanner", "fingerprint": "f1", "states": ["vulnerabilities"]}

checks := {"signatures": "Verified", "provenance": "Verified", "sbom": "Verified", "vulnerabilities": "Verified"}

unasked := {"signatures": "NotAsked", "provenance": "NotAsked", "sbom": "NotAsked", "vulnerabilities": "NotAsked"}

policy(more) := object.union({"kind": "ClusterImagePolicy", "name": "signed", "outcome": "Verified", "checks": checks}, more)

known(more) := {"field": "spec.containers[0].image", "image": "registry.example/app:1", "state": "Known", "policies": [policy(more)]}

unknown(reason) := {"field": "spec.containers[0].image", "image": "registry.example/app:1", "state": "NotKnown", "reason": reason, "policies": []}

pod(name) := {"spec": {"containers": [{"image": name}]}}

asked(images, parameters) := {
	"review": {"operation": "CREATE", "kind": {"kind": "Pod"}, "object": pod("registry.example/app:1")},
	"images": images,
	"parameters": parameters,
	"time": "2026-11-20T00:00:00Z",
}

rules(images, parameters) := {one.rule | some one in found} if {
	found := supplychain.deny with input as asked(images, parameters)
}

says(images, parameters, text) if {
	found := supplychain.deny with input as asked(images, parameters)
	some one in found
	contains(one.msg, text)
}

test_nothing_is_asked_by_default if {
	rules([unknown("NotCovered")], {}) == set()
	rules([known({"outcome": "Refused"})], {}) == set()
}

test_verified if {
	wanted := {"requireVerified": true}
	rules([known({})], wanted) == set()
	rules([known({"outcome": "Refused", "reason": "WrongKey"})], wanted) == {"verified"}
	says([known({"outcome": "Refused", "reason": "WrongKey"})], wanted, "ClusterImagePolicy signed says WrongKey")
	says([known({"outcome": "Unknown", "reason": "RegistryUnreachable"})], wanted, "says RegistryUnreachable")
	every reason in ["NotCovered", "BeingVerified", "InvalidReference", "Unavailable", "TooMuch"] {
		rules([unknown(reason)], wanted) == {"verified"}
	}
}

test_whose_word_counts if {
	wanted := {"requireVerified": true}
	of_tenant := known({"kind": "ImagePolicy"})
	rules([of_tenant], wanted) == {"verified"}
	says([of_tenant], wanted, "no policy whose word counts")
	rules([of_tenant], object.union(wanted, {"trustTenantPolicies": true})) == set()
	rules([known({})], object.union(wanted, {"policies": ["signed"]})) == set()
	rules([known({})], object.union(wanted, {"policies": ["other"]})) == {"verified"}
}

test_a_tenant_cannot_vouch_beside_the_platform if {
	one := {
		"field": "f", "image": "registry.example/app:1", "state": "Known",
		"policies": [policy({"signers": []}), policy({"kind": "ImagePolicy", "name": "own", "signers": [key]})],
	}
	rules([one], {"allowedSigners": {"key": ["f1"]}}) == {"signers"}
	rules([one], {"allowedSigners": {"key": ["f1"]}, "trustTenantPolicies": true}) == set()
}

test_which_images if {
	wanted := {"requireVerified": true}
	rules([unknown("NotCovered")], object.union(wanted, {"images": ["registry.example"]})) == {"verified"}
	rules([unknown("NotCovered")], object.union(wanted, {"images": ["other.example"]})) == set()
	rules([unknown("NotCovered")], object.union(wanted, {"exemptImages": ["registry.example/app:1", "registry.example"]})) == set()
	rules([unknown("NotCovered")], object.union(wanted, {"exemptImages": ["registry.example/ap"]})) == {"verified"}
}

updated(kind, now, old) := {
	"review": {"operation": "UPDATE", "kind": {"kind": kind}, "object": now, "oldObject": old},
	"images": [unknown("NotCovered")],
	"parameters": {"requireVerified": true},
}

test_what_stood_there_is_let_through if {
	changed := updated("Pod", pod("registry.example/app:1"), pod("registry.example/app:0"))
	count(supplychain.deny) == 1 with input as changed
	same := updated("Pod", pod("registry.example/app:1"), pod("registry.example/app:1"))
	count(supplychain.deny) == 0 with input as same
	agent := {"spec": {"container": {"image": "registry.example/app:1"}}}
	count(supplychain.deny) == 0 with input as updated("Agent", agent, agent)
	volume := {"spec": {"volumes": [{"image": {"reference": "registry.example/app:1"}}]}}
	count(supplychain.deny) == 0 with input as updated("Pod", volume, volume)
	template := {"spec": {"template": pod("registry.example/app:1")}}
	count(supplychain.deny) == 0 with input as updated("Deployment", template, template)
}

test_signers if {
	by_key := {"allowedSigners": {"key": ["f1"]}}
	by_name := {"allowedSigners": {"https://issuer.example": ["https://ci.example/build"]}}
	rules([known({"signers": [key]})], by_key) == set()
	rules([known({"signers": [person]})], by_name) == set()
	rules([known({"signers": [person]})], by_key) == {"signers"}
	says([known({"signers": [person]})], by_key, "https://ci.example/build by https://issuer.example")
	rules([known({"signers": [key]})], {"allowedSigners": {"key": ["f9"]}}) == {"signers"}
	says([known({"signers": [key]})], by_name, "key f1")
	rules([known({"signers": [object.union(person, {"issuer": "https://other.example"})]})], by_name) == {"signers"}
	rules([known({"signers": [object.union(person, {"fingerprint": "f1"})]})], by_key) == {"signers"}
	says([unknown("BeingVerified")], by_key, "it is being verified")
}

test_who_states_something_has_not_signed if {
	rules([known({"signers": [scanner]})], {"allowedSigners": {"key": ["f1"]}}) == {"signers"}
}

test_builders if {
	built := {"provenance": {"by": "ci", "builder": "https://ci.example/runner", "level": 3, "source": "https://git.example/a/b"}}
	wanted := {"allowedBuilders": ["https://ci.example/runner"]}
	rules([known(built)], wanted) == set()
	rules([known(built)], {"allowedBuilders": ["https://other.example"]}) == {"builders"}
	rules([known(built)], {"minBuilderLevel": 3}) == set()
	rules([known(built)], {"minBuilderLevel": 4}) == {"builders"}
	rules([known({})], wanted) == {"builders"}
	rules([known({})], {"minBuilderLevel": 1}) == {"builders"}
	says([known({"checks": unasked})], wanted, "does not ask for it")
	says([known({"outcome": "Unknown", "reason": "RegistryThrottled", "checks": object.union(checks, {"provenance": "Unknown"})})], wanted, "RegistryThrottled")
	says([known({"outcome": "Refused", "checks": object.union(checks, {"provenance": "Refused"})})], wanted, "says Refused")
}

test_sources if {
	built := {"provenance": {"by": "ci", "builder": "b", "level": 3, "source": "https://git.example/acme/app"}}
	rules([known(built)], {"allowedSources": ["https://git.example/acme/app"]}) == set()
	rules([known(built)], {"allowedSources": ["https://git.example/acme"]}) == set()
	rules([known(built)], {"allowedSources": ["https://git.example/acme/"]}) == set()
	rules([known(built)], {"allowedSources": ["https://git.example/ac"]}) == {"sources"}
	climbing := {"provenance": {"by": "ci", "builder": "b", "level": 3, "source": "https://git.example/acme/../evil/app"}}
	rules([known(climbing)], {"allowedSources": ["https://git.example/acme"]}) == {"sources"}
	silent := {"provenance": {"by": "ci", "builder": "b", "level": 3, "source": ""}}
	says([known(silent)], {"allowedSources": ["https://git.example"]}, "what it does not say")
	rules([known({})], {"allowedSources": ["https://git.example"]}) == {"sources"}
}

listed(licences, more) := known({"sbom": object.union({"by": "ci", "format": "CycloneDX 1.6", "components": 3, "withoutLicence": 0, "licences": [{"licence": one, "components": 1} | some one in licences], "licencesLeftOut": 0}, more)})

test_sbom if {
	rules([listed([], {})], {"requireSbom": true}) == set()
	rules([known({})], {"requireSbom": true}) == {"sbom"}
}

test_licences if {
	denied := {"deniedLicences": ["AGPL-*", "SSPL-1.0"]}
	every licence in ["MIT", "Apache-2.0 OR AGPL-3.0-only", "MIT AND BSD-2-Clause", "GPL-2.0-only WITH AGPL-exception"] {
		rules([listed([licence], {})], denied) == set()
	}
	every licence in ["AGPL-3.0-only", "agpl-3.0", "SSPL-1.0", "MIT AND AGPL-3.0-only", "SSPL-1.0 OR AGPL-3.0-only", "(MIT OR SSPL-1.0) AND MIT", "AGPL-3.0-only WITH x"] {
		rules([listed([licence], {})], denied) == {"licences"}
	}
	rules([listed(["MIT"], {"licencesLeftOut": 2})], denied) == {"licences"}
	rules([known({})], denied) == {"licences"}
	rules([listed(["AGPL-3.0-only"], {})], {}) == set()
}

scanned(more) := known({"vulnerabilities": object.union({"by": "scanner", "critical": 0, "high": 0, "medium": 0, "low": 0, "unscored": 0, "excluded": 0, "waived": 0, "scannedAt": "2026-11-18T00:00:00Z"}, more)})

test_vulnerabilities if {
	rules([scanned({})], {"maxCritical": 0}) == set()
	rules([scanned({"critical": 1})], {"maxCritical": 0}) == {"vulnerabilities"}
	rules([scanned({"critical": 1})], {"maxHigh": 0}) == set()
	rules([scanned({"high": 3})], {"maxHigh": 3}) == set()
	rules([scanned({"unscored": 1})], {"maxUnscored": 0}) == {"vulnerabilities"}
	rules([known({})], {"maxCritical": 5}) == {"vulnerabilities"}
	rules([known({})], {}) == set()
}

test_the_worst_report_counts if {
	both := {
		"field": "f", "image": "registry.example/app:1", "state": "Known",
		"policies": [
			policy({"vulnerabilities": {"critical": 0, "scannedAt": "2026-11-18T00:00:00Z"}}),
			policy({"name": "other", "vulnerabilities": {"critical": 2, "scannedAt": "2026-11-18T00:00:00Z"}}),
		],
	}
	rules([both], {"maxCritical": 0}) == {"vulnerabilities"}
}

test_age_of_the_report if {
	rules([scanned({})], {"maxReportAgeDays": 2}) == set()
	rules([scanned({})], {"maxReportAgeDays": 1}) == {"report-age"}
	rules([scanned({"scannedAt": "never"})], {"maxReportAgeDays": 1}) == {"report-age"}
	rules([known({})], {"maxReportAgeDays": 1}) == {"report-age"}
}

test_parameters if rules([], {"allowedSigner": {}}) == {"parameters"}

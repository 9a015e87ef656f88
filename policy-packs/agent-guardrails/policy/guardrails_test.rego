package guardrails_test

import data.guardrails

digest := "@sha256:1111111111111111111111111111111111111111111111111111111111111111"

rules(kind, spec, more) := {one.rule | some one in found} if {
	found := guardrails.deny with input as object.union(
		{"review": {"operation": "CREATE", "kind": {"kind": kind}, "object": {"spec": spec}}},
		more,
	)
}

agent(spec) := object.union({"container": {"image": "registry.example.com/acme/a:1"}}, spec)

given(parameters) := {"parameters": parameters}

tenant(entitlements) := {"tenant": {"name": "acme", "entitlements": entitlements}}

test_plain_ones_pass if {
	rules("Agent", agent({}), {}) == set()
	rules("Run", {"agentRef": {"name": "a"}}, {}) == set()
	rules("Agent", {}, {}) == set()
}

test_others_are_not_asked_about if {
	rules("Pod", agent({"limits": {"timeoutSeconds": 1000000}}), {}) == set()
}

test_images if {
	rules("Agent", agent({}), given({"allowedImages": ["registry.example.com/acme"]})) == set()
	rules("Agent", agent({}), given({"allowedImages": ["registry.example.com/other"]})) == {"images"}
	rules("Agent", {"container": {"image": "a:latest"}}, {}) == {"image-versions"}
	rules("Agent", agent({}), given({"requireDigest": true})) == {"image-versions"}
	rules("Agent", {"container": {"image": concat("", ["a", digest])}}, given({"requireDigest": true})) == set()
}

with_variable(name, value) := agent({"container": {"image": "a:1", "env": [{"name": name, "value": value}]}})

test_plain_secrets if {
	rules("Agent", with_variable("DB_PASSWORD", "hunter2"), {}) == {"plain-secrets"}
	rules("Agent", with_variable("api_key", "x"), {}) == {"plain-secrets"}
	rules("Agent", with_variable("TOKEN", ""), {}) == set()
	rules("Agent", with_variable("TOKENIZER", "bpe"), {}) == set()
	rules("Run", {"parameters": {"GITHUB_TOKEN": "x"}}, {}) == {"plain-secrets"}
}

test_models if {
	allowed := given({"allowedModels": ["acme/*"]})
	rules("Agent", with_variable("model", "acme/small"), allowed) == set()
	rules("Agent", with_variable("MODEL", "other/large"), allowed) == {"models"}
	rules("Run", {"parameters": {"MODEL": "other/large"}}, allowed) == {"models"}
	rules("Agent", with_variable("MODE", "other/large"), allowed) == set()
	rules("Agent", with_variable("MODEL", "other"), tenant({"modelBackends": ["acme"]})) == {"models"}
	rules("Agent", with_variable("MODEL", "acme"), tenant({"modelBackends": ["acme"]})) == set()
	rules("Agent", with_variable("MODEL", "any"), tenant({})) == set()
}

test_parameters_that_runs_choose_from if {
	chosen := agent({"parameters": [{"name": "MODEL", "default": "acme/a", "enum": ["acme/a", "other/b"]}]})
	rules("Agent", chosen, given({"allowedModels": ["acme/*"]})) == {"models"}
	rules("Agent", chosen, given({"allowedModels": ["acme/*", "other/*"]})) == set()
}

test_tools if {
	entitled := tenant({"tools": ["search", "files.*"]})
	rules("Agent", with_variable("TOOLS", "search, files.read"), entitled) == set()
	rules("Agent", with_variable("TOOLS", "search shell"), entitled) == {"tools"}
	rules("Agent", with_variable("TOOLS", "shell"), {}) == set()
	rules("Run", {"parameters": {"TOOLS": "search;shell.exec"}}, given({"deniedTools": ["shell.*"]})) == {"tools"}
}

test_gpus if {
	gpu := agent({"gpu": {"class": "h100", "count": 4}})
	rules("Agent", gpu, given({"allowedGpuClasses": ["l4"]})) == {"gpu-classes"}
	rules("Agent", gpu, given({"allowedGpuClasses": ["h100"], "maxGpus": 4})) == set()
	rules("Agent", gpu, given({"maxGpus": 3})) == {"gpu-count"}
	rules("Agent", object.union(gpu, {"gang": {"pods": 4}}), given({"maxGpus": 15})) == {"gpu-count"}
	rules("Agent", agent({"gpu": {"class": "h100"}}), given({"maxGpus": 0})) == {"gpu-count"}
}

test_limits if {
	rules("Agent", agent({"limits": {"timeoutSeconds": 86401}}), {}) == {"timeouts"}
	rules("Run", {"timeoutSeconds": 86401}, {}) == {"timeouts"}
	rules("Agent", agent({"limits": {"maxRetries": 6}}), {}) == {"retries"}
	rules("Run", {"retries": {"limit": 6}}, {}) == {"retries"}
	rules("Run", {"priority": 1001}, {}) == {"priority"}
	rules("Agent", agent({"schedule": {"priority": 1001}}), {}) == {"priority"}
	rules("Agent", agent({"calls": {"maxDepth": 4, "maxTotal": 1000}}), {}) == {"calls"}
	rules("Agent", agent({"calls": {"maxDepth": 3, "maxTotal": 1001}}), {}) == {"calls"}
	rules("Agent", agent({"limits": {"timeoutSeconds": 86400, "maxRetries": 5}, "calls": {"maxDepth": 3, "maxTotal": 1000}}), {}) == set()
}

test_a_run_that_is_under_way_can_be_ended if {
	found := guardrails.deny with input as {"review": {
		"operation": "UPDATE",
		"kind": {"kind": "Run"},
		"object": {"spec": {"timeoutSeconds": 999999, "cancel": true}},
		"oldObject": {"spec": {"timeoutSeconds": 999999, "cancel": false}},
	}}
	count(found) == 0
}

test_tiers if {
	rules("Agent", agent({"tier": "ultra"}), given({"allowedTiers": ["standard"]})) == {"tiers"}
	rules("Agent", agent({}), given({"allowedTiers": ["standard"]})) == set()
}

test_approval if {
	wanted := given({"approvalTiers": ["ultra"]})
	rules("Agent", agent({"tier": "ultra"}), wanted) == {"approval"}
	rules("Agent", agent({"tier": "ultra", "approval": {"approvers": "Anyone"}}), wanted) == {"approval"}
	rules("Agent", agent({"tier": "ultra", "approval": {}}), wanted) == set()
	rules("Agent", agent({"tier": "heavy"}), wanted) == set()
	rules("Agent", agent({"approval": {"onTimeout": "Approve"}}), {}) == {"approval"}
	rules("Agent", agent({"approval": {"onTimeout": "Approve"}}), given({"allowApprovalByTimeout": true})) == set()
}

remote(url) := {"shape": "remote", "remote": {"url": url}}

test_remote_hosts if {
	allowed := given({"allowedRemoteHosts": ["*.agents.example.com", "**.example.org"]})
	rules("Agent", remote("https://a.agents.example.com/x"), allowed) == set()
	rules("Agent", remote("https://A.AGENTS.example.com.:8443/x"), allowed) == set()
	rules("Agent", remote("https://a.b.example.org"), allowed) == set()
	rules("Agent", remote("https://a.b.agents.example.com/x"), allowed) == {"remote-hosts"}
	rules("Agent", remote("https://evil.io/a.agents.example.com"), allowed) == {"remote-hosts"}
	rules("Agent", remote("https://a.agents.example.com.evil.io"), allowed) == {"remote-hosts"}
	rules("Agent", remote("https://anywhere.example"), {}) == set()
	rules("Agent", {"remote": {"url": "http://a", "insecureHttp": true}}, {}) == {"remote-hosts"}
	rules("Agent", {"remote": {"url": "http://a", "insecureHttp": true}}, given({"allowInsecureRemotes": true})) == set()
}

test_parameters if {
	rules("Agent", agent({}), given({"maxCalls": "many"})) == {"parameters"}
}

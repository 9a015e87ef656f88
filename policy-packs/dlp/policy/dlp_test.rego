package dlp_test

import data.dlp

configmap(text) := {
	"operation": "CREATE",
	"kind": {"group": "", "kind": "ConfigMap"},
	"object": {"metadata": {"annotations": {}}, "data": {"note": text}},
}

found(text) := {[one.detector, one.action] | some one in all} if {
	all := dlp.dlp with input as {"review": configmap(text), "parameters": {}}
}

letters(size) := concat("", [letter | some _ in numbers.range(1, size); letter := "a"])

positive := {
	"credit-card": ["4111 1111 1111 1111", "card 5555-5555-5555-4444.", "3782 822463 10005", "30569309025904", "6011111111111117", "3530111333300000"],
	"iban": ["DE89 3704 0044 0532 0130 00", "GB82WEST12345698765432", "FR1420041010050500013M02606"],
	"email": [
		"write to anna.smith@acme.io", "mailto:bob+x@mail.acme.co.uk",
		concat(".", ["ann@acme.com", letters(25)]), concat(".", ["ann@acme.com", letters(64)]),
		concat(".", ["ann@mail.acme.co", "x1", letters(64), "io"]),
	],
	"phone": ["+49 30 901820", "(212) 555-0187", "+1-212-555-0187"],
	"private-key": [concat("", ["-----BEGIN RSA PRIV", "ATE KEY-----"]), concat("", ["-----BEGIN PRIV", "ATE KEY-----"]), concat("", ["-----BEGIN PGP PRIV", "ATE KEY BLOCK-----"])],
	"cloud-token": [concat("", ["AK", "IAQ2W3E4R5T6Y7U2I3"]), concat("", ["glp", "at-a1b2c3d4e5f6g7h8i9j0"])],
	"jwt": [concat(".", [base64url.encode_no_pad(`{"alg":"HS256"}`), base64url.encode_no_pad(`{"sub":"1"}`), "dBjftJeZ4CVPmB92K27uhbUJU1p1r_wW1g"])],
	"national-id": ["536-22-8145", "529.982.247-25", "12345678Z", "1 85 05 78 006 084 91"],
}

actions := {
	"credit-card": "block", "iban": "block", "email": "log", "phone": "log",
	"private-key": "block", "cloud-token": "block", "jwt": "block", "national-id": "block",
}

test_found if {
	every detector, examples in positive {
		every text in examples {
			found(text) == {[detector, actions[detector]]}
		}
	}
}

test_found_in_much_text if {
	filler := concat(" ", [word | some _ in numbers.range(1, 2000); word := "nothing"])
	every detector, examples in positive {
		found(concat(" ", [filler, examples[0]])) == {[detector, actions[detector]]}
	}
}

negative := [
	"4111 1111 1111 1112",
	"4000000000000000000000002",
	"DE89 3704 0044 0532 0130 01",
	"DE89 3704 0044 0532",
	"git@github.com:acme/web.git",
	"registry.example.com/web@sha256:0123456789abcdef",
	"postgres://user:word@db.acme.io/x",
	"anna@example.com",
	concat(".", ["anna@example.com", letters(25)]),
	concat("", ["anna@", letters(64), ".com"]),
	concat("", ["anna@acme.", letters(25)]),
	"web@v1.2.3-beta.rc",
	"app@host.svc",
	"1.2.3+20260101123456",
	"2026-01-01T00:00:00+0200",
	"-----BEGIN PUBLIC KEY-----",
	"-----BEGIN CERTIFICATE-----",
	concat("", ["AK", "IAXXXXXXXXXXXXXXXX"]),
	"000-12-3456",
	"123-45-6789",
	"529.982.247-26",
	"12345678A",
	"eyJub3RoaW5n.eyJub3RoaW5n.dBjftJeZ4CVPmB92K27uhbUJU1p1r",
]

test_not_found if {
	every text in negative {
		found(text) == set()
	}
}

# What looks like one and is none, and behind one character that both share, one that is.
rows := {
	"credit-card": [["4111 1111 1111 1112", "4111 1111 1111 1111"], ["4111111111111112", "4111111111111111"], ["378282246310006", "378282246310005"]],
	"iban": [["DE89 3704 0044 0532 0130 01", "DE89 3704 0044 0532 0130 00"], ["GB82WEST12345698765433", "GB82WEST12345698765432"]],
	"email": [["anna@example.com", "anna@acme.io"]],
	"phone": [["+1 111 111 1111", "+49 30 901820"], ["+11111111111", "+12125550187"]],
	"cloud-token": [[concat("", ["AK", "IAXXXXXXXXXXXXXXXX"]), concat("", ["AK", "IAQ2W3E4R5T6Y7U2I3"])]],
	"jwt": [["eyJub3RoaW5n.eyJub3RoaW5n.dBjftJeZ4CVPmB92K27uhbUJU1p1r", positive.jwt[0]]],
	"national-id": [["000-12-3456", "536-22-8145"], ["529.982.247-26", "529.982.247-25"], ["12345678A", "12345678Z"], ["1 85 05 78 006 084 92", "1 85 05 78 006 084 91"]],
}

test_found_behind_what_is_none if {
	every detector, pairs in rows {
		every pair in pairs {
			found(concat(",", pair)) == {[detector, actions[detector]]}
		}
	}
}

test_too_many_in_rows_count_as_one if {
	found(concat(",", [one | some _ in numbers.range(1, 63); one := "4111111111111112"])) == set()
	found(concat(",", [one | some _ in numbers.range(1, 64); one := "4111111111111112"])) == {["credit-card", "block"]}
}

paths(review, parameters) := {one.path | some one in all} if {
	all := dlp.dlp with input as {"review": review, "parameters": parameters}
}

card := "4111111111111111"

workload(kind, object) := {"operation": "CREATE", "kind": {"group": "apps", "kind": kind}, "object": object}

spec := {"containers": [{"name": "a", "env": [{"name": "CARD", "value": card}], "args": [card]}]}

test_where if {
	paths(configmap(card), {}) == {"/data/note"}
	paths(workload("Pod", {"spec": spec}), {}) == {"/spec/containers/0/env/0/value", "/spec/containers/0/args/0"}
	paths(workload("Deployment", {"spec": {"template": {"spec": spec}}}), {}) == {
		"/spec/template/spec/containers/0/env/0/value",
		"/spec/template/spec/containers/0/args/0",
	}
	paths(workload("Service", {"metadata": {"annotations": {"acme.io/a~b": card}}}), {}) == {"/metadata/annotations/acme.io~1a~0b"}
	paths({"operation": "CREATE", "kind": {"group": "nexusos.dev", "kind": "Run"}, "object": {"spec": {"input": {"inline": card}}}}, {}) == {"/spec/input/inline"}
}

test_what_was_there_stays if {
	before := configmap(card).object
	after := json.patch(before, [{"op": "add", "path": "/data/other", "value": "4242424242424242"}])
	review := object.union(configmap(card), {"operation": "UPDATE", "object": after, "oldObject": before})
	paths(review, {}) == {"/data/other"}
}

test_parameters if {
	paths(configmap(card), {"financial": "allow"}) == set()
	paths(configmap("anna@mail.acme.io"), {"ownDomains": ["acme.io"]}) == set()
	paths(configmap("anna@notacme.io"), {"ownDomains": ["acme.io"]}) == {"/data/note"}
	annotated := workload("Service", {"metadata": {"annotations": {"acme.io/a": card}}})
	paths(annotated, {"ignoredAnnotations": ["acme.io/"]}) == set()
	one := dlp.deny with input as {"review": configmap("x"), "parameters": {"financial": "shred"}}
	count(one) == 1
}

test_nothing_is_echoed if {
	every _, examples in positive {
		every text in examples {
			said := dlp.dlp with input as {"review": configmap(text), "parameters": {}}
			every one in said {
				not contains(one.msg, substring(text, 0, 6))
			}
		}
	}
}

test_too_much_is_refused_and_not_looked_at if {
	review := configmap(card)
	refused := dlp.deny with input as {"review": review, "parameters": {"maxCharacters": 15}}
	count(refused) == 1
	paths(review, {"maxCharacters": 15}) == set()
}

test_too_many_that_look_like_one_count_as_one if {
	found(near_misses(63)) == set()
	found(near_misses(64)) == {["credit-card", "block"]}
}

near_misses(size) := concat(" and ", [one | some _ in numbers.range(1, size); one := "4111 1111 1111 1112"])

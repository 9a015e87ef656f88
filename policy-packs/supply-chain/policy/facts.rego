# What is known of the images of an object, as far as it counts here: whose word, and of which images.
package supplychain.facts

import data.lib.image
import data.lib.parameters
import data.lib.workload

settings := parameters.values

# Images that are judged: those that a change brings in.
judged := [one |
	some one in input.images
	not one.image in kept
	is_meant(whole_name(one))
]

# As registries are asked for it: what is written can be written otherwise, and be the same image.
whole_name(one) := object.get(one, "name", one.image)

is_meant(name) if {
	is_chosen(name)
	not image.is_of(name, settings.exemptImages)
}

is_chosen(_) if count(settings.images) == 0

is_chosen(name) if image.is_of(name, settings.images)

# What stood there before: what exists can be labelled, scaled and deleted whatever is found of it since.
kept contains found if {
	input.review.operation == "UPDATE"
	some list in workload.lists
	some container in workload.before.spec[list]
	found := container.image
}

kept contains found if {
	input.review.operation == "UPDATE"
	some volume in workload.before.spec.volumes
	found := volume.image.reference
}

kept contains found if {
	input.review.operation == "UPDATE"
	found := input.review.oldObject.spec.container.image
}

# Policies whose word counts. Whom a tenant trusts, the tenant says in ImagePolicies.
counted(one) := [policy | some policy in one.policies; counts(policy)]

counts(policy) if {
	policy.kind == "ClusterImagePolicy"
	is_named(policy.name)
}

counts(policy) if {
	policy.kind == "ImagePolicy"
	settings.trustTenantPolicies
}

is_named(_) if count(settings.policies) == 0

is_named(name) if name in settings.policies

is_verified(one) if {
	policies := counted(one)
	count(policies) > 0
	every policy in policies {
		policy.outcome == "Verified"
	}
}

# Who has signed an image, and not only stated something of it.
signers(one) := [signer |
	some policy in counted(one)
	some signer in policy.signers
	"signature" in signer.states
]

signers_of(one) := concat(", ", [shown(signer) | some signer in signers(one)]) if count(signers(one)) > 0

signers_of(one) := sprintf("nobody who is known: %s", [why_not(one, "signatures")]) if count(signers(one)) == 0

shown(signer) := sprintf("%s by %s", [signer.subject, signer.issuer])

shown(signer) := sprintf("key %s", [signer.fingerprint]) if not signer.subject

# What is stated of a part, by everybody whose word counts.
parts(one, name) := [policy[name] | some policy in counted(one); policy[name]]

reasons := {
	"NotCovered": "no policy on images is about it",
	"BeingVerified": "it is being verified, try again",
	"InvalidReference": "its name is none",
	"Unavailable": "who asks knows of no verdicts",
	"TooMuch": "the object has too many images",
}

# Whether nobody has said anything of an image.
is_unseen(one) if reasons[one.reason]

# Why an image is not verified.
why(one) := reasons[one.reason]

why(one) := concat(", ", sort([text | some policy in counted(one); text := verdict(policy)])) if {
	not is_unseen(one)
	count(counted(one)) > 0
}

why(one) := "no policy whose word counts is about it" if {
	not is_unseen(one)
	count(counted(one)) == 0
}

verdict(policy) := sprintf("%s %s says %s", [policy.kind, policy.name, object.get(policy, "reason", policy.outcome)])

# Why nothing is stated of a part.
why_not(one, _) := why(one) if is_unseen(one)

why_not(one, _) := why(one) if {
	not is_unseen(one)
	count(counted(one)) == 0
}

why_not(one, part) := concat(", ", sort([text | some policy in counted(one); text := outcome(policy, part)])) if {
	not is_unseen(one)
	count(counted(one)) > 0
}

outcome(policy, part) := sprintf("%s %s does not ask for it", [policy.kind, policy.name]) if policy.checks[part] == "NotAsked"

outcome(policy, _) := verdict(policy) if policy.outcome == "Unknown"

outcome(policy, part) := sprintf("%s %s says %s", [policy.kind, policy.name, policy.checks[part]]) if {
	policy.outcome != "Unknown"
	policy.checks[part] != "NotAsked"
}

# What Agents and Runs may ask for, beyond what validation says.
package guardrails

import data.lib.agent
import data.lib.image
import data.lib.parameters

deny contains finding if {
	agent.is_judged
	some finding in violations
}

deny contains finding if some finding in parameters.problems

settings := parameters.values

# METADATA
# title: images
# description: Images of Agents from elsewhere.
# custom: { passes: "an image of allowedImages" }
violations contains finding if {
	count(settings.allowedImages) > 0
	found := agent.spec.container.image
	not image.is_of(found, settings.allowedImages)
	finding := {
		"rule": "images",
		"field": "spec.container.image",
		"msg": sprintf("image %s is from elsewhere; it must be from %s", [found, concat(" or ", settings.allowedImages)]),
	}
}

# METADATA
# title: image-versions
# description: Images that are another one tomorrow.
# custom: { passes: "a digest, or a tag other than latest; with requireDigest a digest" }
violations contains finding if {
	found := agent.spec.container.image
	not is_versioned(found)
	finding := {
		"rule": "image-versions",
		"field": "spec.container.image",
		"msg": sprintf("image %s does not say which one it is; name %s", [found, wanted_version]),
	}
}

is_versioned(found) if image.has_digest(found)

is_versioned(found) if {
	not settings.requireDigest
	image.has_version(found)
}

wanted_version := "its digest" if {
	settings.requireDigest
} else := "a tag other than latest, or a digest"

# METADATA
# title: plain-secrets
# description: Secrets as plain values of variables, where everybody reads them who may read the Agent or the Run.
# custom: { passes: "no variable or parameter with a value whose name is like secretNames" }
violations contains finding if {
	some one in agent.variables
	one.value != ""
	regex.match(settings.secretNames, one.name)
	finding := {
		"rule": "plain-secrets",
		"field": one.at,
		"msg": sprintf("variable %s is named as a secret is, and has its value here; have the program read it from a Secret, or name the variable otherwise", [one.name]),
	}
}

# METADATA
# title: tiers
# description: Agents of a price tier that is not for everybody.
# custom: { passes: "a tier of allowedTiers" }
violations contains finding if {
	agent.is_agent
	tier := object.get(agent.spec, "tier", "standard")
	not tier in settings.allowedTiers
	finding := {
		"rule": "tiers",
		"field": "spec.tier",
		"msg": sprintf("tier %s is not for this Agent; it must be %s", [tier, concat(" or ", settings.allowedTiers)]),
	}
}

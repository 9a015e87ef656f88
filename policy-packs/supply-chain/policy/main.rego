# What authorities that policies on images trust have to state of images.
package supplychain

import data.lib.parameters
import data.supplychain.facts

deny contains finding if some finding in violations

deny contains finding if some finding in parameters.problems

settings := parameters.values

# METADATA
# title: verified
# description: With requireVerified, images that no policy on images is about, or that are not as one asks.
# custom: { passes: "an image that policies on images are about, and that is as all of them ask" }
violations contains finding if {
	settings.requireVerified
	some one in facts.judged
	not facts.is_verified(one)
	finding := told("verified", one, sprintf("is not verified: %s; it must be as policies on images ask", [facts.why(one)]))
}

# METADATA
# title: signers
# description: Images that nobody of allowedSigners has signed.
# custom: { passes: "an image that one of allowedSigners has signed" }
violations contains finding if {
	count(settings.allowedSigners) > 0
	some one in facts.judged
	not is_signed(one)
	finding := told("signers", one, sprintf("is signed by %s; it must be signed by one of allowedSigners", [facts.signers_of(one)]))
}

is_signed(one) if {
	some signer in facts.signers(one)
	is_allowed(signer)
}

is_allowed(signer) if signer.subject in settings.allowedSigners[signer.issuer]

is_allowed(signer) if {
	not signer.issuer
	signer.fingerprint in settings.allowedSigners.key
}

# METADATA
# title: builders
# description: Images by other builders than allowedBuilders, or below minBuilderLevel.
# custom: { passes: "an image whose provenance names one of allowedBuilders, at minBuilderLevel or above" }
violations contains finding if {
	asks_for_builders
	some one in facts.judged
	count(facts.parts(one, "provenance")) == 0
	finding := told("builders", one, sprintf("has no provenance that is known: %s; it must name its builder", [facts.why_not(one, "provenance")]))
}

violations contains finding if {
	count(settings.allowedBuilders) > 0
	some one in facts.judged
	some provenance in facts.parts(one, "provenance")
	not provenance.builder in settings.allowedBuilders
	finding := told("builders", one, sprintf("is built by %s; it must be built by %s", [provenance.builder, concat(" or ", settings.allowedBuilders)]))
}

violations contains finding if {
	some one in facts.judged
	some provenance in facts.parts(one, "provenance")
	provenance.level < settings.minBuilderLevel
	finding := told("builders", one, sprintf("is built at level %d; it must be %d or more", [provenance.level, settings.minBuilderLevel]))
}

asks_for_builders if count(settings.allowedBuilders) > 0

asks_for_builders if settings.minBuilderLevel > 0

# METADATA
# title: sources
# description: Images that are built from elsewhere than allowedSources.
# custom: { passes: "an image whose provenance names one of allowedSources, or what is below one" }
violations contains finding if {
	count(settings.allowedSources) > 0
	some one in facts.judged
	count(facts.parts(one, "provenance")) == 0
	finding := told("sources", one, sprintf("has no provenance that is known: %s; it must name its source", [facts.why_not(one, "provenance")]))
}

violations contains finding if {
	count(settings.allowedSources) > 0
	some one in facts.judged
	some provenance in facts.parts(one, "provenance")
	not is_from(provenance.source)
	finding := told("sources", one, sprintf("is built from %s; it must be from %s", [named(provenance.source), concat(" or ", settings.allowedSources)]))
}

is_from(source) if source in settings.allowedSources

is_from(source) if {
	some allowed in settings.allowedSources
	startswith(source, sprintf("%s/", [trim_suffix(allowed, "/")]))
	not contains(source, "/../")
}

named("") := "what it does not say"

named(source) := source if source != ""

# METADATA
# title: sbom
# description: With requireSbom, images without a bill of materials.
# custom: { passes: "an image with a bill of materials that an authority states" }
violations contains finding if {
	settings.requireSbom
	some one in facts.judged
	count(facts.parts(one, "sbom")) == 0
	finding := told("sbom", one, sprintf("has no bill of materials that is known: %s; it must have one", [facts.why_not(one, "sbom")]))
}

# METADATA
# title: licences
# description: Images with components of deniedLicences.
# custom: { passes: "an image whose bill of materials is known, and names none of deniedLicences" }
violations contains finding if {
	count(settings.deniedLicences) > 0
	some one in facts.judged
	count(facts.parts(one, "sbom")) == 0
	finding := told("licences", one, sprintf("has no bill of materials that is known: %s; its licences must be known", [facts.why_not(one, "sbom")]))
}

violations contains finding if {
	count(settings.deniedLicences) > 0
	some one in facts.judged
	some sbom in facts.parts(one, "sbom")
	some found in sbom.licences
	is_denied(found.licence)
	finding := told("licences", one, sprintf("has %d components of licence %s, which is one of deniedLicences; it must have none", [found.components, found.licence]))
}

violations contains finding if {
	count(settings.deniedLicences) > 0
	some one in facts.judged
	some sbom in facts.parts(one, "sbom")
	sbom.licencesLeftOut > 0
	finding := told("licences", one, sprintf("has %d components whose licences are too many, or too long, to be told; all must be known", [sbom.licencesLeftOut]))
}

# Of an expression with OR one may be chosen; of all others each counts.
is_denied(expression) if {
	joined := words(expression)
	"OR" in joined
	not "AND" in joined
	every word in identifiers(joined) {
		is_listed(word)
	}
}

is_denied(expression) if {
	joined := words(expression)
	not is_choice(joined)
	some word in identifiers(joined)
	is_listed(word)
}

is_choice(joined) if {
	"OR" in joined
	not "AND" in joined
}

words(expression) := [word | some word in split(replace(replace(expression, "(", " "), ")", " "), " "); word != ""]

identifiers(joined) := [word |
	some index, word in joined
	not word in {"AND", "OR", "WITH"}
	not is_exception(joined, index)
]

is_exception(joined, index) if {
	index > 0
	joined[index - 1] == "WITH"
}

is_listed(word) if {
	some denied in settings.deniedLicences
	lower(denied) == lower(word)
}

is_listed(word) if {
	some denied in settings.deniedLicences
	endswith(denied, "*")
	startswith(lower(word), lower(trim_suffix(denied, "*")))
}

# METADATA
# title: vulnerabilities
# description: Images with more vulnerabilities than may be, after what does not affect them and what is waived.
# custom: { passes: "an image whose vulnerabilities are known, and no more than maxCritical, maxHigh, maxMedium, maxLow and maxUnscored" }
violations contains finding if {
	count(budget) > 0
	some one in facts.judged
	count(facts.parts(one, "vulnerabilities")) == 0
	finding := told("vulnerabilities", one, sprintf("has no vulnerability report that is known: %s; it must have one", [facts.why_not(one, "vulnerabilities")]))
}

violations contains finding if {
	some one in facts.judged
	some report in facts.parts(one, "vulnerabilities")
	some severity, most in budget
	report[severity] > most
	finding := told("vulnerabilities", one, sprintf("has %d vulnerabilities that are %s; there may be %d", [report[severity], severity, most]))
}

budget[severity] := most if {
	some severity, most in {
		"critical": settings.maxCritical,
		"high": settings.maxHigh,
		"medium": settings.maxMedium,
		"low": settings.maxLow,
		"unscored": settings.maxUnscored,
	}
	most >= 0
}

# METADATA
# title: report-age
# description: Images whose vulnerability report is older than maxReportAgeDays.
# custom: { passes: "an image with a report of the last maxReportAgeDays days" }
violations contains finding if {
	settings.maxReportAgeDays > 0
	some one in facts.judged
	count(facts.parts(one, "vulnerabilities")) == 0
	finding := told("report-age", one, sprintf("has no vulnerability report that is known: %s; it must have one", [facts.why_not(one, "vulnerabilities")]))
}

violations contains finding if {
	settings.maxReportAgeDays > 0
	some one in facts.judged
	some report in facts.parts(one, "vulnerabilities")
	not is_young(report.scannedAt)
	finding := told("report-age", one, sprintf("was scanned at %s; that may be %d days ago", [report.scannedAt, settings.maxReportAgeDays]))
}

is_young(at) if time.parse_rfc3339_ns(input.time) - time.parse_rfc3339_ns(at) <= ((settings.maxReportAgeDays * 24) * 3600) * 1000000000

told(rule, one, text) := {
	"rule": rule,
	"field": one.field,
	"msg": sprintf("image %s %s", [one.image, text]),
}

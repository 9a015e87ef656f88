# What has to be told to who applies an object.
package disclosures

import data.residency

disclosures contains text if {
	residency.is_asked
	some text in residency.settings.disclosures[residency.classification]
}

disclosures contains text if {
	residency.is_asked
	some [host, region] in residency.remotes
	text := sprintf("Runs of this Agent are handed on to %s in region %s", [host, region])
}

package dlp

import data.lib.parameters

# What a text has in it that may hold one, however it is written. To look for that takes little; to look closely takes more.
looks_like(detector, text) if regex.match(hints[detector], text)

# Each of the shapes below implies what stands here.
hints := {
	"credit-card": `(?:^|[^0-9A-Za-z_.-])\d{4}[ -]?\d{4}[ -]?\d\d`,
	"iban": `\b[A-Z]{2}\d\d ?[0-9A-Z]{4}`,
	"email": `[0-9A-Za-z._%+-]@[0-9A-Za-z][0-9A-Za-z.-]*\.[A-Za-z]{2}`,
	"phone": `(?:^|[^0-9A-Za-z_.+/-])(?:\+[1-9]|\([2-9]\d\d\))`,
	"private-key": `PRIVATE KEY`,
	"cloud-token": `\b(?:AKIA|ASIA|AIza|gh[pousr]_|github_pat_|npm_|hf_|dop_v1_|glpat-|xox[abeprs]-|SG\.|ya29\.|[sr]k_live_|sk-)|AccountKey=`,
	"jwt": `eyJ`,
	"national-id": `(?:^|[^0-9A-Za-z_.-])(?:\d{3}[.-]\d\d|\d{8}|[12] ?\d\d ?[01]\d ?\d)`,
}

# For each detector, what it may look like; all patterns take linear time, as RE2 does. What is looked at closely is the one, without what stands
# before and after it. Two may share a character, which is after the first and before the second: what stands between those that do.
shapes := {
	"credit-card": [
		{
			"before": `(?:^|(?:^|[^0-9]) |[^0-9A-Za-z_. -])`,
			"one": `(?:4\d{3}|5[1-5]\d{2}|222[1-9]|22[3-9]\d|2[3-6]\d{2}|27[01]\d|2720|6011|65\d{2}|64[4-9]\d|35(?:2[89]|[3-8]\d))(?:[ -]?\d{4}){3}`,
			"after": `(?:$|[^0-9A-Za-z_-])`,
			"between": `[^0-9A-Za-z_.-]`,
		},
		{
			"before": `(?:^|(?:^|[^0-9]) |[^0-9A-Za-z_. -])`,
			"one": `3[47]\d{2}[ -]?\d{6}[ -]?\d{5}|3(?:0[0-5]|[68]\d)\d[ -]?\d{6}[ -]?\d{4}`,
			"after": `(?:$|[^0-9A-Za-z_-])`,
			"between": `[^0-9A-Za-z_.-]`,
		},
	],
	"iban": [
		{
			"before": `(?:^|[^0-9A-Za-z_])`,
			"one": `[A-Z]{2}\d{2}(?: ?[0-9A-Z]{4}){2,7}(?: ?[0-9A-Z]{1,3})?`,
			"after": `(?:$|[^0-9A-Za-z_])`,
			"between": `[^0-9A-Za-z_]`,
		},
	],
	"email": [
		{
			"before": `(?:^|mailto:|[^0-9A-Za-z._%+:/@-])`,
			"one": `[0-9A-Za-z][0-9A-Za-z._%+-]*@[0-9A-Za-z][0-9A-Za-z.-]*\.[A-Za-z]{2,}`,
			"after": `(?:$|[^0-9A-Za-z_:@/-])`,
			"between": `[^0-9A-Za-z._%+:/@-]`,
		},
	],
	"phone": [
		{
			"before": `(?:^|[^0-9A-Za-z_.+/-])`,
			"one": `\+[1-9]\d{0,2}[ .-]?\(?\d{1,4}\)?(?:[ .-]?\d{2,4}){2,4}`,
			"after": `(?:$|[^0-9A-Za-z_/+-])`,
			"between": `[^0-9A-Za-z_.+/-]`,
		},
		{
			"before": `(?:^|[^0-9A-Za-z_.+/-])`,
			"one": `\([2-9]\d{2}\) ?[2-9]\d{2}-\d{4}`,
			"after": `(?:$|[^0-9A-Za-z_/+-])`,
			"between": `[^0-9A-Za-z_.+/-]`,
		},
	],
	"private-key": [
		{
			"before": `-----BEGIN `,
			"one": `(?:[A-Z]{2,10} )?PRIVATE KEY(?: BLOCK)?`,
			"after": `-----`,
			"between": `-----BEGIN `,
		},
	],
	"cloud-token": [
		{
			"before": `(?:^|[^0-9A-Za-z_])`,
			"one": `(?:AKIA|ASIA)[A-Z2-7]{16}`,
			"after": `(?:$|[^0-9A-Za-z_])`,
			"between": `[^0-9A-Za-z_]`,
		},
		{
			"before": `(?:^|[^0-9A-Za-z_-])`,
			"one": `AIza[0-9A-Za-z_-]{35}`,
			"after": `(?:$|[^0-9A-Za-z_-])`,
			"between": `[^0-9A-Za-z_-]`,
		},
		{
			"before": `(?:^|[^0-9A-Za-z_])`,
			"one": `gh[pousr]_[0-9A-Za-z]{36}|github_pat_[0-9A-Za-z]{22}_[0-9A-Za-z]{59}|npm_[0-9A-Za-z]{36}|hf_[0-9A-Za-z]{34}|dop_v1_[0-9a-f]{64}`,
			"after": `(?:$|[^0-9A-Za-z_])`,
			"between": `[^0-9A-Za-z_]`,
		},
		{
			"before": `(?:^|[^0-9A-Za-z_-])`,
			"one": `glpat-[0-9A-Za-z_-]{20}|xox[abeprs]-[0-9]{8,14}-[0-9A-Za-z-]{16,}|SG\.[0-9A-Za-z_-]{22}\.[0-9A-Za-z_-]{43}|ya29\.[0-9A-Za-z_-]{40,}`,
			"after": `(?:$|[^0-9A-Za-z_-])`,
			"between": `[^0-9A-Za-z_-]`,
		},
		{
			"before": `(?:^|[^0-9A-Za-z_-])`,
			"one": `(?:sk|rk)_live_[0-9A-Za-z]{24,99}|sk-(?:proj|ant-api\d\d|ant-admin\d\d)-[0-9A-Za-z_-]{40,200}|sk-[0-9A-Za-z]{48}`,
			"after": `(?:$|[^0-9A-Za-z_-])`,
			"between": `[^0-9A-Za-z_-]`,
		},
		{
			"before": ``,
			"one": `AccountKey=[0-9A-Za-z+/]{86}==`,
			"after": ``,
			"between": ``,
		},
	],
	"jwt": [
		{
			"before": `(?:^|[^0-9A-Za-z_.-])`,
			"one": `eyJ[0-9A-Za-z_-]{10,}\.eyJ[0-9A-Za-z_-]{4,}\.[0-9A-Za-z_-]{20,}`,
			"after": `(?:$|[^0-9A-Za-z_-])`,
			"between": `[^0-9A-Za-z_.-]`,
		},
	],
	"national-id": [
		{
			"before": `(?:^|[^0-9A-Za-z_.-])`,
			"one": `\d{3}-\d{2}-\d{4}`,
			"after": `(?:$|[^0-9A-Za-z_-])`,
			"between": `[^0-9A-Za-z_.-]`,
		},
		{
			"before": `(?:^|[^0-9A-Za-z_.-])`,
			"one": `\d{3}\.\d{3}\.\d{3}-\d{2}`,
			"after": `(?:$|[^0-9A-Za-z_-])`,
			"between": `[^0-9A-Za-z_.-]`,
		},
		{
			"before": `(?:^|[^0-9A-Za-z_.-])`,
			"one": `\d{8}-?[A-HJ-NP-TV-Z]`,
			"after": `(?:$|[^0-9A-Za-z_-])`,
			"between": `[^0-9A-Za-z_.-]`,
		},
		{
			"before": `(?:^|[^0-9A-Za-z_.-])`,
			"one": `[12] ?\d{2} ?(?:0[1-9]|1[0-2]) ?\d{2} ?\d{3} ?\d{3} ?\d{2}`,
			"after": `(?:$|[^0-9A-Za-z_-])`,
			"between": `[^0-9A-Za-z_.-]`,
		},
	],
}

is_found(detector, text) if {
	some shape in shapes[detector]
	found := ones(concat("", [shape.before, "(", shape.one, ")", shape.after]), text)
	count(found) > 0
	is_among(detector, found, [shape, text])
}

ones(pattern, text) := [match[1] | some match in regex.find_all_string_submatch_n(pattern, text, most)]

# A search goes on behind what it has found, so that the second of two that share a character is not found by it. That matters where what was
# found is none: then all of a row are looked at.
is_among(detector, found, [shape, text]) if {
	is_any(detector, found)
} else if {
	is_any(detector, in_rows(shape, text))
}

in_rows(shape, text) := [one |
	row := concat("", [shape.before, "((?:", shape.one, ")(?:", shape.between, "(?:", shape.one, "))+)", shape.after])
	some found in ones(row, text)
	some one in ones(concat("", ["(", shape.one, ")"]), found)
]

# Each that looks like one is looked at closely, which takes time: so many count as one that is.
is_any(detector, found) if {
	count(found) >= most
} else if {
	some one in found
	is_one(detector, one)
}

most := 64

# METADATA
# title: dlp/credit-card
# description: Numbers of credit cards, of the large brands and right by their check digit.
# custom: { passes: "text without one; a name of a Secret" }
is_one("credit-card", found) if {
	digits := digits_in(found)
	count({digit | some digit in digits}) > 1
	luhn(digits)
}

digits_in(found) := [to_number(one) | some one in regex.find_all_string_submatch_n(`\d`, found, -1)[_]]

# Every second digit from the end counts twice.
luhn(digits) if {
	last := count(digits) - 1
	total := sum([weighted | some index, digit in digits; weighted := luhn_weight(digit, (last - index) % 2)])
	total % 10 == 0
}

luhn_weight(digit, 0) := digit

luhn_weight(digit, 1) := doubled if {
	doubled := digit * 2
	doubled < 10
}

luhn_weight(digit, 1) := (digit * 2) - 9 if digit * 2 > 9

# METADATA
# title: dlp/iban
# description: Numbers of bank accounts (IBAN), as long as their country has them and right by their check digits.
# custom: { passes: "text without one; a name of a Secret" }
is_one("iban", found) if {
	compact := replace(found, " ", "")
	count(compact) == iban_lengths[substring(compact, 0, 2)]
	turned := concat("", [substring(compact, 4, -1), substring(compact, 0, 4)])
	written := concat("", [iban_digits(one) | some one in split(turned, "")])
	size := count(written)
	total := sum([weighted |
		some index, digit in split(written, "")
		weighted := to_number(digit) * powers[(size - 1) - index]
	])
	total % 97 == 1
}

iban_digits(one) := one if regex.match(`^\d$`, one)

iban_digits(one) := format_int(indexof("ABCDEFGHIJKLMNOPQRSTUVWXYZ", one) + 10, 10) if regex.match(`^[A-Z]$`, one)

# 10 to the power of the index, modulo 97: it comes round after 96.
powers := [power |
	some index in numbers.range(0, 95)
	power := powers_below[index % 8] * powers_of_8[floor(index / 8)] % 97
]

powers_below := [1, 10, 3, 30, 9, 90, 27, 76]

powers_of_8 := [1, 81, 62, 75, 61, 91, 96, 16, 35, 22, 36, 6]

iban_lengths := {
	"AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BR": 29, "BY": 28, "CH": 21, "CR": 22,
	"CY": 28, "CZ": 24, "DE": 22, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22,
	"GI": 23, "GL": 18, "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30,
	"KZ": 20, "LB": 28, "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MR": 27, "MT": 31,
	"MU": 30, "NL": 18, "NO": 15, "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "SA": 24, "SC": 31, "SE": 24,
	"SI": 19, "SK": 24, "SM": 27, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20,
}

# METADATA
# title: dlp/email
# description: E-mail addresses, without those of domains that are for documents and clusters alone.
# custom: { passes: "text without one; addresses of ownDomains" }
is_one("email", found) if {
	[local, written] := split(lower(found), "@")
	local != "git"
	count(local) <= 64
	not contains(local, "..")
	domain := domain_in(written)
	labels := split(domain, ".")
	last := labels[count(labels) - 1]
	not last in reserved
	not concat(".", array.slice(labels, count(labels) - 2, count(labels))) in reserved
	not is_version(domain)
	not is_own(domain)
}

# A label has at most 63 characters, and the last one 24: what stands before one that is too long is a domain by itself.
domain_in(written) := written if {
	labels := split(written, ".")
	not has_long(labels)
	count(labels[count(labels) - 1]) <= most_of_last
} else := regex.find_all_string_submatch_n(`^(.*\.[a-z]{2,24})(?:\.|$)`, before_long(written), 1)[0][1]

has_long(labels) if {
	some label in labels
	count(label) > most_of_label
}

before_long(written) := concat(".", array.slice(labels, 0, end)) if {
	labels := split(written, ".")
	long := [index | some index, label in labels; count(label) > most_of_label]
	end := min(array.concat(long, [count(labels)]))
}

most_of_label := 63

most_of_last := 24

# Ends of domains that are for documents and clusters alone, and of names of files, which look like domains.
reserved := {
	"example.com", "example.net", "example.org", "example", "internal", "invalid", "lan", "local", "localhost", "svc", "test",
	"conf", "css", "gz", "html", "js", "json", "log", "md", "png", "py", "rc", "sh", "tar", "tgz", "ts", "txt", "yaml", "yml", "zip",
}

is_version(domain) if substring(trim_prefix(domain, "v"), 0, 1) in {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}

is_own(domain) if {
	some own in parameters.values.ownDomains
	endswith(concat("", [".", domain]), concat("", [".", lower(own)]))
}

# METADATA
# title: dlp/phone
# description: Telephone numbers with the code of their country, or as they are written in North America.
# custom: { passes: "text without one; numbers without code of a country are not told from others" }
is_one("phone", found) if {
	digits := digits_in(found)
	count(digits) >= 10
	count(digits) <= 15
	count({digit | some digit in digits}) > 2
}

# METADATA
# title: dlp/private-key
# description: Private keys in PEM, of any kind.
# custom: { passes: "public keys and certificates" }
is_one("private-key", _)

# METADATA
# title: dlp/cloud-token
# description: Tokens and keys of AWS, Azure, Google, DigitalOcean, GitHub, GitLab, npm, Slack, SendGrid, Stripe, Hugging Face, OpenAI and Anthropic.
# custom: { passes: "names of Secrets; placeholders of one letter repeated, or of xxxx" }
is_one("cloud-token", found) if {
	not regex.match(`(?i)x{8}|0{8}|_{8}|example|placeholder|changeme`, found)
	count({one | some one in split(found, "")}) > 9
}

# METADATA
# title: dlp/jwt
# description: JSON Web Tokens with a signature.
# custom: { passes: "text without one" }
is_one("jwt", found) if {
	[head, _, _] := split(found, ".")
	contains(base64url.decode(head), `"alg"`)
}

# METADATA
# title: dlp/national-id
# description: Identity numbers of the United States (SSN), Brazil (CPF), Spain (DNI) and France (NIR), as far as they can be right.
# custom: { passes: "numbers that cannot be one, by their ranges or check digits" }
is_one("national-id", found) if {
	regex.match(`^\d{3}-\d{2}-\d{4}$`, found)
	not regex.match(`^(?:000|666|9\d\d)|-00-|-0000$`, found)
	not found in {"123-45-6789", "078-05-1120", "219-09-9999"}
}

is_one("national-id", found) if {
	regex.match(`^\d{3}\.\d{3}\.\d{3}-\d{2}$`, found)
	digits := digits_in(found)
	count({digit | some digit in digits}) > 2
	cpf_digit(digits, 9) == digits[9]
	cpf_digit(digits, 10) == digits[10]
}

is_one("national-id", found) if {
	regex.match(`^\d{8}-?[A-Z]$`, found)
	number := to_number(substring(found, 0, 8))
	substring("TRWAGMYFPDXBNJZSQVHLCKE", number % 23, 1) == substring(found, count(found) - 1, 1)
}

is_one("national-id", found) if {
	compact := replace(found, " ", "")
	regex.match(`^[12]\d{14}$`, compact)
	97 - (to_number(substring(compact, 0, 13)) % 97) == to_number(substring(compact, 13, 2))
}

cpf_digit(digits, size) := digit if {
	rest := sum([weighted | some index, one in array.slice(digits, 0, size); weighted := one * ((size + 1) - index)]) % 11
	digit := cpf_rest[rest]
}

cpf_rest := [0, 0, 9, 8, 7, 6, 5, 4, 3, 2, 1]

# Quantities of Kubernetes as numbers: texts such as 500m and 2Gi, or numbers as YAML has them.
package lib.quantity

number(value) := value if is_number(value)

number(value) := plain(trim_prefix(value, "+")) if is_string(value)

# What cannot be read counts as too much: nobody gets round a bound by how a number is written.
exceeds(value, most) if number(value) > most

exceeds(value, _) if not is_known(value)

is_known(value) if is_number(number(value))

# `m` is a thousandth, and not the M of some parsers.
plain(value) := to_number(trim_suffix(value, "m")) / 1000 if {
	regex.match(`^[0-9.]+m$`, value)
} else := to_number(trim_suffix(value, unit)) * factor if {
	some unit, factor in factors
	regex.match(sprintf(`^[0-9.]+%s$`, [unit]), value)
} else := to_number(value) if {
	regex.match(`^[0-9.]+([eE][+-]?[0-9]+)?$`, value)
}

factors := {
	"k": 1000,
	"M": 1000000,
	"G": 1000000000,
	"T": 1000000000000,
	"P": 1000000000000000,
	"E": 1000000000000000000,
	"Ki": 1024,
	"Mi": 1048576,
	"Gi": gibibyte,
	"Ti": 1099511627776,
	"Pi": 1125899906842624,
	"Ei": 1152921504606846976,
	"n": 0.000000001,
	"u": 0.000001,
}

gibibyte := 1073741824

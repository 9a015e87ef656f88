# Quantities of Kubernetes as numbers: texts such as 500m and 2Gi, or numbers as YAML has them.
package lib.quantity

number(value) := value if is_number(value)

number(value) := plain(trim_prefix(value, "+")) if is_string(value)

# What cannot be read counts as too much: nobody gets round a bound by how a number is written.
exceeds(value, most) if number(value) > most

exceeds(value, _) if not is_known(value)

is_known(value) if is_number(number(value))

# By its last letters. `m` is a thousandth, and not the M of some parsers. No regular expressions: these are read for every container.
plain(value) := to_number(substring(value, 0, length - 2)) * factor if {
	length := count(value)
	factor := factors[substring(value, length - 2, 2)]
} else := to_number(substring(value, 0, length - 1)) * factor if {
	length := count(value)
	factor := factors[substring(value, length - 1, 1)]
} else := to_number(value)

factors := {
	"m": 0.001,
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

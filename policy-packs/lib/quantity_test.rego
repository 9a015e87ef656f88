package lib.quantity_test

import data.lib.quantity

quantities := {
	"500m": 0.5,
	"2": 2,
	"1.5": 1.5,
	"1e3": 1000,
	"64Mi": 67108864,
	"2Gi": 2147483648,
	"1k": 1000,
	"1M": 1000000,
	"1Ti": 1099511627776,
	"1E": 1000000000000000000,
	"1Ei": 1152921504606846976,
	"+3Gi": 3221225472,
	"2u": 0.000002,
}

test_quantities if {
	every text, value in quantities {
		abs(quantity.number(text) - value) <= value / 1000000000
	}
}

test_numbers if quantity.number(3) == 3

test_what_is_none if {
	not quantity.number("many")
	not quantity.number(true)
}

test_what_exceeds if {
	quantity.exceeds("2Gi", 1)
	quantity.exceeds("many", 1000)
	quantity.exceeds("1.2.3", 1000)
	not quantity.exceeds("500m", 1)
}

# Names of images, as container engines read them.
package lib.image

# With the registry that is meant where none is named.
full(image) := image if {
	has_registry(image)
} else := sprintf("docker.io/library/%s", [image]) if {
	not contains(image, "/")
} else := sprintf("docker.io/%s", [image])

has_registry(image) if {
	[host, _] := split_once(image)
	is_host(host)
}

is_host("localhost")

is_host(host) if contains(host, ".")

is_host(host) if contains(host, ":")

split_once(image) := [substring(image, 0, at), substring(image, at + 1, -1)] if {
	at := indexof(image, "/")
	at > 0
}

# Whether it is of a registry, or of a path in one: `registry.example.com/team` has what is below, and no `registry.example.com/team-b`.
is_of(image, registries) if {
	whole := full(image)
	some registry in registries
	startswith(whole, sprintf("%s/", [trim_suffix(registry, "/")]))
}

# Whether it says which version it is: a digest, or a tag that is not the one that anything may have.
has_version(image) if has_digest(image)

has_version(image) if {
	parts := split(image, "/")
	[_, tag] := split(parts[count(parts) - 1], ":")
	not tag in {"", "latest"}
}

digest_lengths := {"sha256": 64, "sha512": 128}

has_digest(image) if {
	[_, digest] := split(image, "@")
	[algorithm, hex] := split(digest, ":")
	count(hex) == digest_lengths[algorithm]
}

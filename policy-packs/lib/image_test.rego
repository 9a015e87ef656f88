package lib.image_test

import data.lib.image

digest := "@sha256:1111111111111111111111111111111111111111111111111111111111111111"

test_the_registry_that_is_meant if {
	image.full("nginx:1") == "docker.io/library/nginx:1"
	image.full("team/nginx:1") == "docker.io/team/nginx:1"
	image.full("registry.example.com/nginx") == "registry.example.com/nginx"
	image.full("localhost/nginx") == "localhost/nginx"
	image.full("registry:5000/nginx") == "registry:5000/nginx"
}

test_what_is_of_a_registry if {
	image.is_of("registry.example.com/team/a:1", ["registry.example.com"])
	image.is_of("registry.example.com/team/a:1", ["registry.example.com/team/"])
	image.is_of("nginx", ["docker.io/library"])
}

test_what_only_looks_so_is_not if {
	not image.is_of("registry.example.com.evil.io/a:1", ["registry.example.com"])
	not image.is_of("registry.example.com/team-b/a:1", ["registry.example.com/team"])
	not image.is_of("evil.io/registry.example.com/a", ["registry.example.com"])
	not image.is_of("nginx", ["registry.example.com"])
}

test_versions if {
	image.has_version("a:1")
	image.has_version(concat("", ["a", digest]))
	image.has_version("registry:5000/a:1.2")
	not image.has_version("a")
	not image.has_version("a:latest")
	not image.has_version("registry:5000/a")
}

test_digests if {
	image.has_digest(concat("", ["a:1", digest]))
	not image.has_digest("a:1")
	not image.has_digest("a@sha256:short")
}

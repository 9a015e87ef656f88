// SPDX-License-Identifier: Apache-2.0

/** Where container engines look for an image whose name has no registry. */
const DEFAULT_REGISTRY = 'docker.io';

/**
 * The name of an image with its registry, without tag and digest: `nginx:1.27` is `docker.io/library/nginx`. The first
 * part is a registry if it could be a host: it has a dot, a port or a capital letter, or is `localhost`. So container engines
 * read it (`splitDockerDomain` of distribution/reference).
 */
export function repositoryOf(image: string): string {
  const [name = ''] = image.split('@');
  const [first = '', ...rest] = name.split('/');
  const last = (rest.at(-1) ?? first).split(':')[0] ?? '';
  if (rest.length === 0) return `${DEFAULT_REGISTRY}/library/${last}`;
  const hasHost = /[.:A-Z]/.test(first) || first === 'localhost';
  const path = [first, ...rest.slice(0, -1), last].join('/');
  return hasHost ? path : `${DEFAULT_REGISTRY}/${path}`;
}

/**
 * Whether `image` is in one of `registries`: hosts, paths in them, or single images. No registries: any image is. The
 * guardrail on pods says the same in CEL.
 */
export function isFromRegistry(image: string, registries: readonly string[]): boolean {
  const repository = repositoryOf(image);
  return (
    registries.length === 0 ||
    registries
      .map((one) => one.replace(/\/$/, ''))
      // With the slash: registry.example.com/team must not open registry.example.com/team-of-others.
      .some((one) => repository === one || repository.startsWith(`${one}/`))
  );
}

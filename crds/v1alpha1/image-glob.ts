// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';

/**
 * What no whole name of a repository is like, so that who writes it means another one. A policy on images that is about nothing lets all of
 * them run: that must not come of a name that was not written out.
 */
export const REPOSITORY_RULES = [
  {
    rule: "!self.matches('/.*:')",
    message:
      'tags and digests are no part of it: name the repository alone, and all that is in it is meant. A port stands before the first slash',
  },
  {
    rule: "self.matches('^[^/]*[*]|^(localhost|[^/]*[.:][^/]*)/')",
    message:
      'begins with the registry and a slash: registry.example/team/app, registry.example/*; busybox is docker.io/library/busybox, and team/app is docker.io/team/app',
  },
  {
    rule: "!self.matches('^docker[.]io/[^/*]+$')",
    message: 'images of Docker Hub without a team are in library: docker.io/library/busybox',
  },
  {
    rule: "!self.matches('^index[.]docker[.]io(/|$)')",
    message: 'the registry of Docker Hub is docker.io, under whatever name it is pulled from',
  },
  {
    rule: "!self.matches('//|/$')",
    message: 'no part of a name is empty: for all that is in team, registry.example/team/*',
  },
] as const;

/** A repository with its registry, by its whole name, where a star stands for any text. */
export function repositoryGlob() {
  return z
    .string()
    .min(1)
    .max(255)
    .regex(/^[a-z0-9*][a-z0-9._:/*-]*$/)
    .describe('A repository with its registry, where * stands for any text: registry.example/team/*.')
    .meta({ 'x-kubernetes-validations': REPOSITORY_RULES });
}

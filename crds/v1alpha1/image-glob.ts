// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import { heldTo, spelt } from './meta.ts';

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
    rule: "!self.matches('://')",
    message: 'a name has no scheme: without what stands before ://, and without that',
  },
  {
    rule: "!self.matches('(^|[^:])//|/$')",
    message: 'no part of a name is empty: for all that is in team, registry.example/team/*',
  },
] as const;

/** What names of repositories are written in. */
const SPELLING = '^[a-z0-9*][a-z0-9._:/*-]*$';
const SPELLING_WORDS =
  'wanted are lower-case letters, digits, and . _ - : / and *, which stands for any text, such as registry.example/team/*: no repository has upper case, blanks, or a scheme like https:// in its name, and the digest of an image (@sha256:...) is no part of it';

/** A repository with its registry, by its whole name, where a star stands for any text. */
export function repositoryGlob() {
  const name = z
    .string()
    .min(1)
    .max(255)
    .describe('A repository with its registry, where * stands for any text: registry.example/team/*.');
  return heldTo(spelt(name, SPELLING, SPELLING_WORDS), REPOSITORY_RULES);
}

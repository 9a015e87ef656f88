// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { REPOSITORY_RULES } from '#crds/v1alpha1/image-glob';
import { matchesGlob } from '#operator/core/policy/selector';
import { imagesOf } from './globs.ts';
import { Report } from './report.ts';

/** What we call a repository, and what it may be called in a pod. */
const images: Readonly<Record<string, readonly string[]>> = {
  'docker.io/library/nginx': ['nginx', 'docker.io/nginx', 'docker.io/library/nginx', 'index.docker.io/nginx'],
  'docker.io/team-a/app': ['team-a/app', 'docker.io/team-a/app'],
  'docker.io/team-a/deep/app': ['team-a/deep/app', 'docker.io/team-a/deep/app'],
  'registry.example/team-a/app': ['registry.example/team-a/app'],
  'registry.example:5000/nginx': ['registry.example:5000/nginx'],
  'localhost/app': ['localhost/app'],
};

const FIRST = ['', '*', '**', 'index.docker.io', '*.docker.io', 'index.docker.*', '**index.docker.io'];
const MORE = [
  'docker.io',
  '**docker.io',
  'index.docker.io**',
  'i**',
  'd*',
  'team-*',
  'team-a**',
  '*a',
  'local*',
];
const HOSTS = [
  'registry.example',
  'registry.example:5000',
  'registry.*',
  '**:5000',
  'localhost',
  '***',
  '*r*',
];
const PATHS = [
  '',
  '*',
  '**',
  'library/**',
  'library/nginx',
  'nginx',
  'nginx*',
  'team-*/*',
  '*/app',
  'app',
  '**/app',
];
const TAGS = ['', ':**', ':*', ':1', '**', '*'];

const globs = [...FIRST, ...MORE, ...HOSTS].flatMap((first) =>
  PATHS.flatMap((path) => TAGS.map((tag) => [first, path].filter((one) => one !== '').join('/') + tag)),
);

/** Whether the policy-controller takes a glob to be about a text: one star for what has no slash, two for anything. */
function isAbout(glob: string, text: string): boolean {
  const short: Readonly<Record<string, string>> = {
    '*': 'index.docker.io/library/*',
    '*/*': 'index.docker.io/*/*',
  };
  const pattern = (short[glob] ?? glob).replaceAll(/\*\*|[*.]/g, (part) => {
    if (part === '.') return '\\.';
    return part === '**' ? '.*' : '[^/]*';
  });
  return new RegExp(`^${pattern}$`).test(text);
}

/** Whether the API server takes a pattern: its rules are each one expression, or the opposite of one. */
function isTaken(pattern: string): boolean {
  return REPOSITORY_RULES.every(({ rule }) => {
    const [, not = '', expression = ''] = /^(!?)self\.matches\('(.*)'\)$/.exec(rule) ?? [];
    return new RegExp(expression).test(pattern) !== (not === '!');
  });
}

test('what a policy was about it is about here, whatever a pod calls the image', (t) => {
  let matched = 0;
  for (const glob of new Set(globs.filter((one) => /^[a-z]|\*/.test(one)))) {
    const report = new Report();
    const patterns = imagesOf([{ glob }], report.about('in.yaml', 'ClusterImagePolicy signed'));
    t.deepEqual(report.problems, [], glob);
    for (const pattern of patterns) t.true(isTaken(pattern), `${glob}: ${pattern}`);
    for (const [name, written] of Object.entries(images)) {
      const full = name.replace(/^docker\.io\//, 'index.docker.io/');
      const texts = [full, ...written].flatMap((one) => [one, `${one}:1`]);
      if (!texts.some((text) => isAbout(glob, text))) continue;
      matched += 1;
      t.true(
        patterns.some((pattern) => matchesGlob(pattern, name)),
        `${glob}: ${patterns.join(' ')}: ${name}`,
      );
    }
  }
  t.true(matched > 500, `${matched} matched`);
});

const narrow: Readonly<Record<string, readonly string[]>> = {
  'registry.example/team/**': ['registry.example/team/*'],
  'registry.example/team-*:**': ['registry.example/team-*'],
  'team-*': ['docker.io/library/team-*'],
  'team-a/**': ['docker.io/team-a/*'],
  'nginx:**': ['nginx:*', 'docker.io/library/nginx'],
  'docker.io/nginx': ['docker.io/library/nginx'],
  'registry-1.docker.io/team/**': ['registry-1.docker.io/team/*'],
  'registry.example**:v1**': ['registry.example*'],
  '*/nginx': ['*/nginx'],
};

for (const [glob, want] of Object.entries(narrow)) {
  test(`and about no more than has to be: ${glob}`, (t) => {
    t.deepEqual(imagesOf([{ glob }], new Report().about('in.yaml', 'ClusterImagePolicy signed')), want);
  });
}

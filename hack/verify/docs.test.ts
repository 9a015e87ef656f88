// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { KINDS } from '#crds/v1alpha1/index';
import { linkProblems, missingReasons, yamlProblems } from './docs.ts';

const page = (text: string) => [{ path: 'docs/a/page.md', text }];

test('links are followed from the page', (t) => {
  const there = new Set(['docs/README.md', 'docs/adr', 'docs/a/b.md']);
  const text = '[a](../README.md#x) [b](b.md) [c](../adr/) [d](https://x.test/y) [e](#here) [f](gone.md)';
  t.deepEqual(
    linkProblems(page(text), (path) => there.has(path)),
    ['docs/a/page.md: the link gone.md leads nowhere'],
  );
});

test('what looks like a link within code is none', (t) => {
  t.deepEqual(
    linkProblems(page('```ts\na[0](x)\n```\nand `[a](b)`\n'), () => false),
    [],
  );
});

const TENANT = 'apiVersion: nexusos.dev/v1alpha1\nkind: Tenant\nmetadata: { name: a }\n';

const YAML: Readonly<Record<string, { text: string; want: readonly RegExp[] }>> = {
  'a tenant that fits': { text: `${TENANT}spec: { namespaces: [{ suffix: dev }] }\n`, want: [] },
  'a field of the wrong type': {
    text: `${TENANT}spec: { suspended: maybe }\n`,
    want: [/page\.md:2: spec\.suspended: /],
  },
  'a field that is none': {
    text: `${TENANT}spec: { namespaces: [{ suffix: dev, size: 3 }] }\n`,
    want: [/spec\.namespaces\.0\.size: is not a field/],
  },
  'a kind that is none': {
    text: 'apiVersion: nexusos.dev/v1alpha1\nkind: Tenand\nspec: {}\n',
    want: [/no kind Tenand/],
  },
  'a kind of others is not judged': { text: 'apiVersion: v1\nkind: Pod\nspec: { nope: 1 }\n', want: [] },
  'a part of an object that fits': {
    text: 'kind: Agent\nspec:\n  estimate: { runUnits: 30, tokens: 20k }\n',
    want: [],
  },
  'a part of an object with a field that is none': {
    text: 'kind: Agent\nspec:\n  estimate: { units: 30 }\n',
    want: [/page\.md:2: spec\.estimate\.units: is not a field/],
  },
  'text that is not YAML': { text: 'a: [1\n', want: [/page\.md:2: /] },
  'the second of two documents': {
    text: `${TENANT}spec: {}\n---\n${TENANT}spec: { plan: "No" }\n`,
    want: [/spec\.plan: /],
  },
};

for (const [title, { text, want }] of Object.entries(YAML)) {
  test(`yaml: ${title}`, (t) => {
    const found = yamlProblems(page(`\`\`\`yaml\n${text}\`\`\`\n`), KINDS);
    t.is(found.length, want.length, found.join('\n'));
    for (const [i, pattern] of want.entries()) t.regex(found[i]!, pattern);
  });
}

test('a block within a list item is read as it is meant', (t) => {
  const text = `1. Apply\n\n   \`\`\`yaml\n   ${TENANT.replaceAll('\n', '\n   ')}spec: { nope: 1 }\n   \`\`\`\n`;
  t.is(yamlProblems(page(text), KINDS).length, 1);
});

test('a reason that the page does not mention is named', (t) => {
  const [file] = page('`Ready` is set');
  t.deepEqual(missingReasons(file!, ['Ready', 'Lost']), ['docs/a/page.md: says nothing of the reason Lost']);
});

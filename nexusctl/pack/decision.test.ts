// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { openDesk } from '../testing/cli.ts';

/** As the admission process writes it, among its own lines. */
function line(id: string, name: string, more: object): string {
  const object = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'a' },
    spec: { containers: [{ image: `${name}:latest` }] },
  };
  const kind = { group: '', version: 'v1', kind: 'Pod' };
  const resource = { group: '', version: 'v1', resource: 'pods' };
  const review = {
    uid: id,
    kind,
    resource,
    name,
    namespace: 'a',
    operation: 'CREATE',
    userInfo: { username: 'ann' },
    object,
    oldObject: null,
  };
  return JSON.stringify({ decision_id: id, input: { review, tenant: 'acme' }, ...more });
}

const LOG = [
  '{"level":30,"msg":"synced"}',
  line('id-1', 'first', { result: { allowed: false } }),
  line('id-2', 'second', {
    result: { allowed: false },
    masked: ['/input/review/object/spec/containers/0/env'],
  }),
  line('id-3', 'third', { result: { allowed: true } }),
  '{"decision_id": half a line',
].join('\n');

const RULES = `package images
deny contains sprintf("found %s", [container.image]) if {
	some container in input.review.object.spec.containers
	endswith(container.image, ":latest")
}
`;
const MANIFEST =
  'kind: PolicyPack\nmetadata: { name: images }\nspec:\n  version: 1.0.0\n  binding: { rules: [{ apiGroups: [""], resources: [pods] }] }\n';

test('a refusal of the log is explained, by its id, and the last of them', async (t) => {
  const desk = await openDesk(t);
  await desk.write({ 'pack/manifest.yaml': MANIFEST, 'pack/images.rego': RULES, 'decisions.log': LOG });
  const first = await desk.nexusctl('pack explain pack decisions.log --decision id-1');
  t.is(first.code, 1, first.err);
  t.regex(first.out, /^CREATE Pod a\/first: Denied\n/);
  t.regex(first.out, /found first:latest/);
  t.notRegex(first.out, /Not in the log/);
  const last = await desk.nexusctl('pack explain pack decisions.log --decision last');
  t.regex(last.out, /^CREATE Pod a\/second: Denied\n/);
  t.regex(
    last.out,
    /Not in the log, so rules did not see it here: \/input\/review\/object\/spec\/containers\/0\/env/,
  );
});

test('what the log does not have is told', async (t) => {
  const desk = await openDesk(t);
  const large = JSON.stringify({ decision_id: 'id-9', result: { allowed: false }, erased: ['/input'] });
  await desk.write({
    'pack/manifest.yaml': MANIFEST,
    'pack/images.rego': RULES,
    'decisions.log': LOG,
    'large.log': large,
  });
  const absent = await desk.nexusctl('pack explain pack decisions.log --decision id-7');
  t.is(absent.code, 2);
  t.regex(absent.err, /decisions\.log has no decision id-7; it has 3 decisions/);
  const erased = await desk.nexusctl('pack explain pack large.log --decision id-9');
  t.is(erased.code, 2);
  t.regex(erased.err, /decision id-9: its input was too large to be logged/);
});

const SIGNED = `package signed
deny contains sprintf("%s is %s", [one.image, one.reason]) if {
	some one in input.images
	one.state != "Known"
}
`;

test('what was known of images is what the log says, or a file, or nothing', async (t) => {
  const desk = await openDesk(t);
  const object = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'a', namespace: 'a' },
    spec: { containers: [{ image: 'b:1' }] },
  };
  const event = JSON.parse(line('id-1', 'b', { result: { allowed: false } })) as {
    input: { images?: object };
  };
  event.input.images = [
    { field: 'f', image: 'b:latest', state: 'NotKnown', reason: 'BeingVerified', policies: [] },
  ];
  await desk.write({
    'pack/manifest.yaml': MANIFEST.replace('spec:\n', 'spec:\n  facts: [Images]\n'),
    'pack/signed.rego': SIGNED,
    'decisions.log': JSON.stringify(event),
    'pod.yaml': JSON.stringify(object),
    'known.yaml': 'images: [{ image: "b:1", policies: [{ name: signed }] }]',
    'wrong.yaml': 'images: [{ image: "b:1", policies: [{ name: signed, sboms: {} }] }]',
  });
  const logged = await desk.nexusctl('pack explain pack decisions.log --decision last');
  t.regex(logged.out, /b:latest is BeingVerified/, logged.err);
  const unknown = await desk.nexusctl('pack explain pack pod.yaml');
  t.regex(unknown.out, /b:1 is Unavailable/);
  const known = await desk.nexusctl('pack explain pack pod.yaml --images known.yaml -o json');
  t.is(known.code, 0, known.err);
  t.like(JSON.parse(known.out), {
    verdict: 'Allowed',
    input: { images: [{ state: 'Known', name: 'docker.io/library/b:1' }] },
  });
  const wrong = await desk.nexusctl('pack explain pack pod.yaml --images wrong.yaml');
  t.is(wrong.code, 2);
  t.regex(wrong.err, /wrong\.yaml: images\[0\]\.policies\[0\]\.sboms: there are kind, name/);
});

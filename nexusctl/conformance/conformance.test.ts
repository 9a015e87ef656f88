// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { type Desk, openDesk } from '../testing/cli.ts';
import { assertionProblem } from './assertion.ts';

/** A template, a constraint and cases, written for this test in the forms that people have. */
const FOLDER: Readonly<Record<string, string>> = {
  'owner/template.yaml': `apiVersion: templates.gatekeeper.sh/v1
kind: ConstraintTemplate
metadata: { name: k8sneedsowner }
spec:
  crd:
    spec:
      names: { kind: K8sNeedsOwner }
      validation:
        openAPIV3Schema:
          type: object
          properties: { label: { type: string, default: owner }, depth: { type: integer } }
  targets:
    - target: admission.k8s.gatekeeper.sh
      rego: |
        package k8sneedsowner

        import data.lib.labels

        violation[{"msg": msg}] {
          not labels.has(input.review.object, input.parameters.label)
          msg := sprintf("label <%v> is missing on %v", [input.parameters.label, input.review.object.metadata.name])
        }
      libs:
        - |
          package lib.labels

          has(object, label) { object.metadata.labels[label] }
`,
  'owner/constraint.yaml': `apiVersion: constraints.gatekeeper.sh/v1beta1
kind: K8sNeedsOwner
metadata: { name: owner }
spec:
  match:
    kinds: [{ apiGroups: [""], kinds: [Pod] }]
    excludedNamespaces: [kube-*]
`,
  'owner/wrong.yaml': `apiVersion: constraints.gatekeeper.sh/v1beta1
kind: K8sNeedsOwner
metadata: { name: wrong }
spec: { parameters: { depth: deep } }
`,
  'owner/with.yaml':
    'apiVersion: v1\nkind: Pod\nmetadata: { name: a, namespace: acme, labels: { owner: ann } }\n',
  'owner/without.yaml': 'apiVersion: v1\nkind: Pod\nmetadata: { name: b, namespace: acme }\n',
  'owner/system.yaml': 'apiVersion: v1\nkind: Pod\nmetadata: { name: c, namespace: kube-system }\n',
  'owner/review.yaml': `apiVersion: admission.k8s.io/v1
kind: AdmissionReview
request: { operation: UPDATE, object: { apiVersion: v1, kind: Pod, metadata: { name: d, namespace: acme } } }
`,
  'owner/suite.yaml': `apiVersion: test.gatekeeper.sh/v1alpha1
kind: Suite
metadata: { name: owner }
tests:
  - name: owner
    template: template.yaml
    constraint: constraint.yaml
    cases:
      - { name: with, object: with.yaml, assertions: [{ violations: no }] }
      - { name: without, object: without.yaml, assertions: [{ violations: 1, message: "label <owner> is missing on b" }] }
      - { name: excluded, object: system.yaml, assertions: [{ violations: no }] }
      - { name: review, object: review.yaml, assertions: [{ violations: yes }] }
      - { name: left, object: without.yaml, skip: true, assertions: [{ violations: no }] }
  - { name: wrong, template: template.yaml, constraint: wrong.yaml, invalid: true }
  - { name: expanded, template: template.yaml, constraint: constraint.yaml, expansion: e.yaml, cases: [{ name: x }] }
`,
  'unique/template.yaml': `apiVersion: templates.gatekeeper.sh/v1beta1
kind: ConstraintTemplate
metadata: { name: k8suniqueport }
spec:
  crd: { spec: { names: { kind: K8sUniquePort } } }
  targets:
    - target: admission.k8s.gatekeeper.sh
      code:
        - engine: K8sNativeValidation
          source: { validations: [] }
        - engine: Rego
          source:
            version: v1
            rego: |
              package k8suniqueport

              violation contains {"msg": msg} if {
                some ns, name
                other := data.inventory.namespace[ns].v1.Service[name]
                other.spec.port == input.review.object.spec.port
                msg := sprintf("port is taken by %v/%v", [ns, name])
              }
`,
  'unique/constraint.yaml':
    'apiVersion: constraints.gatekeeper.sh/v1beta1\nkind: K8sUniquePort\nmetadata: { name: unique }\n',
  'unique/taken.yaml':
    'apiVersion: v1\nkind: Service\nmetadata: { name: a, namespace: acme }\nspec: { port: 1 }\n',
  'unique/new.yaml':
    'apiVersion: v1\nkind: Service\nmetadata: { name: b, namespace: acme }\nspec: { port: 1 }\n',
  'unique/suite.yaml': `apiVersion: test.gatekeeper.sh/v1alpha1
kind: Suite
tests:
  - name: unique
    template: template.yaml
    constraint: constraint.yaml
    cases:
      - { name: taken, object: new.yaml, inventory: [taken.yaml], assertions: [{ message: acme/a }] }
      - { name: free, object: new.yaml, assertions: [{ violations: no }] }
`,
};

async function desk(
  t: Parameters<typeof openDesk>[0],
  more: Readonly<Record<string, string>> = {},
): Promise<Desk> {
  const found = await openDesk(t);
  await found.write({ ...FOLDER, ...more });
  return found;
}

for (const flags of ['', ' --merged']) {
  test(`suites agree, each with what it says${flags}`, async (t) => {
    const { nexusctl } = await desk(t);
    const told = await nexusctl(`pack conformance .${flags} -o json`);
    t.is(told.code, 0, told.err);
    const { results, ...counts } = JSON.parse(told.out) as { results: { case: string; outcome: string }[] };
    t.like(counts, { cases: 9, agree: 7, differ: 0, skipped: 2 });
    t.deepEqual(
      results.filter((one) => one.outcome === 'skipped').map((one) => one.case),
      ['left', 'x'],
    );
  });
}

const DIFFERENT: Readonly<Record<string, readonly [string, string, RegExp]>> = {
  'a case that wants more violations than there are': [
    'violations: 1, message',
    'violations: 2, message',
    /1 violations like .*, wanted 2; said: "label/,
  ],
  'a case that wants none where there is one': [
    'assertions: [{ violations: yes }]',
    'assertions: [{ violations: no }]',
    /1 violations, wanted none/,
  ],
  'a case that asserts nothing': [
    'assertions: [{ violations: yes }]',
    'assertions: []',
    /the case asserts nothing/,
  ],
  'a constraint that is meant to be wrong, and fits': [
    'constraint: wrong.yaml',
    'constraint: constraint.yaml',
    /the constraint fits its template/,
  ],
  'a constraint that does not fit': [
    'constraint: constraint.yaml',
    'constraint: wrong.yaml',
    /spec.parameters.depth: does not fit/,
  ],
  'a file that is not there': [
    'object: with.yaml',
    'object: gone.yaml',
    /gone.yaml cannot be read: it is not there/,
  ],
};

for (const [name, [from, to, says]] of Object.entries(DIFFERENT)) {
  test(`told as a difference: ${name}`, async (t) => {
    const suite = FOLDER['owner/suite.yaml'] ?? '';
    t.true(suite.includes(from));
    const { nexusctl } = await desk(t, { 'owner/suite.yaml': suite.replace(from, to) });
    const told = await nexusctl('pack conformance .');
    t.is(told.code, 1);
    t.regex(told.out, says);
  });
}

test('a template that does not compile differs by name, and does not end the rest', async (t) => {
  const template = (FOLDER['owner/template.yaml'] ?? '').replace('sprintf(', 'sprintff(');
  const told = await (await desk(t, { 'owner/template.yaml': template })).nexusctl('pack conformance .');
  t.is(told.code, 1);
  t.regex(told.out, /undefined function sprintff/);
  t.regex(told.out, /9 cases: 3 agree, 4 differ, 2 skipped/);
});

test('a folder without suites says so', async (t) => {
  const { nexusctl, write } = await openDesk(t);
  await write({ 'a.yaml': 'kind: ConfigMap' });
  const { code, err } = await nexusctl('pack conformance .');
  t.is(code, 2);
  t.regex(err, /there is no suite below/);
});

const ASSERTIONS: Readonly<
  Record<string, readonly [Readonly<Record<string, unknown>>, readonly string[], boolean]>
> = {
  'some, where nothing is said': [{}, ['a'], true],
  'some, and there is none': [{}, [], false],
  yes: [{ violations: 'yes' }, ['a'], true],
  'true, as older YAML reads yes': [{ violations: true }, [], false],
  'false, as older YAML reads no': [{ violations: false }, [], true],
  'as many': [{ violations: 2 }, ['a', 'b'], true],
  'one too many': [{ violations: 1 }, ['a', 'b'], false],
  'as many like it': [{ violations: 1, message: '^a' }, ['ab', 'ba'], true],
  'none like it': [{ message: 'c' }, ['ab', 'ba'], false],
  'no number': [{ violations: -1 }, [], false],
  'no expression': [{ message: '(' }, ['a'], false],
};

for (const [name, [assertion, messages, holds]] of Object.entries(ASSERTIONS)) {
  test(`an assertion: ${name}`, (t) => {
    t.is(assertionProblem(assertion, messages) === undefined, holds);
  });
}

test('convert: a folder becomes a pack that judges as its constraints say', async (t) => {
  const { nexusctl, write } = await desk(t);
  const template = FOLDER['owner/template.yaml'] ?? '';
  await write({
    'g/t.yaml': `${template}---\n${FOLDER['owner/constraint.yaml'] ?? ''}`,
    'g/other.yaml': 'kind: ConfigMap\napiVersion: v1',
  });
  const printed = await nexusctl('pack convert g owner --namespace nexusos-system');
  t.is(printed.code, 0, printed.err);
  t.regex(
    printed.out,
    /^apiVersion: nexusos.dev\/v1alpha1\nkind: PolicyPack\nmetadata:\n {2}name: owner\n {2}namespace: nexusos-system\n/,
  );
  await nexusctl('pack convert g owner --out m.yaml');
  const denied = await nexusctl('pack explain m.yaml owner/without.yaml');
  t.is(denied.code, 1);
  t.regex(denied.out, /K8sNeedsOwner\/owner +label <owner> is missing on b/);
  t.is((await nexusctl('pack explain m.yaml owner/with.yaml')).code, 0);
  t.is((await nexusctl('pack explain m.yaml owner/system.yaml')).code, 0);
});

test('convert: warn warns, dryrun says nothing, and each place has its own action', async (t) => {
  const { nexusctl, write } = await desk(t);
  const of = (spec: string): string =>
    `${FOLDER['owner/template.yaml']}---\napiVersion: constraints.gatekeeper.sh/v1beta1\nkind: K8sNeedsOwner\nmetadata: { name: x }\nspec: ${spec}\n`;
  await write({
    'cases.yaml': `name: x\nwant: WANT\n${FOLDER['owner/without.yaml']}`,
    'warn/t.yaml': of('{ enforcementAction: warn }'),
    'dryrun/t.yaml': of('{ enforcementAction: dryrun }'),
    'scoped/t.yaml': of(
      '{ enforcementAction: scoped, scopedEnforcementActions: [{ action: deny, enforcementPoints: [{ name: validation.gatekeeper.sh }] }] }',
    ),
  });
  const WANT = { warn: 'Warned', dryrun: 'Allowed', scoped: 'Denied' };
  for (const [name, want] of Object.entries(WANT)) {
    t.is((await nexusctl(`pack convert ${name} ${name} --folder made/${name}`)).code, 0);
    const object = '{ apiVersion: v1, kind: Pod, metadata: { name: b, namespace: acme } }';
    await write({ [`made/${name}/cases/x.yaml`]: `name: x\nwant: ${want}\nobject: ${object}\n` });
    const told = await nexusctl(`pack test made/${name}`);
    t.regex(told.out, /1 of 1 cases passed/, `${name}: ${told.out} ${told.err}`);
  }
});

test('convert: referential templates need their inventory', async (t) => {
  const { nexusctl } = await desk(t);
  const { code, err } = await nexusctl('pack convert unique unique');
  t.is(code, 1);
  t.regex(err, /unique|template.yaml: spec.targets: K8sUniquePort looks at data.inventory/);
  t.is((await nexusctl('pack convert unique unique --inventory unique/taken.yaml --out m.yaml')).code, 0);
  t.regex((await nexusctl('pack explain m.yaml unique/new.yaml')).out, /port is taken by acme\/a/);
});

test('convert: nothing is made where something cannot be taken over', async (t) => {
  const { nexusctl, write } = await desk(t);
  const { err } = await nexusctl('pack convert owner owner');
  t.regex(err, /wrong.yaml: spec.parameters.depth: does not fit the schema of the template/);
  await write({ 'empty/x.yaml': 'kind: ConfigMap', 'alone/t.yaml': FOLDER['owner/template.yaml'] ?? '' });
  t.regex((await nexusctl('pack convert empty x')).err, /there is no ConstraintTemplate in empty/);
  t.regex(
    (await nexusctl('pack convert alone x')).err,
    /there is no constraint in alone: templates alone refuse nothing/,
  );
});

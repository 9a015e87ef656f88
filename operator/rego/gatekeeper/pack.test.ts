// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { problemText } from './problem.ts';
import { chosen, constraint, make, pack, template, violations } from './testing/templates.ts';

/** A part of a document, to be broken. */
type Any = ReturnType<typeof JSON.parse>;

const LABELS = `package k8slabels
import data.lib.names.missing
violation[{"msg": msg, "details": {"missing": m}}] {
  m := missing(input.review.object.metadata.labels, input.parameters.labels)
  count(m) > 0
  msg := sprintf("é: labels missing: %v", [m])
}`;
const LABELS_LIB = `package lib.names
missing(have, want) = out { out := {l | l := want[_]; not have[l]} }`;
const OTHER = `package k8slabels
violation[{"msg": data.lib.names.missing}] { true }`;
const OTHER_LIB = `package lib.names
missing = "the other library"`;

test('templates with packages and libraries of the same names do not meet', async (t) => {
  const made = await pack([
    template('K8sLabels', { rego: LABELS, libs: [LABELS_LIB] }),
    template('K8sOther', { rego: OTHER, libs: [OTHER_LIB] }),
  ]);
  const review = { object: { metadata: { labels: { app: 'x' } } } };
  const found = await violations(made, {
    review,
    constraints: [chosen('K8sLabels', 'a', { labels: ['app', 'team'] }), chosen('K8sOther', 'b')],
  });
  t.deepEqual(found, [
    {
      details: { missing: ['team'] },
      enforcementAction: 'deny',
      msg: 'é: labels missing: {"team"}',
      rule: 'K8sLabels/a',
    },
    { enforcementAction: 'deny', msg: 'the other library', rule: 'K8sOther/b' },
  ]);
});

test('every constraint is judged by its own parameters, and only those that are given', async (t) => {
  const made = await pack([
    template('K8sX', {
      rego: 'package x\nviolation[{"msg": input.parameters.say}] { input.review.object.bad }',
    }),
  ]);
  const constraints = [chosen('K8sX', 'a', { say: 'one' }), chosen('K8sX', 'b', { say: 'two' })];
  const found = (await violations(made, { review: { object: { bad: true } }, constraints })) as {
    msg: string;
  }[];
  t.deepEqual(
    found.map((one) => one.msg),
    ['one', 'two'],
  );
  t.deepEqual(await violations(made, { review: { object: { bad: true } }, constraints: [] }), []);
  t.deepEqual(await violations(made, { review: { object: {} }, constraints }), []);
});

test('of what is deleted, templates see the object that was', async (t) => {
  const made = await pack([
    template('K8sX', { rego: 'package x\nviolation[{"msg": input.review.object.metadata.name}] { true }' }),
  ]);
  const review = { operation: 'DELETE', object: null, oldObject: { metadata: { name: 'gone' } } };
  t.like(await violations(made, { review, constraints: [chosen('K8sX', 'a')] }), { 0: { msg: 'gone' } });
});

test('nothing that a template says is lost', async (t) => {
  const rego =
    'package x\nviolation["a text"] { true }\nviolation[{"why": 1}] { true }\nviolation[{"msg": 5}] { true }';
  const made = await pack([template('K8sX', { rego })]);
  const found = (await violations(made, { review: {}, constraints: [chosen('K8sX', 'a')] })) as {
    msg: string;
  }[];
  t.deepEqual(found.map((one) => one.msg).toSorted(), ['a text', '{"msg": 5}', '{"why": 1}']);
});

test('a constraint whose template is not there is a violation', async (t) => {
  const made = await pack([template('K8sX', { rego: 'package x\nviolation[{"msg": "x"}] { false }' })]);
  const found = await violations(made, { review: {}, constraints: [chosen('K8sGone', 'a')] });
  t.like(found, { 0: { rule: 'K8sGone/a', msg: 'the template of this constraint gave no answer' } });
});

test('old and new Rego live in one pack', async (t) => {
  const made = await pack([
    template('K8sOld', { rego: 'package x\nviolation[{"msg": "old"}] { true }' }),
    template('K8sNew', { rego: 'package y\nviolation contains {"msg": "new"} if true', version: 'v1' }),
    template('K8sMarked', {
      rego: 'package z\nimport rego.v1\nviolation contains {"msg": "marked"} if true',
      version: 'v1',
    }),
  ]);
  t.is(made.regoVersion, 'V0');
  const constraints = ['K8sOld', 'K8sNew', 'K8sMarked'].map((kind) => chosen(kind, 'a'));
  const found = (await violations(made, { review: {}, constraints })) as { msg: string }[];
  t.deepEqual(found.map((one) => one.msg).toSorted(), ['marked', 'new', 'old']);
});

test('a kind that is a word of Rego', async (t) => {
  const made = await pack([template('Default', { rego: 'package x\nviolation[{"msg": "x"}] { true }' })]);
  t.like(await violations(made, { review: {}, constraints: [chosen('Default', 'a')] }), { 0: { msg: 'x' } });
});

test('data.lib in all the ways it can be written, and not where it is a text or a comment', async (t) => {
  const rego = `package x # data.lib.h
import data.lib.h as helpers
violation[{"msg": msg}] {
	e := "é data.lib.h"; data.lib.h.one == 1; data["lib"].h.one == 1; data[\`lib\`]["h"].one == 1; helpers.one == 1
	all := [v | v := data.lib.h.one]
	count(all) == 1
	got := data.lib.h.seen with data.lib.h.fact as 7
	msg := sprintf("%v %v", [e, got])
}`;
  const libs = ['package lib.h\none = 1\nfact = 0\nseen = data.lib.h.fact { true }'];
  const made = await pack([template('K8sX', { rego, libs })]);
  const found = await violations(made, { review: {}, constraints: [chosen('K8sX', 'a')] });
  t.like(found, { 0: { msg: 'é data.lib.h 7' } });
});

test('constraints are kept as they are, with the defaults of the schema, as the API server stores them', async (t) => {
  const schema = {
    type: 'object',
    properties: {
      mode: { type: 'string', default: 'strict' },
      rules: {
        type: 'array',
        items: { type: 'object', properties: { max: { type: 'integer', default: 3 } } },
      },
    },
  };
  const made = await pack(
    [template('K8sX', { rego: 'package x\nviolation[{"msg": "x"}] { true }', schema })],
    [
      constraint('K8sX', 'a', {
        enforcementAction: 'warn',
        match: { scope: 'Cluster' },
        parameters: { rules: [{}, { max: 5 }] },
      }),
    ],
  );
  const parameters = { mode: 'strict', rules: [{ max: 3 }, { max: 5 }] };
  t.deepEqual(made.data, {
    gatekeeper: {
      constraints: [
        {
          kind: 'K8sX',
          metadata: { name: 'a' },
          spec: { enforcementAction: 'warn', match: { scope: 'Cluster' }, parameters },
        },
      ],
    },
  });
});

test('referential templates look at the inventory, and are refused without one', async (t) => {
  const rego = `package x
violation[{"msg": name}] { data.inventory.namespace["acme"]["v1"]["Service"][name].spec.x == input.review.object.x }
violation[{"msg": name}] { data.inventory.cluster["storage.k8s.io/v1"].StorageClass[name] }`;
  const templates = [template('K8sX', { rego })];
  const inventory = [
    {
      file: 's',
      value: {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'web', namespace: 'acme' },
        spec: { x: 1 },
      },
    },
    {
      file: 'c',
      value: { apiVersion: 'storage.k8s.io/v1', kind: 'StorageClass', metadata: { name: 'fast' } },
    },
  ];
  const made = await pack(templates, [], inventory);
  t.deepEqual(made.referential, ['K8sX']);
  const found = (await violations(made, {
    review: { object: { x: 1 } },
    constraints: [chosen('K8sX', 'a')],
  })) as { msg: string }[];
  t.deepEqual(found.map((one) => one.msg).toSorted(), ['fast', 'web']);
  const refused = await make(templates);
  t.regex(
    refused.kind === 'refused' ? refused.problems.map(problemText).join() : '',
    /K8sX looks at data.inventory/,
  );
});

const PLAIN = 'package x\nviolation[{"msg": "x"}] { true }';
const SCHEMA = {
  type: 'object',
  properties: {
    max: { type: 'integer', minimum: 1 },
    port: { 'x-kubernetes-int-or-string': true },
    none: { type: 'string', nullable: true },
  },
  required: ['max'],
};

const REFUSED: Readonly<Record<string, { readonly given: Parameters<typeof make>; readonly says: RegExp }>> =
  {
    'Rego that does not parse': {
      given: [[template('K8sX', { rego: 'package x\nviolation[' })]],
      says: /^K8sX.yaml: spec.targets\[0\].rego: is not Rego: line 2: /,
    },
    'old Rego that says it is new': {
      given: [[template('K8sX', { rego: PLAIN, version: 'v1' })]],
      says: /spec.targets\[0\].rego: is not Rego: line 2/,
    },
    'a version that does not exist': {
      given: [[template('K8sX', { rego: PLAIN, version: 'v2' })]],
      says: /source.version: must be v0 or v1; is "v2"/,
    },
    'no rule that is asked': {
      given: [[template('K8sX', { rego: 'package x\ndeny[x] { x := 1 }' })]],
      says: /has no rule violation that makes a set/,
    },
    'a violation that is no set': {
      given: [[template('K8sX', { rego: 'package x\nviolation = "x" { true }' })]],
      says: /has no rule violation that makes a set/,
    },
    'data that is not its own': {
      given: [[template('K8sX', { rego: `${PLAIN}\ny { data.other.secret }` })]],
      says: /line 3 looks at data.other; a template may look at data.lib and data.inventory/,
    },
    'all data': {
      given: [[template('K8sX', { rego: `${PLAIN}\ny { data[_].secret }` })]],
      says: /line 3 looks at data as a whole/,
    },
    'a library of another package': {
      given: [[template('K8sX', { rego: PLAIN, libs: ['package helpers\nx = 1'] })]],
      says: /libs\[0\]: is package helpers; that of a library begins with lib/,
    },
    'a template twice': {
      given: [[template('K8sX', { rego: PLAIN }), template('K8sX', { rego: PLAIN })]],
      says: /ConstraintTemplate K8sX is also in K8sX.yaml/,
    },
    'a constraint twice': {
      given: [[template('K8sX', { rego: PLAIN })], [constraint('K8sX', 'a'), constraint('K8sX', 'a')]],
      says: /constraint K8sX\/a is also in a.yaml/,
    },
    'a constraint without its template': {
      given: [[template('K8sX', { rego: PLAIN })], [constraint('K8sY', 'a')]],
      says: /a.yaml: kind: is K8sY, and no ConstraintTemplate makes that kind/,
    },
    'a constraint that cannot be read': {
      given: [[template('K8sX', { rego: PLAIN })], [constraint('K8sX', 'a', { enforcementAction: 'no' })]],
      says: /a.yaml: spec.enforcementAction: must be deny, warn, dryrun or scoped/,
    },
    'a parameter of another type': {
      given: [
        [template('K8sX', { rego: PLAIN, schema: SCHEMA })],
        [constraint('K8sX', 'a', { parameters: { max: 'two' } })],
      ],
      says: /a.yaml: spec.parameters.max: does not fit the schema of the template: .*integer/,
    },
    'a parameter out of bounds, and one that is missing': {
      given: [
        [template('K8sX', { rego: PLAIN, schema: SCHEMA })],
        [constraint('K8sX', 'a', { parameters: { max: 0 } }), constraint('K8sX', 'b')],
      ],
      says: /max[\s\S]*b.yaml: spec.parameters: .*max/,
    },
  };

for (const [name, { given, says }] of Object.entries(REFUSED)) {
  test(`refused, with file and field: ${name}`, async (t) => {
    const made = await make(...given);
    t.regex(made.kind === 'refused' ? made.problems.map(problemText).join('\n') : 'it was made', says);
  });
}

test('what a schema of the API server allows is allowed', async (t) => {
  const given = { max: 1, port: 'http', none: null, unknown: 1 };
  const made = await make(
    [template('K8sX', { rego: PLAIN, schema: SCHEMA })],
    [constraint('K8sX', 'a', { parameters: given })],
  );
  t.is(made.kind, 'ok');
});

const BROKEN: Readonly<Record<string, readonly [(value: Record<string, Any>) => void, RegExp]>> = {
  'no kind': [(value) => delete value['spec'].crd, /spec.crd.spec.names.kind: must be the name of a kind/],
  'another name than its kind': [
    (value) => (value['metadata'].name = 'other'),
    /metadata.name: is "other"; .*"k8sx"/,
  ],
  'no target': [(value) => delete value['spec'].targets, /spec.targets: must have one entry/],
  'another target': [
    (value) => (value['spec'].targets[0].target = 'x'),
    /targets\[0\].target: must be admission.k8s/,
  ],
  'CEL alone': [
    (value) => (value['spec'].targets[0].code = [{ engine: 'K8sNativeValidation', source: {} }]),
    /code: has only engine K8sNativeValidation; an entry with engine Rego is needed/,
  ],
  'an empty source': [
    (value) => (value['spec'].targets[0].rego = ' '),
    /rego: must be Rego with a rule violation; it is empty/,
  ],
  'libraries that are none': [
    (value) => (value['spec'].targets[0].libs = 'x'),
    /libs: must be a list of texts/,
  ],
  'a version nobody knows': [
    (value) => (value['apiVersion'] = 'templates.gatekeeper.sh/v9'),
    /apiVersion: is of version v9/,
  ],
};

for (const [name, [change, says]] of Object.entries(BROKEN)) {
  test(`a template is refused, with its field: ${name}`, async (t) => {
    const document = structuredClone(template('K8sX', { rego: PLAIN })) as {
      file: string;
      value: Record<string, Any>;
    };
    change(document.value);
    const made = await make([document]);
    t.regex(made.kind === 'refused' ? made.problems.map(problemText).join('\n') : 'it was made', says);
  });
}

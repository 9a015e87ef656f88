// SPDX-License-Identifier: Apache-2.0
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { parse, stringify } from 'yaml';
import { openDesk } from '../testing/cli.ts';

const TEMPLATE = `apiVersion: templates.gatekeeper.sh/v1
kind: ConstraintTemplate
metadata:
  name: k8sownhost
  annotations:
    metadata.gatekeeper.sh/requires-sync-data: |
      "[[{"groups":["extensions"],"versions":["v1beta1"],"kinds":["Ingress"]},{"groups":["networking.k8s.io"],"versions":["v1beta1","v1"],"kinds":["Ingress"]}]]"
spec:
  crd: { spec: { names: { kind: K8sOwnHost } } }
  targets:
    - target: admission.k8s.gatekeeper.sh
      rego: |
        package k8sownhost
        violation[{"msg": msg}] {
          host := input.review.object.spec.rules[_].host
          other := data.inventory.namespace[_][version].Ingress[name]
          re_match("^(extensions|networking.k8s.io)/.+$", version)
          other.spec.rules[_].host == host
          name != input.review.object.metadata.name
          msg := sprintf("host <%v> is taken by <%v>", [host, name])
        }
---
apiVersion: constraints.gatekeeper.sh/v1beta1
kind: K8sOwnHost
metadata: { name: own }
spec: { match: { kinds: [{ apiGroups: [networking.k8s.io], kinds: [Ingress] }] } }
`;

test('a template that requires synced data becomes a pack that looks at live objects', async (t) => {
  const desk = await openDesk(t);
  await desk.write({ 'gatekeeper/all.yaml': TEMPLATE });
  const { code, err } = await desk.nexusctl('pack convert gatekeeper own --out own.yaml');
  t.is(code, 0, err);
  const made = parse(await readFile(join(desk.folder, 'own.yaml'), 'utf8')) as {
    readonly spec: Readonly<Record<string, unknown>>;
  };
  t.deepEqual(made.spec['inventory'], { kinds: [{ apiVersion: 'networking.k8s.io/v1', kind: 'Ingress' }] });
  t.false(JSON.stringify(made.spec['source']).includes('"inventory":'), 'and none is kept in it');
});

test('objects that are given are kept in the pack, and nothing live is looked at', async (t) => {
  const desk = await openDesk(t);
  await desk.write({
    'gatekeeper/all.yaml': TEMPLATE,
    'objects/web.yaml':
      'apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: { name: web, namespace: a }\n',
  });
  const { code, out, err } = await desk.nexusctl('pack convert gatekeeper own --inventory objects -o json');
  t.is(code, 0, err);
  const { spec } = JSON.parse(out) as { readonly spec: Readonly<Record<string, unknown>> };
  t.is(spec['inventory'], undefined);
  t.true(JSON.stringify(spec['source']).includes('"inventory":{"namespace":{"a":'));
});

test('a template that says of nothing what it looks at is refused, with what would pass', async (t) => {
  const desk = await openDesk(t);
  await desk.write({ 'gatekeeper/all.yaml': TEMPLATE.replace('requires-sync-data', 'title') });
  const { code, err } = await desk.nexusctl('pack convert gatekeeper own');
  t.is(code, 1);
  t.regex(
    err,
    /K8sOwnHost looks at data\.inventory: .* Say which kinds are to be looked at \(metadata\.gatekeeper\.sh\/requires-sync-data, a Config or a SyncSet\)/,
  );
});

test('a builtin that packs have not is refused with why', async (t) => {
  const desk = await openDesk(t);
  await desk.nexusctl('pack init tags');
  await desk.write({
    'tags/more.rego': 'package more\ndeny contains "x" if http.send({"method": "get", "url": "https://x"})\n',
  });
  const { code, err } = await desk.nexusctl('pack build tags');
  t.is(code, 1);
  t.regex(
    err,
    /more\.rego:2:.*undefined function http\.send: packs have not http\.send, as it asks the network/,
  );
});

const OTHERS = `apiVersion: mutations.gatekeeper.sh/v1
kind: Assign
metadata: { name: pull-always }
---
apiVersion: expansion.gatekeeper.sh/v1beta1
kind: ExpansionTemplate
metadata: { name: workloads }
---
apiVersion: externaldata.gatekeeper.sh/v1beta1
kind: Provider
metadata: { name: scanner }
---
apiVersion: config.gatekeeper.sh/v1alpha1
kind: Config
metadata: { name: config, namespace: gatekeeper-system }
spec: { match: [{ excludedNamespaces: [kube-system, a-*], processes: ['*'] }] }
---
apiVersion: v1
kind: Namespace
metadata: { name: a }
`;

test('what had an effect in Gatekeeper, and has none in the pack, is told where the pack goes', async (t) => {
  const desk = await openDesk(t);
  const typo = TEMPLATE.replace('spec: { match: {', 'spec: { match: { excludedNamespace: [a],');
  await desk.write({ 'gatekeeper/all.yaml': typo, 'gatekeeper/others.yaml': OTHERS });
  const said = [
    'others.yaml: Assign pull-always mutates, which is not taken over: write rules mutate for it',
    'others.yaml: ExpansionTemplate workloads expands what makes pods, which is not taken over: write rules for these kinds, or bind pods',
    'others.yaml: Provider scanner is asked by templates with external_data, which packs have not',
    'others.yaml: Config config leaves out the namespaces kube-system, a-*, which is not taken over: use spec.binding.excludedNamespaces',
    'all.yaml: spec.match.excludedNamespace is no field of Gatekeeper, and limits nothing',
  ];
  const printed = await desk.nexusctl('pack convert gatekeeper own');
  t.is(printed.code, 0, printed.err);
  t.deepEqual(
    printed.out.split('\n').slice(0, said.length),
    said.map((words) => `# ${words}`),
  );
  t.is((parse(printed.out) as { readonly kind: string }).kind, 'PolicyPack');
  const written = await desk.nexusctl('pack convert gatekeeper own --folder own');
  t.deepEqual(written.out.split('\n').slice(0, said.length + 1), [
    '1 template, 1 constraint; 5 other documents left out',
    ...said.map((words) => `without effect: ${words}`),
  ]);
});

/** Of YAML 1.1, which kubectl reads. */
const BREAKS = /\r\n|[\n\r\u0085\u2028\u2029]/;
const FOREIGN = ['---', 'apiVersion: rbac.authorization.k8s.io/v1', 'kind: ClusterRoleBinding', ''];

for (const [name, end] of Object.entries({
  'a newline': '\n',
  'a carriage return': '\r',
  both: '\r\n',
  'a next line': '\u0085',
  'a line separator': '\u2028',
  'a paragraph separator': '\u2029',
})) {
  test(`what others call their documents stays in the comment: ${name}`, async (t) => {
    const desk = await openDesk(t);
    const evil = ['a', ...FOREIGN].join(end);
    const [template = '', own = ''] = TEMPLATE.split('---\n');
    const constraint = parse(own) as { readonly spec: { readonly match: object } };
    const spec = { match: { ...constraint.spec.match, [evil]: [] } };
    await desk.write({
      'gatekeeper/template.yaml': template.replace(
        'package k8sownhost\n',
        `$&        # ${evil.replaceAll('\n', ' ')}\n`,
      ),
      [`gatekeeper/${evil.replaceAll('/', ' ')}.yaml`]: stringify({ ...constraint, spec }),
      'gatekeeper/others.yaml': [
        { apiVersion: 'mutations.gatekeeper.sh/v1', kind: `Assign${evil}`, metadata: { name: evil } },
        {
          apiVersion: 'config.gatekeeper.sh/v1alpha1',
          kind: 'Config',
          metadata: { name: 'config' },
          spec: { match: [{ excludedNamespaces: [evil] }] },
        },
      ]
        .map((one) => stringify(one))
        .join('---\n'),
    });
    const { code, out, err } = await desk.nexusctl('pack convert gatekeeper own');
    t.is(code, 0, err);
    const lines = out.split(BREAKS);
    t.deepEqual(
      lines.slice(0, 4).map((line) => line.slice(0, 2)),
      ['# ', '# ', '# ', 'ap'],
      out,
    );
    t.deepEqual(
      lines.filter((line) => /^\S/.test(line) && !line.startsWith('#')),
      ['apiVersion: nexusos.dev/v1alpha1', 'kind: PolicyPack', 'metadata:', 'spec:'],
    );
    const yaml = await desk.nexusctl('pack convert gatekeeper own -o yaml');
    t.is(yaml.out.split(BREAKS).filter((line) => /^\S/.test(line)).length, 4, 'nor do programs read more');
    t.deepEqual(parse(yaml.out), parse(out));
    const written = await desk.nexusctl('pack convert gatekeeper own --folder own');
    t.is(written.out.split(BREAKS).length, 5, 'a terminal is shown no more lines either');
  });
}

test('a long name does not hide what is said of it', async (t) => {
  const desk = await openDesk(t);
  await desk.write({
    'gatekeeper/all.yaml': `${TEMPLATE}---\n${OTHERS.replace('pull-always', 'a'.repeat(9000))}`,
  });
  const { out } = await desk.nexusctl('pack convert gatekeeper own');
  t.regex(out.split('\n')[0] ?? '', /^# all\.yaml: Assign a{252}… mutates, which is not taken over/);
});

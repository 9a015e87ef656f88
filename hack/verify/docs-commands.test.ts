// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { KINDS } from '#crds/v1alpha1/index';
import { commandProblems } from './docs-commands.ts';

interface Case {
  readonly command: string;
  readonly want?: readonly RegExp[];
}

const CASES: Readonly<Record<string, Case>> = {
  'a patch that fits': {
    command: `kubectl patch tn acme --type merge -p '{"spec":{"quotas":{"runUnits":[{"window":"hour","limit":"50k"}]}}}'`,
  },
  'a patch that takes a field away': {
    command: `kubectl patch tn acme --type merge -p '{"spec":{"quotas":{"cost":null}}}'`,
  },
  'a patch of a field that is none': {
    command: `kubectl patch tn acme --type merge -p '{"spec":{"quota":{}}}'`,
    want: [/page\.md:2: Tenant: spec\.quota: is not a field$/],
  },
  'a patch of an entry that is none': {
    command: `kubectl patch tn acme --type merge -p '{"spec":{"quotas":{"runUnits":[{"windw":"hour"}]}}}'`,
    want: [/spec\.quotas\.runUnits\[0\]\.windw: is not a field/],
  },
  'a patch with a unit that is none': {
    command: `kubectl patch tn acme --type merge -p '{"spec":{"quotas":{"cost":[{"window":"day","limit":"20 USD"}]}}}'`,
    want: [/spec\.quotas\.cost\[0\]\.limit: found 20 USD; it has to match/],
  },
  'a patch with a choice that there is not': {
    command: `kubectl patch tn acme --type merge -p '{"spec":{"suspendPolicy":"Kill"}}'`,
    want: [/spec\.suspendPolicy: found Kill; allowed: Finish, Pause/],
  },
  'a patch with a text for a number, on a second line': {
    command: `kubectl patch pack -n a b --type=merge \\\n    -p '{"spec":{"rollout":{"shadowSeconds":"5"}}}'`,
    want: [/spec\.rollout\.shadowSeconds: found "5"; integer is wanted/],
  },
  'a patch with what the reader fills in': {
    command: `kubectl patch pack a -n b --type merge -p "{\\"spec\\":{\\"rollout\\":{\\"acknowledge\\":\\"$digest\\"}}}"`,
  },
  'a patch of what anybody may fill in': {
    command: `kubectl patch pack a --type merge -p '{"spec":{"parameters":{"allowed":["a"]}}}'`,
  },
  'a patch of the type that kubectl sends by itself': {
    command: `kubectl patch tn acme -p '{"spec":{"suspended":true}}'`,
    want: [/needs --type merge or --type json$/],
  },
  'a patch by its long name, after an equals sign': {
    command: `kubectl --as tess patch tn acme --type=merge --patch='{"spec":{"quota":{}}}'`,
    want: [/spec\.quota: is not a field$/],
  },
  'a patch by its long name, as the next word': {
    command: `kubectl patch --type=merge --patch '{"spec":{"quota":{}}}' tn acme`,
    want: [/spec\.quota: is not a field$/],
  },
  'a patch right behind its flag': {
    command: `kubectl patch -p='{"spec":{"quota":{}}}' --type merge tn acme`,
    want: [/spec\.quota: is not a field$/],
  },
  'operations on fields that are there': {
    command: `kubectl patch tn acme --type json -p '[{"op":"replace","path":"/spec/quotas/runUnits/0/limit","value":"5k"},{"op":"remove","path":"/spec/quotas/cost"},{"op":"add","path":"/metadata/labels/a.b~1c","value":"d"}]'`,
  },
  'operations on fields that are none': {
    command: `kubectl patch tn acme --type=json -p '[{"op":"add","path":"/spec/quota","value":{}},{"op":"test","path":"/spec/quotas/runUnits/first","value":1}]'`,
    want: [/the path \/spec\/quota leads to no field$/, /\/spec\/quotas\/runUnits\/first leads to no field$/],
  },
  'operations with values that are not taken': {
    command: `kubectl patch tn acme --type json --patch '[{"op":"add","path":"/spec/suspendPolicy","value":"Kill"},{"op":"add","path":"/spec/quotas/runUnits/-","value":{"windw":"hour"}}]'`,
    want: [
      /\/spec\/suspendPolicy: found Kill; allowed:/,
      /\/spec\/quotas\/runUnits\/-\.windw: is not a field/,
    ],
  },
  'operations that are none': {
    command: `kubectl patch tn acme --type json -p '[{"op":"put","path":"/spec/plan","value":"a"}]'`,
    want: [/found op put; allowed: add, remove/],
  },
  'a merge patch where operations are wanted': {
    command: `kubectl patch tn acme --type json -p '{"spec":{"suspended":true}}'`,
    want: [/a JSON patch is a list of operations/],
  },
  'a patch that is no JSON': {
    command: `kubectl patch run a --type merge -p '{"spec":{"cancel":true}'`,
    want: [/is no JSON/],
  },
  'paths that are there, with those within a range': {
    command: `kubectl get tn acme -o jsonpath='{range .status.usage[*]}{.name} {.used} of {.limit}{"\\n"}{end}{.spec.plan}'`,
  },
  'paths of a list': {
    command: `kubectl get tn -o jsonpath='{range .items[?(@.spec.quotas.cost)]}{.metadata.name}{"\\n"}{end}'`,
  },
  'a path that leads nowhere': {
    command: `x=$(kubectl get run a -n b -o jsonpath='{.status.phse}')`,
    want: [/Run: the path \.status\.phse leads to no field/],
  },
  'a path within a range that leads nowhere': {
    command: `kubectl get tn acme -o jsonpath='{range .status.usage[*]}{.usd}{end}'`,
    want: [/the path \.status\.usage\[\*\]\.usd leads to no field/],
  },
  'entries that are chosen by what they have not': {
    command: `kubectl get run a -o jsonpath='{.status.conditions[?(@.kind=="Ready")].message}'`,
    want: [/leads to no field/],
  },
  'a path that one of two kinds has': {
    command: `kubectl get quotaledger/acme usagerecord/acme -o jsonpath='{range .items[*]..windows[?(@.window=="month")]}{.start}{end}'`,
  },
  'a path that none of two kinds has': {
    command: `kubectl get quotaledger/acme usagerecord/acme -o jsonpath='{range .items[*]..windws[*]}{.start}{end}'`,
    want: [/QuotaLedger: the path \.items\[\*\]\.\.windws\[\*\] leads/, /windws\[\*\]\.start leads/],
  },
  'a condition that is told': { command: 'kubectl wait run/a --for=condition=Finished --timeout=60s' },
  'a condition that is not': {
    command: 'kubectl wait run/a --for=condition=Complete',
    want: [/Run: there is no condition Complete/],
  },
  'a condition that is not, as the next word': {
    command: 'kubectl wait --timeout 60s --for condition=Complete run/a',
    want: [/Run: there is no condition Complete/],
  },
  'a condition that is waited to be untrue': { command: 'kubectl wait run/a --for condition=Ready=false' },
  'a template right behind its flag': {
    command: `kubectl get run a -ojsonpath='{.status.phse}'`,
    want: [/Run: the path \.status\.phse leads to no field/],
  },
  'a field that is waited for': {
    command: `kubectl wait run/a --for=jsonpath='{.status.queue.resaon}'=QueueFull`,
    want: [/\.status\.queue\.resaon leads to no field/],
  },
  'fields that Runs are selected by': {
    command: 'kubectl get runs --field-selector status.revision.name=a,status.phase=Queued # all',
  },
  'a field that they are not': {
    command: 'kubectl get runs --field-selector spec.priority=1',
    want: [/no field selector knows \.spec\.priority/],
  },
  'kinds of others are not judged': { command: `kubectl get pods -o jsonpath='{.items[0].nope}'` },
  'a path that is sorted by': { command: 'kubectl get agentrevisions --sort-by=.spec.revision' },
  'a path that leads nowhere, to sort by': {
    command: `kubectl get agentrevisions --sort-by='{.spec.revison}'`,
    want: [/AgentRevision: the path \.spec\.revison leads to no field/],
  },
  'what only looks like a template': { command: `kubectl get run a -l jsonpath={.nope}` },
  'what comes after a pipe is another command': {
    command: `kubectl get tn a -o jsonpath='{.spec.plan}' | grep -p '{'`,
  },
};

for (const [title, { command, want = [] }] of Object.entries(CASES)) {
  test(`commands: ${title}`, (t) => {
    const text = `\`\`\`sh\n${command}\n\`\`\`\n`;
    const found = commandProblems([{ path: 'page.md', text }], KINDS);
    t.is(found.length, want.length, found.join('\n'));
    for (const [index, pattern] of want.entries()) t.regex(found[index]!, pattern);
  });
}

test('a console shows what is printed too, which is no command', (t) => {
  const text = `1. a\n\n   \`\`\`console\n   $ kubectl patch tn a --type merge -p '{"spec":{"no":1}}'\n   {"spec":{"no":1}}\n   \`\`\`\n`;
  t.deepEqual(commandProblems([{ path: 'page.md', text }], KINDS), [
    'page.md:4: Tenant: spec.no: is not a field',
  ]);
});

test('a command within a sentence is one', (t) => {
  const text = 'Say\n`kubectl patch tn a --type merge -p \'{"spec":{"no":1}}\'`, and it is.\n';
  t.deepEqual(commandProblems([{ path: 'page.md', text }], KINDS), [
    'page.md:2: Tenant: spec.no: is not a field',
  ]);
});

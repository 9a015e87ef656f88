// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { KubeObject, Resource } from '../object.ts';
import { buildSnapshot, type SnapshotRevision } from '../policy/snapshot.ts';
import {
  answered,
  failed,
  FACTS,
  makeExemption,
  makeRevision,
  makeState,
  NOW,
  PLATFORM,
} from '../policy/testing/make.ts';
import { askedAbout, liveReview } from './live-review.ts';
import { NamespaceTally, reportName, reportOf } from './report.ts';
import { SCANNABLE, scannedBy } from './scannable.ts';
import { nextExpiryMs, verdictOn } from './verdict.ts';

const PODS = SCANNABLE.find(({ plural }) => plural === 'pods') as Resource;
const pod: KubeObject = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web-1', namespace: 'acme-dev', uid: 'uid-1', labels: { app: 'web' } },
};

function snapshotOf(revisions: readonly SnapshotRevision[]) {
  const { tenant, namespace } = FACTS;
  return buildSnapshot({
    platformNamespace: PLATFORM,
    packs: revisions.map((one) => makeState(one, { ...(one.trust === 'Tenant' && { tenant: 'acme' }) })),
    revisions: new Map(revisions.map((one) => [one.key, one])),
    quarantined: new Set(),
    enforced: new Map(),
    exemptions: [],
    tenants: new Map([['acme', tenant!]]),
    namespaces: new Map([['acme-dev', namespace!]]),
  });
}

const SCANNED: Readonly<
  Record<string, readonly [Parameters<typeof scannedBy>[0], readonly string[], readonly string[]]>
> = {
  'without rules: workloads, Agents and Runs': [
    [{}],
    [
      'pods',
      'podtemplates',
      'replicationcontrollers',
      'daemonsets',
      'deployments',
      'replicasets',
      'statefulsets',
      'cronjobs',
      'jobs',
      'agents',
      'runs',
    ],
    [],
  ],
  'what several name is looked at once; a subresource does not exist by itself': [
    [
      { rules: [{ apiGroups: [''], resources: ['pods', 'pods/exec', 'services/*'] }] },
      { rules: [{ apiGroups: ['*'], resources: ['pods'] }] },
    ],
    ['pods', 'services'],
    [],
  ],
  'a group is not another': [
    [{ rules: [{ apiGroups: ['batch'], resources: ['pods'] }] }],
    [],
    ['pods.batch'],
  ],
  'Secrets are never read, whoever names them; and it is said': [
    [{ rules: [{ apiGroups: [''], resources: ['secrets', 'configmaps', 'services'] }] }],
    ['services'],
    ['configmaps', 'secrets'],
  ],
  'all means what is on the list': [
    [{ rules: [{ apiGroups: ['*'], resources: ['*'] }] }],
    SCANNABLE.map(({ plural }) => plural),
    [],
  ],
};

for (const [name, [bindings, want, beyond]] of Object.entries(SCANNED)) {
  test(`what is looked at: ${name}`, (t) => {
    const scanned = scannedBy(bindings);
    t.deepEqual(
      scanned.resources.map(({ plural }) => plural),
      want,
    );
    t.deepEqual(scanned.beyond, beyond);
  });
}

test('kinds of others that the platform names are looked at, and no others', (t) => {
  const rollouts = { ...PODS, apiVersion: 'argoproj.io/v1alpha1', kind: 'Rollout', plural: 'rollouts' };
  const own = [{ rules: [{ apiGroups: ['argoproj.io'], resources: ['rollouts/*', 'workflows'] }] }];
  t.deepEqual(scannedBy(own, [rollouts]), { resources: [rollouts], beyond: ['workflows.argoproj.io'] });
  t.deepEqual(scannedBy(own), {
    resources: [],
    beyond: ['rollouts.argoproj.io', 'workflows.argoproj.io'],
  });
  const all = scannedBy([{ rules: [{ apiGroups: ['*'], resources: ['*'] }] }], [rollouts]);
  t.deepEqual(all, { resources: [...SCANNABLE, rollouts], beyond: [] });
  t.deepEqual(scannedBy([{ rules: [{ apiGroups: [''], resources: ['pods'] }] }], [rollouts]).resources, [
    PODS,
  ]);
});

test('an object is judged as one that is made, by nobody', (t) => {
  const review = liveReview(pod, PODS, 'CREATE');
  t.like(review, {
    kind: { group: '', version: 'v1', kind: 'Pod' },
    resource: { group: '', version: 'v1', resource: 'pods' },
    name: 'web-1',
    namespace: 'acme-dev',
    operation: 'CREATE',
    userInfo: { username: '', groups: [] },
  });
  t.is(review.oldObject, undefined);
  const deployments = SCANNABLE.find(({ plural }) => plural === 'deployments') as Resource;
  t.deepEqual(liveReview(pod, deployments, 'UPDATE').kind, {
    group: 'apps',
    version: 'v1',
    kind: 'Deployment',
  });
});

const rules = (operations: readonly string[]) => ({
  rules: [{ apiGroups: [''], resources: ['pods'], operations }],
});
const named = (name: string, parts: Partial<SnapshotRevision>) =>
  makeRevision({ pack: { namespace: PLATFORM, name }, revision: `${name}-1`, ...parts });

test('who is asked about an object: whom admission would ask, each once', (t) => {
  const snapshot = snapshotOf([
    named('both', { binding: rules(['CREATE', 'UPDATE']) }),
    named('changes', { binding: rules(['UPDATE']) }),
    named('deletions', { binding: rules(['DELETE']) }),
    named('elsewhere', { binding: { excludedNamespaces: ['acme-*'] } }),
    named('own', { trust: 'Tenant', pack: { namespace: 'acme-dev', name: 'own' }, key: 'acme-dev/own-1' }),
  ]);
  const asked = askedAbout(snapshot, pod, PODS);
  t.deepEqual(
    asked.map(({ revision, review }) => `${revision.pack.name} ${review.operation}`),
    ['both CREATE', 'own CREATE', 'changes UPDATE'],
  );
  const foreign = { ...pod, metadata: { ...pod.metadata, namespace: 'kube-system' } };
  t.deepEqual(
    askedAbout(snapshot, foreign, PODS),
    [],
    'what no webhook would be asked about is not judged here',
  );
});

test('a finding is told as what would come of it', (t) => {
  const verdict = (
    parts: Partial<SnapshotRevision>,
    answer = { deny: [{ rule: 'root', message: 'no', field: '/spec' }] },
  ) => {
    const revision = makeRevision(parts);
    const [asked] = askedAbout(snapshotOf([revision]), pod, PODS);
    return verdictOn(asked!, answered(revision, answer).result, { exemptions: [], now: NOW });
  };
  t.deepEqual(verdict({}), {
    isDenied: true,
    findings: [{ rule: 'root', result: 'fail', message: 'no (/spec)' }],
  });
  for (const enforcement of ['Warn', 'DryRun'] as const) {
    const { isDenied, findings } = verdict({ enforcement });
    t.deepEqual([isDenied, findings[0]?.result], [false, 'warn']);
  }
  const revision = makeRevision({});
  const [asked] = askedAbout(snapshotOf([revision]), pod, PODS);
  const broken = verdictOn(asked!, failed(revision).result, { exemptions: [], now: NOW });
  t.deepEqual([broken.isDenied, broken.findings[0]?.result], [true, 'error']);
  const many = Array.from({ length: 500 }, (_, i) => ({
    rule: `r${i}`,
    message: 'x'.repeat(900),
    field: '',
  }));
  const { findings } = verdict({}, { deny: many });
  t.is(findings.length, 16);
  t.true(findings.every(({ message }) => message.length <= 512));
});

test('an exemption lifts a finding until the very moment at which it expires, and is told', (t) => {
  const revision = makeRevision({});
  const [asked] = askedAbout(snapshotOf([revision]), pod, PODS);
  const { result } = answered(revision, { deny: [{ rule: 'root', message: 'no' }] });
  const exemption = makeExemption({ expiresAt: '2026-11-20T13:00:00Z' });
  const at = (time: string) => {
    const { isDenied, findings } = verdictOn(asked!, result, {
      exemptions: [exemption],
      now: new Date(time),
    });
    return [isDenied, findings[0]?.result, findings[0]?.exemption];
  };
  t.deepEqual(at('2026-11-20T12:59:59Z'), [false, 'skip', 'legacy-web']);
  t.deepEqual(at('2026-11-20T13:00:00Z'), [true, 'fail', undefined]);
  t.is(nextExpiryMs([exemption, makeExemption({ expiresAt: '2026-11-20T11:00:00Z' })], NOW), 3_600_000);
  t.is(nextExpiryMs([], NOW), undefined);
});

const PACK = { namespace: PLATFORM, name: 'baseline', revision: 'baseline-1', version: '1.0.0' };
const object = (name: string) => ({ apiVersion: 'v1', kind: 'Pod', name, uid: `uid-${name}` });

const tallyOf = (order: readonly number[]) => {
  const tally = new NamespaceTally();
  for (const i of order) {
    tally.add(object(`p${i}`), [{ rule: 'root', result: i % 10 === 0 ? 'fail' : 'warn', message: 'no' }]);
  }
  tally.add(object('fine'), []);
  return tally;
};

test('a report tells the gravest first, the same whatever the order was, and counts what it does not tell', (t) => {
  const findings = Array.from({ length: 1000 }, (_, i) => i);
  const report = reportOf(PACK, 'acme-dev', tallyOf(findings));
  t.deepEqual(reportOf(PACK, 'acme-dev', tallyOf(findings.toReversed())), report);
  const { summary, results } = report as unknown as {
    readonly summary: unknown;
    readonly results: readonly { readonly result: string }[];
  };
  t.deepEqual(summary, { pass: 1, fail: 100, warn: 900, error: 0, skip: 0 });
  t.is(results.length, 100);
  t.true(results.every(({ result }) => result === 'fail'));
  t.true(JSON.stringify(report).length < 100_000);
});

test('there is no report where nothing is said; packs of one name in two namespaces have one each', (t) => {
  const tally = new NamespaceTally();
  tally.add(object('fine'), []);
  t.is(reportOf(PACK, 'acme-dev', tally), undefined);
  t.not(reportName(PACK), reportName({ ...PACK, namespace: 'acme-dev' }));
});

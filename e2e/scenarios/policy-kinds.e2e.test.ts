// SPDX-License-Identifier: Apache-2.0
import anyTest, { type TestFn } from 'ava';
import { attachChart } from '#hack/system/attach';
import { PLATFORM_NAMESPACE } from '#hack/system/chart';
import { eventually } from '#hack/tools/eventually';
import { type ApiAnswer, type ApiUser, apiUser } from '../api-user.ts';
import { User } from '../user.ts';

interface Place {
  readonly boss: ApiUser;
  /** Asks for exemptions, and may approve those of others. */
  readonly asker: ApiUser;
  readonly judge: ApiUser;
  /** May ask, and not approve. */
  readonly clerk: ApiUser;
}

const test = anyTest as TestFn<Place>;
const API = '/apis/nexusos.dev/v1alpha1/namespaces';
const EXEMPTIONS = `${API}/${PLATFORM_NAMESPACE}/policyexemptions`;
const CREATED_BY = 'nexusos.dev/created-by';
const DAY_MS = 86_400_000;

/** Who may ask, and who may approve, by RBAC of the platform's own. */
function access(user: string, verbs: readonly string[]): readonly object[] {
  const metadata = { name: user, namespace: PLATFORM_NAMESPACE };
  const apiGroup = 'rbac.authorization.k8s.io';
  const rules = [{ apiGroups: ['nexusos.dev'], resources: ['policyexemptions'], verbs }];
  return [
    { apiVersion: `${apiGroup}/v1`, kind: 'Role', metadata, rules },
    {
      apiVersion: `${apiGroup}/v1`,
      kind: 'RoleBinding',
      metadata,
      roleRef: { apiGroup, kind: 'Role', name: user },
      subjects: [{ kind: 'User', apiGroup, name: user }],
    },
  ];
}

test.before(async (t) => {
  const cluster = await attachChart();
  const admin = new User(cluster);
  const WRITE = ['create', 'get', 'patch', 'delete'];
  await admin.applies(
    ...access('exm-asker', [...WRITE, 'approve']),
    ...access('exm-judge', [...WRITE, 'approve']),
    ...access('exm-clerk', WRITE),
  );
  const named = (user: string) => apiUser(cluster, { user });
  t.context = {
    boss: await apiUser(cluster, { user: 'exm-boss', groups: ['system:masters'] }),
    asker: await named('exm-asker'),
    judge: await named('exm-judge'),
    clerk: await named('exm-clerk'),
  };
  const { asker, judge, clerk } = t.context;
  await eventually('they get in, and the guardrail is in force', async () => {
    const tried = await Promise.all(
      [asker, judge, clerk].map((one) => one.send('POST', `${EXEMPTIONS}?dryRun=All`, exemption('probe'))),
    );
    const forged = await asker.send('POST', `${EXEMPTIONS}?dryRun=All`, exemption('probe', {}, 'somebody'));
    return tried.every(({ status }) => status === 201) && forged.status === 403;
  });
});
test.after.always(async ({ context: { boss, asker, judge, clerk } }) => {
  await Promise.all([boss, asker, judge, clerk].map((one) => one?.close()));
});

function inDays(days: number): string {
  return new Date(Date.now() + days * DAY_MS).toISOString();
}

function exemption(name: string, spec: object = {}, createdBy?: string): object {
  return {
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'PolicyExemption',
    metadata: { name, ...(createdBy !== undefined && { annotations: { [CREATED_BY]: createdBy } }) },
    spec: {
      packRef: { namespace: PLATFORM_NAMESPACE, name: 'baseline' },
      subjects: { namespaces: ['exm-main'], kinds: ['Pod'] },
      reason: 'moves with release 12',
      ticket: 'OPS-1',
      expiresAt: inDays(30),
      ...spec,
    },
  };
}

function decides(user: ApiUser, name: string, approval: object): Promise<ApiAnswer> {
  return user.send('PATCH', `${EXEMPTIONS}/${name}`, { spec: { approval } });
}

test('an exemption counts once somebody else has approved it, in the name of who really did', async (t) => {
  const { asker, judge, clerk } = t.context;
  const made = await asker.send('POST', EXEMPTIONS, exemption('granted'));
  t.is(made.status, 201, made.message);
  const { metadata } = made.body as { readonly metadata: { readonly annotations: Record<string, string> } };
  t.is(metadata.annotations[CREATED_BY], 'exm-asker');

  const own = await decides(asker, 'granted', { decision: 'Approved' });
  t.is(own.status, 403);
  t.regex(
    own.message,
    /policy_blocked: spec\.approval\.decision: found Approved by exm-asker, who asked for it; allowed: approval by somebody else/,
  );
  const unentitled = await decides(clerk, 'granted', { decision: 'Approved' });
  t.is(unentitled.status, 403);
  t.regex(
    unentitled.message,
    /spec\.approval: found Approved by exm-clerk; allowed: decisions of users with the verb approve/,
  );
  const lent = await decides(judge, 'granted', { decision: 'Approved', by: 'exm-boss' });
  t.is(lent.status, 403);
  t.regex(lent.message, /spec\.approval\.by: found exm-boss; allowed: exm-judge/);

  const approved = await decides(judge, 'granted', { decision: 'Approved', reason: 'until release 12' });
  t.is(approved.status, 200, approved.message);
  const { spec } = approved.body as { readonly spec: { readonly approval: object } };
  t.deepEqual(spec.approval, { decision: 'Approved', by: 'exm-judge', reason: 'until release 12' });
  const changed = await decides(judge, 'granted', { decision: 'Rejected', by: 'exm-judge' });
  t.is(changed.status, 422);
  t.regex(changed.message, /a decision cannot be changed/);
  const widened = await judge.send('PATCH', `${EXEMPTIONS}/granted`, {
    spec: { subjects: { namespaces: ['exm-main', 'exm-more'] } },
  });
  t.is(widened.status, 422);
  t.regex(widened.message, /an exemption cannot be changed/);
});

const REFUSED: Readonly<
  Record<string, { readonly spec?: object; readonly by?: string; readonly words: RegExp }>
> = {
  'one that lasts for half a year': {
    spec: { expiresAt: inDays(180) },
    words: /spec\.expiresAt: found .*; allowed: later than now, and until /,
  },
  'one that is over': { spec: { expiresAt: inDays(-1) }, words: /spec\.expiresAt: found / },
  'one that was asked for by somebody else': {
    by: 'exm-judge',
    words: /created-by.*: found exm-judge; allowed: exm-asker/,
  },
  'one that is approved from the beginning': {
    spec: { approval: { decision: 'Approved', by: 'exm-asker' } },
    words: /spec\.approval: found a decision of exm-asker/,
  },
  'one for everybody': {
    spec: { subjects: { kinds: ['Pod'] } },
    words: /namespaces or tenants are needed: nobody is exempt everywhere/,
  },
  'one without a reason': { spec: { reason: '' }, words: /spec\.reason/ },
  'one without a ticket': { spec: { ticket: undefined }, words: /spec\.ticket: Required/ },
};

for (const [title, { spec, by, words }] of Object.entries(REFUSED)) {
  test(`nobody makes ${title}`, async (t) => {
    const { status, message } = await t.context.asker.send('POST', EXEMPTIONS, exemption('odd', spec, by));
    t.true(status === 403 || status === 422, `${status} ${message}`);
    t.regex(message, words);
  });
}

test('an exemption is nowhere but in the namespace of the platform, whoever makes it', async (t) => {
  const { status, message } = await t.context.boss.send(
    'POST',
    `${API}/default/policyexemptions`,
    exemption('astray'),
  );
  t.is(status, 403);
  t.regex(message, new RegExp(`metadata\\.namespace: found default; allowed: ${PLATFORM_NAMESPACE}`));
});

function pack(name: string, spec: object): object {
  return {
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'PolicyPack',
    metadata: { name },
    spec: { version: '1.0.0', source: { inline: { modules: { 'a.rego': 'package a' } } }, ...spec },
  };
}

const DIGEST = `sha256:${'0'.repeat(64)}`;
const ODD_PACKS: Readonly<
  Record<string, { readonly name?: string; readonly spec: object; readonly words: RegExp }>
> = {
  'with no source': {
    spec: { source: {} },
    words: /exactly one of inline, configMapRef, bundle and oci is needed/,
  },
  'with two sources': {
    spec: { source: { configMapRef: { name: 'a' }, bundle: { url: 'https://a.example/b', digest: DIGEST } } },
    words: /exactly one of inline, configMapRef, bundle and oci is needed/,
  },
  'with a bundle over http': {
    spec: { source: { bundle: { url: 'http://a.example/b', digest: DIGEST } } },
    words: /spec\.source\.bundle\.url/,
  },
  'with a password in its address': {
    spec: { source: { bundle: { url: 'https://me:secret@a.example/b', digest: DIGEST } } },
    words: /spec\.source\.bundle\.url/,
  },
  'with a bundle without a digest': {
    spec: { source: { bundle: { url: 'https://a.example/b' } } },
    words: /spec\.source\.bundle\.digest: Required/,
  },
  'whose steps shrink': {
    spec: { rollout: { steps: [{ percent: 50 }, { percent: 10 }] } },
    words: /percent must grow from step to step/,
  },
  'with the same step twice': {
    spec: { rollout: { steps: [{ percent: 50 }, { percent: 50 }] } },
    words: /percent must grow from step to step/,
  },
  'that takes a second to evaluate': {
    spec: { evaluation: { deadlineMs: 1000, memoryMiB: 16 } },
    words: /spec\.evaluation\.deadlineMs/,
  },
  'whose name leaves no room for that of a revision': {
    name: 'a'.repeat(51),
    spec: {},
    words: /the name of a PolicyPack is a DNS label of at most 50 characters/,
  },
};

for (const [title, { name = 'odd', spec, words }] of Object.entries(ODD_PACKS)) {
  test(`nobody makes a pack ${title}`, async (t) => {
    const { status, message } = await t.context.boss.send(
      'POST',
      `${API}/default/policypacks?dryRun=All`,
      pack(name, spec),
    );
    t.is(status, 422, message);
    t.regex(message, words);
  });
}

test('parameters and data are kept as they were written', async (t) => {
  const given = { limit: 1.5, names: ['a', { b: null }], on: { 'x.y/z': true } };
  const source = { inline: { modules: { 'a.rego': 'package a' }, data: given } };
  const { status, message, body } = await t.context.boss.send(
    'POST',
    `${API}/default/policypacks?dryRun=All`,
    pack('kept', { parameters: given, source }),
  );
  t.is(status, 201, message);
  t.like(body, { spec: { parameters: given, source, enforcement: 'Deny', rollout: { shadowSeconds: 60 } } });
});

// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import * as fc from 'fast-check';
import { ANNOTATIONS, LABELS } from '#crds/v1alpha1/names';
import type { KubeObject } from '../object.ts';
import { type Claim, claimNamespaces, desiredNamespace, terminationMessage } from './namespaces.ts';
import { makeNamespace, makeTenant, PLATFORM, type SpecInput } from './testing/objects.ts';
import type { Tenant } from './tenant.ts';

interface Case {
  readonly spec?: SpecInput;
  /** UID under which `acme-dev` is recorded. */
  readonly recorded?: { readonly name?: string; readonly uid: string; readonly adopted?: boolean };
  /** Names in the annotation that consents to deletion. */
  readonly confirmed?: string;
  readonly live?: readonly KubeObject[];
  readonly want: readonly (Partial<Claim> & { readonly kind: Claim['kind'] })[];
}

const DEV = { namespaces: [{ suffix: 'dev' }] };
const OLD = { adoptNamespaces: [{ name: 'old' }] };
const ACME = makeTenant();
const OTHER = makeTenant({}, { metadata: { name: 'acme-d' } });
const CONSENT = { annotations: { [ANNOTATIONS.adoptInto]: 'acme' } };
const LEAVING = { deletionTimestamp: '2026-11-21T12:00:00Z' };

const CASES: Readonly<Record<string, Case>> = {
  'a wanted namespace that is not there is created': {
    spec: DEV,
    want: [{ kind: 'create', name: 'acme-dev' }],
  },
  'one that carries our UID is ours before it is recorded': {
    spec: DEV,
    live: [makeNamespace('acme-dev', { tenant: ACME })],
    want: [{ kind: 'hold', adopted: false, unconfirmed: false }],
  },
  'one that is recorded is ours though somebody stripped its marks': {
    spec: DEV,
    recorded: { uid: 'uid-of-acme-dev' },
    live: [makeNamespace('acme-dev')],
    want: [{ kind: 'hold' }],
  },
  'a namesake made after ours was deleted is not ours': {
    spec: DEV,
    recorded: { uid: 'uid-of-the-first' },
    live: [makeNamespace('acme-dev')],
    want: [{ kind: 'refused', reason: 'NamespaceConflict' }],
  },
  'a namespace of nobody is left alone': {
    spec: DEV,
    live: [makeNamespace('acme-dev')],
    want: [{ kind: 'refused', reason: 'NamespaceConflict' }],
  },
  'of tenants acme and acme-d, the one that was first has acme-d-ev': {
    spec: { namespaces: [{ suffix: 'd-ev' }] },
    live: [makeNamespace('acme-d-ev', { tenant: OTHER })],
    want: [{ kind: 'refused', reason: 'NamespaceConflict', adopted: false }],
  },
  'our label without our UID proves nothing': {
    spec: DEV,
    live: [makeNamespace('acme-dev', { metadata: { labels: { [LABELS.tenant]: 'acme' } } })],
    want: [{ kind: 'refused' }],
  },
  'the UID of a former Tenant of the same name proves nothing': {
    spec: DEV,
    live: [makeNamespace('acme-dev', { tenant: makeTenant({}, { metadata: { uid: 'uid-of-the-former' } }) })],
    want: [{ kind: 'refused' }],
  },
  'one that goes away is waited for': {
    spec: DEV,
    live: [
      makeNamespace('acme-dev', {
        tenant: ACME,
        metadata: { ...makeNamespace('acme-dev', { tenant: ACME }).metadata, ...LEAVING },
      }),
    ],
    want: [{ kind: 'terminating' }],
  },
  'one that is no longer wanted is kept without consent': {
    recorded: { uid: 'uid-of-acme-dev' },
    live: [makeNamespace('acme-dev', { tenant: ACME })],
    want: [{ kind: 'hold', unconfirmed: true }],
  },
  'one that is no longer wanted is deleted with consent': {
    recorded: { uid: 'uid-of-acme-dev' },
    confirmed: 'acme-dev',
    live: [makeNamespace('acme-dev', { tenant: ACME })],
    want: [{ kind: 'delete' }],
  },
  'of two that are no longer wanted, only the one that is named is deleted': {
    live: [makeNamespace('acme-dev', { tenant: ACME }), makeNamespace('acme-old', { tenant: ACME })],
    confirmed: 'acme-x, acme-old',
    want: [
      { kind: 'hold', name: 'acme-dev', unconfirmed: true },
      { kind: 'delete', name: 'acme-old' },
    ],
  },
  'consent to the end of the Tenant is none to the end of a namespace': {
    recorded: { uid: 'uid-of-acme-dev' },
    confirmed: 'acme',
    live: [makeNamespace('acme-dev', { tenant: ACME })],
    want: [{ kind: 'hold', unconfirmed: true }],
  },
  'consent to a namespace whose name starts alike is none': {
    recorded: { uid: 'uid-of-acme-dev' },
    confirmed: 'acme-dev-2,acme-de',
    live: [makeNamespace('acme-dev', { tenant: ACME })],
    want: [{ kind: 'hold', unconfirmed: true }],
  },
  'an adopted one that is no longer wanted is released, also with consent to deletion': {
    recorded: { name: 'old', uid: 'uid-of-old', adopted: true },
    confirmed: 'acme,old',
    live: [makeNamespace('old', { tenant: ACME })],
    want: [{ kind: 'release' }],
  },
  'an adopted one whose record is lost is released, since its consent is still on it': {
    confirmed: 'acme,old',
    live: [
      makeNamespace('old', {
        metadata: {
          labels: { [LABELS.tenant]: 'acme' },
          annotations: { [ANNOTATIONS.tenantUid]: 'uid-of-acme', [ANNOTATIONS.adoptInto]: 'acme' },
        },
      }),
    ],
    want: [{ kind: 'release' }],
  },
  'an adopted one that moves to the namespaces by suffix stays adopted': {
    spec: DEV,
    recorded: { uid: 'uid-of-acme-dev', adopted: true },
    live: [makeNamespace('acme-dev', { tenant: ACME })],
    want: [{ kind: 'hold', adopted: true }],
  },
  'one recorded and gone is forgotten': { recorded: { uid: 'uid-of-acme-dev' }, want: [] },
  'adoption with consent': {
    spec: OLD,
    live: [makeNamespace('old', { metadata: CONSENT })],
    want: [{ kind: 'hold', adopted: true }],
  },
  'adoption without consent': {
    spec: OLD,
    live: [makeNamespace('old')],
    want: [{ kind: 'refused', reason: 'AdoptionRefused' }],
  },
  'adoption with consent to another': {
    spec: OLD,
    live: [makeNamespace('old', { metadata: { annotations: { [ANNOTATIONS.adoptInto]: 'acme-d' } } })],
    want: [{ kind: 'refused' }],
  },
  'adoption of what is not there': { spec: OLD, want: [{ kind: 'refused', reason: 'AdoptionRefused' }] },
  'adoption of what goes away': {
    spec: OLD,
    live: [makeNamespace('old', { metadata: { ...CONSENT, ...LEAVING } })],
    want: [{ kind: 'refused' }],
  },
  'adoption of a namespace of another tenant, in spite of consent': {
    spec: OLD,
    live: [makeNamespace('old', { metadata: { ...CONSENT, labels: { [LABELS.tenant]: 'acme-d' } } })],
    want: [{ kind: 'refused' }],
  },
  'adoption of what a former Tenant of the same name left behind': {
    spec: OLD,
    live: [makeNamespace('old', { metadata: { ...CONSENT, labels: { [LABELS.tenant]: 'acme' } } })],
    want: [{ kind: 'hold', adopted: true }],
  },
  'adoption of a namespace of Kubernetes': {
    spec: { adoptNamespaces: [{ name: 'kube-system' }] },
    live: [makeNamespace('kube-system', { metadata: CONSENT })],
    want: [{ kind: 'refused' }],
  },
  'adoption of the namespace of the platform': {
    spec: { adoptNamespaces: [{ name: 'platform' }] },
    live: [makeNamespace('platform', { metadata: CONSENT })],
    want: [{ kind: 'refused' }],
  },
};

function tenantOf({ spec = {}, recorded, confirmed }: Case): Tenant {
  const { name = 'acme-dev', uid = '', adopted = false } = recorded ?? {};
  return makeTenant(spec, {
    ...(confirmed && { metadata: { annotations: { [ANNOTATIONS.confirmDeletion]: confirmed } } }),
    ...(recorded && { status: { namespaces: [{ name, uid, adopted, state: 'Active' }] } }),
  });
}

function live(namespaces: readonly KubeObject[]): ReadonlyMap<string, KubeObject> {
  return new Map(namespaces.map((one) => [one.metadata.name, one]));
}

for (const [title, one] of Object.entries(CASES)) {
  test(title, (t) => {
    const claims = claimNamespaces(tenantOf(one), live(one.live ?? []), PLATFORM);
    t.is(claims.length, one.want.length);
    for (const [i, want] of one.want.entries()) t.like(claims[i], want);
  });
}

test('a refusal names the holder and what would pass', (t) => {
  const [claim] = claimNamespaces(
    tenantOf({ spec: DEV, want: [] }),
    live([makeNamespace('acme-dev', { tenant: OTHER })]),
    PLATFORM,
  );
  t.regex(
    claim?.kind === 'refused' ? claim.message : '',
    /acme-dev exists and belongs to tenant acme-d \(UID uid-of-acme-d\); choose another suffix/,
  );
});

test('whatever is there, a tenant holds no namespace that carries the mark of another', (t) => {
  const names = fc.constantFrom('acme-a', 'acme-b', 'acme-d-a', 'old');
  const owner = fc.constantFrom(undefined, ACME, OTHER);
  const namespaces = fc.uniqueArray(fc.record({ name: names, owner, consents: fc.boolean() }), {
    selector: ({ name }) => name,
  });
  const suffixes = fc.uniqueArray(fc.constantFrom('a', 'b', 'd-a'));
  fc.assert(
    fc.property(namespaces, suffixes, fc.boolean(), (found, wanted, adopts) => {
      const tenant = makeTenant({
        namespaces: wanted.map((suffix) => ({ suffix })),
        ...(adopts && { adoptNamespaces: [{ name: 'old' }] }),
      });
      const objects = found.map(({ name, owner: holder, consents }) => {
        const { metadata } = makeNamespace(name, holder === undefined ? {} : { tenant: holder });
        const annotations = { ...metadata.annotations, ...(consents && CONSENT.annotations) };
        return makeNamespace(name, { metadata: { ...metadata, annotations } });
      });
      for (const claim of claimNamespaces(tenant, live(objects), PLATFORM)) {
        if (!('live' in claim)) continue;
        t.not(claim.live.metadata.labels?.[LABELS.tenant], 'acme-d');
      }
    }),
  );
});

test('a namespace says whose it is, how far it is closed, and whether it is suspended', (t) => {
  const tenant = makeTenant({ suspended: true, podSecurity: { enforce: 'baseline' } });
  const { metadata } = desiredNamespace(tenant, 'acme-dev');
  t.deepEqual(metadata.labels, {
    'app.kubernetes.io/managed-by': 'nexusos',
    'nexusos.dev/isolation': 'Soft',
    'nexusos.dev/suspended': 'true',
    'nexusos.dev/tenant': 'acme',
    'pod-security.kubernetes.io/audit': 'restricted',
    'pod-security.kubernetes.io/audit-version': 'latest',
    'pod-security.kubernetes.io/enforce': 'baseline',
    'pod-security.kubernetes.io/enforce-version': 'latest',
    'pod-security.kubernetes.io/warn': 'restricted',
    'pod-security.kubernetes.io/warn-version': 'latest',
  });
  t.deepEqual(metadata.annotations, { [ANNOTATIONS.tenantUid]: 'uid-of-acme' });
  t.is(metadata.ownerReferences, undefined, 'or the garbage collector would delete it, in no order');
});

function condition(type: string, status: string) {
  return { type, status, message: `about ${type}` };
}

test('what keeps a namespace from going away is told in the words of Kubernetes', (t) => {
  const conditions = [
    condition('NamespaceFinalizersRemaining', 'True'),
    condition('NamespaceContentRemaining', 'False'),
  ];
  t.is(
    terminationMessage({ ...makeNamespace('x'), status: { conditions } }),
    'about NamespaceFinalizersRemaining',
  );
  t.is(terminationMessage(makeNamespace('x')), undefined);
});

/** What the annotation for PriorityClasses is to be. */
function listedClasses(priorityClasses: string[], live?: KubeObject): string | undefined {
  const tenant = makeTenant({ entitlements: { priorityClasses } });
  return desiredNamespace(tenant, 'acme-dev', live).metadata.annotations?.[ANNOTATIONS.priorityClasses];
}

test('a namespace names the PriorityClasses of the tenant, and none any more once they are taken away', (t) => {
  t.is(listedClasses(['late', 'batch']), 'batch,late');
  t.is(listedClasses([]), undefined);
  const live = desiredNamespace(makeTenant({ entitlements: { priorityClasses: ['batch'] } }), 'acme-dev');
  t.is(listedClasses([], live), '');
});

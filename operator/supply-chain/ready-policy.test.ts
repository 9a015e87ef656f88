// SPDX-License-Identifier: Apache-2.0
import { generateKeyPairSync } from 'node:crypto';
import test from 'ava';
import { CLUSTER_IMAGE_POLICY, type ImagePolicySpec } from '#crds/v1alpha1/image-policy';
import { type PrivateSigstore, startSigstore } from '#hack/sigstore/private-sigstore';
import type { PolicyInputs } from '../core/images/inputs.ts';
import { isReadyPolicy, readyPolicy } from './ready-policy.ts';

const pem = (): string =>
  generateKeyPairSync('ec', { namedCurve: 'P-256' })
    .publicKey.export({ type: 'spki', format: 'pem' })
    .toString();
const [first, second] = [pem(), pem()];
const waiver = { name: 'w', vulnerability: 'CVE-1', expires: '2026-12-01T00:00:00Z' };

let sigstore: PrivateSigstore;

test.before(async () => {
  sigstore = await startSigstore();
});

test.after.always(() => sigstore?.stop());

function spec(change: object = {}): ImagePolicySpec {
  return CLUSTER_IMAGE_POLICY.spec.parse({
    images: ['registry.example/*'],
    authorities: [{ name: 'builder', key: { pem: first } }],
    require: { signatures: { from: ['builder'] } },
    ...change,
  });
}

function read(change: object = {}, more: Partial<PolicyInputs> = {}): ReturnType<typeof readyPolicy> {
  return readyPolicy({ spec: spec(change), roots: {}, keys: {}, waivers: [], ...more });
}

test('a policy of one key asks for its signature, with neither log nor time', (t) => {
  const ready = read({}, { waivers: [waiver] });
  if (!isReadyPolicy(ready)) throw new Error(JSON.stringify(ready));
  t.like(ready, {
    authorities: [{ name: 'builder', log: 'Ignored', time: 'Observer', signer: { kind: 'keys' } }],
    requirement: { signatures: { from: ['builder'], threshold: 1 } },
    platforms: 'Index',
    waivers: [waiver],
  });
  t.regex(ready.digest, /^sha256:[0-9a-f]{64}$/);
});

test('a key may be in a Secret, and be several', (t) => {
  const authorities = [{ name: 'builder', key: { secretRef: { name: 'keys', key: 'cosign.pub' } } }];
  const ready = read({ authorities }, { keys: { 'keys/cosign.pub': `${first}\n${second}` } });
  if (!isReadyPolicy(ready)) throw new Error(JSON.stringify(ready));
  const { signer } = ready.authorities[0]!;
  t.is(signer.kind === 'keys' ? signer.keys.length : 0, 2);
});

test('a Secret that may not be read is told apart from one that is not there, with what would pass', (t) => {
  const authorities = [{ name: 'builder', key: { secretRef: { name: 'keys', key: 'cosign.pub' } } }];
  const problem = (forbidden: readonly string[]) => {
    const ready = read({ authorities }, { forbidden });
    return isReadyPolicy(ready) ? undefined : ready.problems[0];
  };
  t.like(problem(['keys']), {
    field: 'spec.authorities[0].key.secretRef',
    found: 'a Secret keys that the operator may not read',
    isForbidden: true,
  });
  t.regex(problem(['keys'])?.wanted ?? '', /in pem in place of secretRef; .*platform\.imageKeySecrets/);
  t.like(problem(['others']), {
    found: 'no key cosign.pub in a Secret keys',
    isForbidden: undefined,
    isMissing: true,
  });
});

test('keyless asks for certificate, log and time of a root, by names or by patterns', (t) => {
  const identities = [
    { issuer: 'https://issuer.example', subject: 'https://ci.example/main' },
    { issuerPattern: 'https://.*', subjectPattern: String.raw`https://ci\.example/.*` },
  ];
  const authorities = [{ name: 'builder', keyless: { identities }, trustRootRef: { name: 'own' } }];
  const ready = read({ authorities }, { roots: { own: JSON.stringify(sigstore.trustedRoot) } });
  if (!isReadyPolicy(ready)) throw new Error(JSON.stringify(ready));
  t.like(ready.authorities[0], {
    log: 'Required',
    time: 'Log',
    signer: { kind: 'certificates', certificateLog: 'Required' },
  });
});

test('all that can be asked for is asked for', (t) => {
  const require = {
    provenance: { from: ['builder'], builders: [{ id: 'https://b.example', level: 3 }], minLevel: 2 },
    sbom: { from: ['builder'], deniedLicences: ['GPL-3.0-only'] },
    vulnerabilities: { from: ['builder'], budget: { critical: 0, unscored: 3 }, maxScore: '7.5' },
  };
  const ready = read({ require, revoked: ['a'.repeat(64)], platforms: 'Each' });
  if (!isReadyPolicy(ready)) throw new Error(JSON.stringify(ready));
  t.deepEqual(ready.requirement, {
    provenance: {
      from: ['builder'],
      threshold: 1,
      builders: [{ id: 'https://b.example', level: 3 }],
      sources: [],
      minLevel: 2,
    },
    sbom: { from: ['builder'], threshold: 1, allowedLicences: [], deniedLicences: ['GPL-3.0-only'] },
    vulnerabilities: {
      from: ['builder'],
      threshold: 1,
      maxAgeSeconds: 604_800,
      budget: { Critical: 0, Unscored: 3 },
      maxScoreTenths: 75,
      vexFrom: [],
    },
  });
  t.true(ready.revoked.has('a'.repeat(64)));
  t.is(ready.platforms, 'Each');
});

const keyless = (change: object, name = 'own'): object => ({
  authorities: [
    {
      name: 'builder',
      keyless: { identities: [{ issuer: 'i', subject: 's', ...change }] },
      trustRootRef: { name },
    },
  ],
});
const byKey = (key: object): object => ({ authorities: [{ name: 'builder', key }] });
const own = (): Partial<PolicyInputs> => ({ roots: { own: JSON.stringify(sigstore.trustedRoot) } });

interface Wrong {
  readonly change: object;
  readonly more?: () => Partial<PolicyInputs>;
  readonly field: string;
  readonly found: RegExp;
}

const wrong: Readonly<Record<string, Wrong>> = {
  'no key': { change: byKey({ pem: 'none' }), field: 'spec.authorities[0].key.pem', found: /no PEM block/ },
  'a private key': {
    change: byKey({ pem: '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----' }),
    field: 'spec.authorities[0].key.pem',
    found: /PRIVATE KEY/,
  },
  'more keys than are taken': {
    change: byKey({ pem: first.repeat(9) }),
    field: 'spec.authorities[0].key.pem',
    found: /9 keys/,
  },
  'a Secret that is not there': {
    change: byKey({ secretRef: { name: 'keys', key: 'k' } }),
    field: 'spec.authorities[0].key.secretRef',
    found: /no key k in a Secret keys/,
  },
  'a Secret of a name that objects have': {
    change: byKey({ secretRef: { name: 'constructor', key: 'name' } }),
    field: 'spec.authorities[0].key.secretRef',
    found: /no key/,
  },
  'a root that is not there': {
    change: keyless({}, 'other'),
    field: 'spec.authorities[0].trustRootRef',
    found: /no TrustRoot other/,
  },
  'a root that is none': {
    change: keyless({}),
    more: () => ({ roots: { own: '{}' } }),
    field: 'spec.authorities[0].trustRootRef',
    found: /TrustRoot own with no log and no authority/,
  },
  'a pattern that is none': {
    change: keyless({ subject: undefined, subjectPattern: '(' }),
    more: own,
    field: 'spec.authorities[0].keyless.identities[0].subjectPattern',
    found: /"\("/,
  },
};

for (const [title, { change, more, field, found }] of Object.entries(wrong)) {
  test(`what cannot be read is told with its field: ${title}`, (t) => {
    const ready = read(change, more?.());
    if (isReadyPolicy(ready)) throw new Error('it was read');
    t.is(ready.problems.length, 1, JSON.stringify(ready));
    t.is(ready.problems[0]?.field, field);
    t.regex(ready.problems[0]?.found ?? '', found);
    t.true((ready.problems[0]?.wanted.length ?? 0) > 0);
  });
}

// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { stringify } from 'yaml';
import { openDesk } from '../testing/cli.ts';
import {
  base64,
  document,
  type Fields,
  IMAGES,
  KEY,
  KEYLESS,
  PEM,
  PERSON,
  policy,
  runImport,
} from '../testing/sigstore-policies.ts';

interface Taken {
  readonly given: string;
  readonly words?: string;
  /** Of the policy: it comes last. */
  readonly spec: Fields;
  /** What is said above it. */
  readonly says?: readonly RegExp[];
}

const BY_KEY = { name: 'authority-0', key: { pem: PEM } };
const BY_PERSON = {
  name: 'authority-0',
  keyless: { identities: [PERSON] },
  trustRootRef: { name: 'sigstore' },
};
const SIGNED = { signatures: { from: ['authority-0'] } };
const SPEC = {
  images: ['registry.example/team/*'],
  enforcement: 'Enforce',
  authorities: [BY_KEY],
  require: SIGNED,
};

const taken: Readonly<Record<string, Taken>> = {
  'a key': { given: policy([KEY]), spec: SPEC, says: [/ctlog: is not stated: no log is asked/] },
  'a key of the older version, that warns': {
    given: document(
      { images: IMAGES, mode: 'warn', authorities: [{ ...KEY, name: 'Build Team' }] },
      undefined,
      'v1alpha1',
    ),
    spec: {
      ...SPEC,
      enforcement: 'Warn',
      authorities: [{ ...BY_KEY, name: 'build-team' }],
      require: { signatures: { from: ['build-team'] } },
    },
  },
  'a key in a Secret': {
    given: policy([{ key: { secretRef: { name: 'keys', namespace: 'cosign-system' } } }]),
    spec: {
      ...SPEC,
      authorities: [{ name: 'authority-0', key: { secretRef: { name: 'keys', key: 'cosign.pub' } } }],
    },
    says: [/secretRef: copy the Secret keys into the namespace of the platform/],
  },
  'one of two keys': {
    given: policy([KEY, KEY]),
    spec: {
      ...SPEC,
      authorities: [BY_KEY, { ...BY_KEY, name: 'authority-1' }],
      require: { signatures: { from: ['authority-0', 'authority-1'] } },
    },
  },
  'a key with a log and a timestamp': {
    given: policy([
      {
        ...KEY,
        ctlog: { url: 'https://rekor.sigstore.dev' },
        rfc3161timestamp: { trustRootRef: 'sigstore' },
      },
    ]),
    spec: {
      ...SPEC,
      authorities: [{ ...BY_KEY, trustRootRef: { name: 'sigstore' }, log: 'Required', time: 'Timestamp' }],
    },
  },
  'somebody with a certificate of the public instance': {
    given: policy([{ ...KEYLESS, ctlog: { url: 'https://rekor.sigstore.dev' } }]),
    spec: { ...SPEC, authorities: [BY_PERSON] },
    says: [/make a TrustRoot sigstore of its trusted_root\.json/],
  },
  'somebody, by another root': {
    given: policy([KEYLESS]),
    words: '--trust-root public',
    spec: { ...SPEC, authorities: [{ ...BY_PERSON, trustRootRef: { name: 'public' } }] },
  },
  'somebody by a root that is named, without log and certificate log': {
    given: policy([
      { keyless: { identities: [PERSON], trustRootRef: 'own', insecureIgnoreSCT: true }, ctlog: {} },
    ]),
    spec: {
      ...SPEC,
      authorities: [
        {
          name: 'authority-0',
          keyless: { identities: [PERSON], certificateLog: 'Ignored' },
          trustRootRef: { name: 'own' },
          log: 'Ignored',
          time: 'Observer',
        },
      ],
    },
  },
  'somebody by a timestamp alone': {
    given: policy([
      {
        keyless: { identities: [PERSON], trustRootRef: 'own' },
        ctlog: {},
        rfc3161timestamp: { trustRootRef: 'own' },
      },
    ]),
    spec: {
      ...SPEC,
      authorities: [{ ...BY_PERSON, trustRootRef: { name: 'own' }, log: 'Ignored', time: 'Timestamp' }],
    },
  },
  'patterns that match a part, the whole, and anything': {
    given: policy([
      {
        keyless: {
          identities: [
            { issuerRegExp: 'example', subjectRegExp: '^https://git\\.example/.*$' },
            { issuer: 'https://issuer.example' },
          ],
        },
      },
    ]),
    spec: {
      ...SPEC,
      authorities: [
        {
          ...BY_PERSON,
          keyless: {
            identities: [
              { issuerPattern: '(?s:.*)(?:example)(?s:.*)', subjectPattern: '^https://git\\.example/.*$' },
              { issuer: 'https://issuer.example', subjectPattern: '.*' },
            ],
          },
        },
      ],
    },
    says: [
      /issuerRegExp: matches a part of the text/,
      /identities\[1\]\.subject: is not stated: any is taken/,
    ],
  },
  'provenance, a bill of materials and a report of one': {
    given: policy([
      {
        ...KEY,
        attestations: [
          { name: 'p', predicateType: 'slsaprovenance1' },
          { name: 's', predicateType: 'https://spdx.dev/Document' },
          { name: 'v', predicateType: 'vuln' },
        ],
      },
    ]),
    words: '--builders https://builder.example/v1=3',
    spec: {
      ...SPEC,
      require: {
        provenance: { from: ['authority-0'], builders: [{ id: 'https://builder.example/v1', level: 3 }] },
        sbom: { from: ['authority-0'] },
        vulnerabilities: { from: ['authority-0'] },
      },
    },
    says: [/the other form \(SPDX, CycloneDX\) counts as well/, /a report may be a week old/],
  },
  'provenance as older builders state it, and without a version': {
    given: policy([
      {
        ...KEY,
        attestations: ['slsaprovenance', 'slsaprovenance02'].map((predicateType) => ({
          name: predicateType,
          predicateType,
        })),
      },
    ]),
    words: '--builders https://builder.example/v1=3',
    spec: {
      ...SPEC,
      require: {
        provenance: { from: ['authority-0'], builders: [{ id: 'https://builder.example/v1', level: 3 }] },
      },
    },
  },
  'a policy in CUE that is done without': {
    given: policy([
      {
        ...KEY,
        attestations: [{ name: 's', predicateType: 'spdxjson', policy: { type: 'cue', data: 'x: 1' } }],
      },
    ]),
    words: '--leave-out spec.authorities[0].attestations[0].policy',
    spec: { ...SPEC, require: { sbom: { from: ['authority-0'] } } },
    says: [/attestations\[0\]\.policy: left out, as you asked: more images pass than before/],
  },
  'an authority that always fails, beside one that asks': {
    given: policy([{ static: { action: 'fail', message: 'no' } }, KEY]),
    spec: {
      ...SPEC,
      authorities: [{ ...BY_KEY, name: 'authority-1' }],
      require: { signatures: { from: ['authority-1'] } },
    },
    says: [/authorities\[0\]\.static: lets nothing pass, and another authority suffices/],
  },
  'what it matches, and pull secrets': {
    given: policy(
      [{ ...KEY, source: [{ signaturePullSecrets: [{ name: 's' }] }], signatureFormat: 'bundle' }],
      {
        match: [{ resource: 'jobs', group: 'batch', version: 'v1' }],
      },
    ),
    spec: SPEC,
    says: [
      /spec\.match: is not taken over/,
      /signaturePullSecrets: registries are asked with the imagePullSecrets/,
    ],
  },
};

for (const [title, { given, words, spec, says = [] }] of Object.entries(taken)) {
  test(`what was asked there is asked here: ${title}`, async (t) => {
    const { ran, objects } = await runImport(t, given, words);
    t.is(ran.code, 0, ran.err);
    t.deepEqual(objects.at(-1)?.spec, spec);
    for (const one of says) t.regex(ran.out, one);
  });
}

const globs: Readonly<Record<string, readonly [readonly string[], readonly string[]]>> = {
  'all of a registry': [['registry.example/**'], ['registry.example/*']],
  everything: [['**'], ['*']],
  'one folder': [['registry.example/team/*'], ['registry.example/team/*']],
  'tags are no part of it': [
    ['registry.example/app:v1*', 'registry.example/app:**'],
    ['registry.example/app'],
  ],
  'a port is none': [
    ['registry.example:5000/app', 'localhost:5000/**'],
    ['registry.example:5000/app', 'localhost:5000/*'],
  ],
  'stars over a port, or over the tag of a name without a host': [
    ['localhost:**'],
    ['localhost:*', 'docker.io/library/localhost'],
  ],
  'Docker Hub, as it is called there': [['index.docker.io/library/nginx*'], ['docker.io/library/nginx*']],
  'Docker Hub, unsaid': [
    ['nginx', 'team/app'],
    ['docker.io/library/nginx', 'docker.io/team/app'],
  ],
  'the short forms of it': [
    ['*', '*/*'],
    ['docker.io/library/*', 'docker.io/*/*'],
  ],
  'a host that may be Docker Hub': [
    ['*.docker.io/library/**', 'index.docker.*/library/**', '**index.docker.io/**', 'index.docker.io**'],
    [
      '*.docker.io/library/*',
      'docker.io/library/*',
      'index.docker.*/library/*',
      '*index.docker.io/*',
      'docker.io/*',
      'index.docker.io*',
    ],
  ],
  'a first part that may be a host, or a folder of Docker Hub': [
    ['team-*/app'],
    ['team-*/app', 'docker.io/team-*/app'],
  ],
};

for (const [title, [given, want]] of Object.entries(globs)) {
  test(`images are named as they were, or wider: ${title}`, async (t) => {
    const { ran, objects } = await runImport(
      t,
      document({ images: given.map((glob) => ({ glob })), authorities: [KEY] }),
    );
    t.is(ran.code, 0, ran.err);
    t.deepEqual(objects[0]?.spec['images'], want);
  });
}

test('certificates that stand in a policy become a TrustRoot of their own', async (t) => {
  const pem = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
  const { ran, objects } = await runImport(
    t,
    policy([{ keyless: { 'ca-cert': { data: pem }, identities: [PERSON] } }]),
  );
  t.is(ran.code, 0, ran.err);
  t.deepEqual(
    objects.map(({ kind }) => kind),
    ['TrustRoot', 'ClusterImagePolicy'],
  );
  t.deepEqual(objects[0]?.spec, { parts: { certificateAuthorities: [{ pem }] } });
  t.like(objects[1]?.spec, { authorities: [{ ...BY_PERSON, trustRootRef: { name: 'signed-authority-0' } }] });
  t.regex(ran.out, /has no certificate log, which is asked for/);
});

test('what certificates that stand in a policy come without is told, where it is asked for', async (t) => {
  const keyless = {
    'ca-cert': { data: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n' },
    identities: [PERSON],
    insecureIgnoreSCT: true,
  };
  const noLog = /ca-cert: its TrustRoot has no transparency log, which is asked for: add transparencyLogs/;
  const unsaid = await runImport(t, policy([{ keyless }]));
  t.is(unsaid.ran.code, 0, unsaid.ran.err);
  t.regex(unsaid.ran.out, noLog);
  t.notRegex(unsaid.ran.out, /has no certificate log/);
  t.regex((await runImport(t, policy([{ keyless, ctlog: { url: 'https://log.example' } }]))).ran.out, noLog);
  t.notRegex((await runImport(t, policy([{ keyless, ctlog: {} }]))).ran.out, noLog);
});

test('a policy that lets everything pass becomes none', async (t) => {
  const { ran, objects } = await runImport(t, policy([{ static: { action: 'pass' } }]));
  t.is(ran.code, 0, ran.err);
  t.deepEqual(objects, []);
  t.regex(ran.out, /spec: lets everything pass: .* nothing is made of it/);
});

test('a root of keys becomes one of parts', async (t) => {
  const given = document(
    {
      sigstoreKeys: {
        tLogs: [{ baseURL: 'https://log.example', hashAlgorithm: 'sha-256', publicKey: base64(PEM) }],
      },
    },
    'TrustRoot',
  );
  const { ran, objects } = await runImport(t, given, '--logs-since 2026-01-01T00:00:00Z');
  t.is(ran.code, 0, ran.err);
  const log = { pem: PEM, url: 'https://log.example', validFrom: '2026-01-01T00:00:00.000Z' };
  t.deepEqual(objects[0]?.spec, { parts: { transparencyLogs: [log] } });
});

test('what is not of that group is left out, and without any there is nothing to do', async (t) => {
  const own = stringify({
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'ClusterImagePolicy',
    metadata: { name: 'a' },
  });
  t.is((await runImport(t, own)).ran.code, 2);
  const { ran, objects } = await runImport(t, `${own}---\n${policy([KEY])}`);
  t.is(ran.code, 0, ran.err);
  t.is(objects.length, 1);
});

const usage: Readonly<Record<string, RegExp>> = {
  '--builders https://builder.example': /--builders: found https:\/\/builder\.example; wanted is ID=LEVEL/,
  '--builders https://builder.example=9': /with a level from 1 to 4/,
  '--logs-since then': /--logs-since: found then/,
  '--leave-out spec.policy': /--leave-out: nothing needs to be left out at spec\.policy/,
};

for (const [words, says] of Object.entries(usage)) {
  test(`what is given wrongly is told: ${words}`, async (t) => {
    const { ran } = await runImport(t, policy([KEY]), words);
    t.is(ran.code, 2, ran.out);
    t.regex(ran.err, says);
  });
}

test('it may go to a file, and what is to be known is said then', async (t) => {
  const desk = await openDesk(t);
  await desk.write({ 'in/policy.yaml': policy([KEYLESS]) });
  const ran = await desk.nexusctl('images import in --out out.yaml');
  t.is(ran.code, 0, ran.err);
  t.regex(
    ran.out,
    /make a TrustRoot sigstore[^]*1 objects; 0 other documents left out[^]*written to out\.yaml/,
  );
});

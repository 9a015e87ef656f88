// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import {
  base64,
  document,
  IMAGES,
  KEY,
  PEM,
  PERSON,
  policy,
  runImport,
} from '../testing/sigstore-policies.ts';

const refused: Readonly<
  Record<string, { readonly given: string; readonly says: RegExp; readonly words?: string }>
> = {
  'one that always passes, beside one that asks': {
    given: policy([KEY, { static: { action: 'pass' } }]),
    says: /spec\.authorities\[1\]\.static: lets every image pass, whatever the others say/,
  },
  'nothing passes': {
    given: policy([{ static: { action: 'fail' } }]),
    says: /static: lets no image pass.*PolicyPack/,
  },
  'a policy in CUE about a statement': {
    given: policy([
      {
        ...KEY,
        attestations: [{ name: 's', predicateType: 'spdxjson', policy: { type: 'cue', data: 'x' } }],
      },
    ]),
    says: /attestations\[0\]\.policy: a policy in cue is not run here: .*--leave-out spec\.authorities\[0\]/,
  },
  'a policy in Rego about all': {
    given: policy([KEY], { policy: { type: 'rego', data: 'package sigstore' } }),
    says: /spec\.policy: a policy in rego is not run here/,
  },
  'a statement of a kind of its own': {
    given: policy([{ ...KEY, attestations: [{ name: 'c', predicateType: 'custom' }] }]),
    says: /predicateType: statements of type custom are not asked for here/,
  },
  'provenance by nobody in particular': {
    given: policy([{ ...KEY, attestations: [{ name: 'p', predicateType: 'slsaprovenance' }] }]),
    says: /by whom images may have been built is not said: name them by --builders/,
  },
  'either a signature or a report': {
    given: policy([KEY, { ...KEY, attestations: [{ name: 'v', predicateType: 'vuln' }] }]),
    says: /spec\.authorities: ask for different things, and one of them suffices there/,
  },
  'either two statements of one, or two of another': {
    given: policy(
      [0, 1].map(() => ({
        ...KEY,
        attestations: ['vuln', 'spdx'].map((predicateType) => ({ name: predicateType, predicateType })),
      })),
    ),
    says: /ask for different things/,
  },
  'anybody with a certificate': {
    given: policy([{ keyless: { url: 'https://fulcio.sigstore.dev' } }]),
    says: /keyless\.identities: is needed: without, whoever has a certificate/,
  },
  'a key of a service': {
    given: policy([{ key: { kms: 'awskms:///alias/key' } }]),
    says: /key\.kms: no service of keys is asked: .*cosign public-key/,
  },
  'a key that is none': { given: policy([{ key: { data: 'key' } }]), says: /key\.pem: found no PEM block/ },
  'a pattern that is none': {
    given: policy([{ keyless: { identities: [{ ...PERSON, subject: undefined, subjectRegExp: '(?=x)' }] } }]),
    says: /subjectPattern: found .*; wanted is a pattern of RE2/,
  },
  'signatures somewhere else': {
    given: policy([{ ...KEY, source: [{ oci: 'registry.example/signatures' }] }]),
    says: /source\[0\]\.oci: signatures are looked for in the repository of the image/,
  },
  'signatures under tags of their own': {
    given: policy([{ ...KEY, source: [{ tagPrefix: 'team-' }] }]),
    says: /source\[0\]\.tagPrefix: signatures have the tags that cosign gives them/,
  },
  'roots that differ': {
    given: policy([{ keyless: { identities: [PERSON], trustRootRef: 'a' }, ctlog: { trustRootRef: 'b' } }]),
    says: /names the TrustRoots a, b: an authority has one here/,
  },
  'a field that nobody here knows': {
    given: policy([{ ...KEY, quorum: 2 }]),
    says: /spec\.authorities\[0\]\.quorum: is not known/,
  },
  'an image by an expression': {
    given: document({ images: [{ regex: '.*' }], authorities: [KEY] }),
    says: /images\[0\]\.regex: images are named by globs/,
  },
  'a mode that is none': {
    given: policy([KEY], { mode: 'audit' }),
    says: /spec\.mode: is neither enforce nor warn/,
  },
  'a version that is to come': {
    given: document({ images: IMAGES, authorities: [KEY] }, undefined, 'v2'),
    says: /apiVersion: is of version v2; read are v1alpha1, v1beta1/,
  },
  'another kind of that group': { given: document({}, 'Widget'), says: /kind: is not known/ },
  'a root that is fetched': {
    given: document({ remote: { mirror: 'https://tuf.example', root: 'e30=' } }, 'TrustRoot'),
    says: /spec\.remote: nothing is fetched from repositories of TUF: write the trusted_root\.json/,
  },
  'a root that is packed': {
    given: document({ repository: { root: 'e30=', mirrorFS: 'AAAA' } }, 'TrustRoot'),
    says: /spec\.repository: a repository of TUF is not unpacked/,
  },
  'a log that does not say since when it is trusted': {
    given: document(
      { sigstoreKeys: { tLogs: [{ baseURL: 'https://log.example', publicKey: base64(PEM) }] } },
      'TrustRoot',
    ),
    says: /tLogs\[0\]: since when the log is trusted is not said.*--logs-since/,
  },
  'a certificate that is none': {
    given: document(
      {
        sigstoreKeys: {
          certificateAuthorities: [{ subject: {}, uri: 'https://ca.example', certChain: base64('x') }],
        },
      },
      'TrustRoot',
    ),
    says: /certChain: is no PEM in base64/,
  },
};

for (const [title, { given, says, words }] of Object.entries(refused)) {
  test(`what cannot be said here is told, and nothing is made: ${title}`, async (t) => {
    const { ran } = await runImport(t, given, words);
    t.is(ran.code, 1, ran.out);
    t.is(ran.out, '');
    t.regex(ran.err, says);
    t.regex(ran.err, /^nexusctl: \d+ fields cannot be taken over, so nothing is made\n {2}/);
  });
}

test('all that is wrong is told at once, in all documents, and one that is good is not made alone', async (t) => {
  const texts = [
    policy([KEY]),
    policy([{ key: { kms: 'x' } }], { mode: 'audit' }),
    document({}, 'TrustRoot'),
  ];
  const { ran } = await runImport(t, texts.join('---\n'));
  t.is(ran.code, 1);
  for (const one of [/key\.kms/, /spec\.mode/, /TrustRoot signed: spec: one of remote/])
    t.regex(ran.err, one);
});

const OWN = {
  keyless: { 'ca-cert': { data: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n' } },
};

function called(text: string, name: string): string {
  return text.replace('name: signed', `name: ${name}`);
}

function ownRoot(name: string): unknown {
  return { name, keyless: { ...OWN.keyless, identities: [PERSON] } };
}

const KEYS = {
  sigstoreKeys: {
    tLogs: [{ baseURL: 'https://log.example', hashAlgorithm: 'sha-256', publicKey: base64(PEM) }],
  },
};

const twice: Readonly<Record<string, { readonly texts: readonly string[]; readonly says: RegExp }>> = {
  'certificates of two policies': {
    texts: [called(policy([ownRoot('b-c')]), 'a'), called(policy([ownRoot('c')]), 'a-b')],
    says: /ClusterImagePolicy a-b: metadata\.name: makes a second TrustRoot a-b-c, beside that of .*: ClusterImagePolicy a: give/,
  },
  'certificates of a policy, and a root': {
    texts: [called(policy([ownRoot('b-c')]), 'a'), called(document(KEYS, 'TrustRoot'), 'a-b-c')],
    says: /TrustRoot a-b-c: metadata\.name: makes a second TrustRoot a-b-c/,
  },
  'two policies of one name': {
    texts: [policy([KEY]), policy([KEY])],
    says: /metadata\.name: makes a second ClusterImagePolicy signed/,
  },
};

for (const [title, { texts, says }] of Object.entries(twice)) {
  test(`no object takes the place of another: ${title}`, async (t) => {
    const { ran } = await runImport(t, texts.join('---\n'), '--logs-since 2026-01-01T00:00:00Z');
    t.is(ran.code, 1, ran.out);
    t.is(ran.out, '');
    t.regex(ran.err, says);
  });
}

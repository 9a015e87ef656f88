// SPDX-License-Identifier: Apache-2.0
import { CI, type ImageSigner, ISSUER, type KeyName, type RootName } from './image-signer.ts';

const HOUR_S = 3600;

/** All that a policy can ask for. */
const ASKED = {
  signatures: { from: ['builder'] },
  provenance: {
    from: ['builder'],
    builders: [{ id: 'https://builder.example/v1', level: 3 }],
    sources: ['https://git.example/team/app'],
    minLevel: 3,
  },
  sbom: { from: ['builder'], deniedLicences: ['GPL-3.0-only'] },
  vulnerabilities: {
    from: ['scanner'],
    maxAgeSeconds: 24 * HOUR_S,
    budget: { critical: 0, unscored: 0 },
    vexFrom: ['analyst'],
  },
} as const;

/** What the policies of a scenario are made with. */
type Makers = Pick<ImageSigner, 'pem' | 'fingerprint'>;

interface Spec {
  readonly authorities: readonly object[];
  readonly require: object;
  readonly [field: string]: unknown;
}

type Make = (signer: Makers) => Spec;

/** Authorities that have keys, and are called as who has them. */
export function byKeys(signer: Makers, ...names: readonly KeyName[]): readonly object[] {
  return names.map((name) => ({ name, key: { pem: signer.pem(name) } }));
}

const signatures = { signatures: { from: ['builder'] } };
const asking =
  (require: object, ...names: readonly KeyName[]): Make =>
  (signer) => ({ authorities: byKeys(signer, ...names), require });

/** Who it is to be that signs without a key, as a policy says it. */
const THE_BUILD = { issuer: ISSUER, subject: CI };

function keyless({
  identity = THE_BUILD,
  root = 'private',
  more = {},
}: {
  readonly identity?: object;
  readonly root?: RootName;
  readonly more?: object;
} = {}): Make {
  const authority = {
    name: 'ci',
    trustRootRef: { name: root },
    keyless: { identities: [identity] },
    ...more,
  };
  return () => ({ authorities: [authority], require: { signatures: { from: ['ci'] } } });
}

/** Kept in a Secret of the platform, under this entry. */
const secretRef = (name: string) => ({ secretRef: { name, key: 'cosign.pub' } });
const fromSecret =
  (name: string): Make =>
  () => ({ authorities: [{ name: 'builder', key: secretRef(name) }], require: signatures });

/** By its name, which is also the folder of the images that it is about. */
export const POLICIES = {
  'by-key': asking(signatures, 'builder'),
  'in-a-secret': fromSecret('builder-key'),
  'in-another-secret': fromSecret('stranger-key'),
  two: asking({ signatures: { from: ['builder', 'scanner'], threshold: 2 } }, 'builder', 'scanner'),
  twice: (signer) => ({
    authorities: [
      ...byKeys(signer, 'builder'),
      { name: 'builder-again', key: { pem: signer.pem('builder') } },
    ],
    require: { signatures: { from: ['builder', 'builder-again'], threshold: 2 } },
  }),
  revoked: (signer) => ({
    ...asking(signatures, 'builder')(signer),
    revoked: [signer.fingerprint('builder')],
  }),
  logged: (signer) => ({
    authorities: [
      {
        name: 'builder',
        key: { pem: signer.pem('builder') },
        trustRootRef: { name: 'private' },
        log: 'Required',
      },
    ],
    require: signatures,
  }),
  each: (signer) => ({ ...asking(signatures, 'builder')(signer), platforms: 'Each' }),
  keyless: keyless(),
  'another-identity': keyless({ identity: { issuer: ISSUER, subject: `${CI}/2` } }),
  'another-issuer': keyless({ identity: { issuer: 'https://evil.example', subject: CI } }),
  'part-of-a-name': keyless({ identity: { issuer: ISSUER, subjectPattern: 'builds' } }),
  timestamped: keyless({ more: { time: 'Timestamp' } }),
  'timestamp-alone': keyless({ more: { log: 'Ignored', time: 'Timestamp' } }),
  'late-certificates': keyless({ root: 'late', more: { log: 'Ignored', time: 'Timestamp' } }),
  'other-authority': keyless({ root: 'authorities' }),
  'other-certificate-log': keyless({ root: 'certificate-logs' }),
  'other-log': keyless({ root: 'logs' }),
  'other-timestamps': keyless({ root: 'timestamps', more: { log: 'Ignored', time: 'Timestamp' } }),
  described: asking(ASKED, 'builder', 'scanner', 'analyst'),
  built: asking({ provenance: ASKED.provenance }, 'builder', 'scanner'),
  'another-builder': asking(
    { provenance: { ...ASKED.provenance, builders: [{ id: 'https://builder.example/v2', level: 3 }] } },
    'builder',
  ),
  'another-source': asking(
    { provenance: { ...ASKED.provenance, sources: ['https://git.example/team/other'] } },
    'builder',
  ),
  'lower-level': asking(
    { provenance: { ...ASKED.provenance, builders: [{ id: 'https://builder.example/v1', level: 2 }] } },
    'builder',
  ),
  listed: asking({ sbom: ASKED.sbom }, 'builder'),
  'denied-licence': asking({ sbom: { ...ASKED.sbom, deniedLicences: ['MIT'] } }, 'builder'),
  fresh: asking(
    { vulnerabilities: { ...ASKED.vulnerabilities, maxAgeSeconds: HOUR_S } },
    'scanner',
    'analyst',
  ),
  scored: asking({ vulnerabilities: { from: ['scanner'], budget: {}, maxScore: '7.0' } }, 'scanner'),
} as const satisfies Record<string, Make>;

/** A policy of the scenario. */
export type PolicyName = keyof typeof POLICIES;

/** A ClusterImagePolicy about the images of a folder of a registry. */
export function imagePolicy(host: string, name: string, spec: object): object {
  return {
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'ClusterImagePolicy',
    metadata: { name },
    spec: { images: [`${host}/${name}/*`], ...spec },
  };
}

/** What the policies name: keys in Secrets, and roots, of which the right one is in a ConfigMap. */
export function namedByPolicies(signer: ImageSigner, namespace: string): readonly object[] {
  const secret = (name: string, key: KeyName): object => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace },
    stringData: { 'cosign.pub': signer.pem(key) },
  });
  const inline = (['late', 'authorities', 'certificate-logs', 'logs', 'timestamps'] as const).map((name) =>
    trustRoot(name, { trustedRoot: signer.root(name) }),
  );
  return [
    secret('builder-key', 'builder'),
    secret('stranger-key', 'stranger'),
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'private-root', namespace },
      data: { 'trusted_root.json': signer.root('private') },
    },
    trustRoot('private', { configMapRef: { name: 'private-root', key: 'trusted_root.json' } }),
    ...inline,
  ];
}

/** A TrustRoot. */
export function trustRoot(name: string, spec: object): object {
  return { apiVersion: 'nexusos.dev/v1alpha1', kind: 'TrustRoot', metadata: { name }, spec };
}

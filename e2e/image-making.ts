// SPDX-License-Identifier: Apache-2.0
import {
  CI,
  cycloneDx,
  cycloneDxVex,
  cycloneDxXml,
  type ImageSigner,
  ISSUER,
  type KeyName,
  openVex,
  provenance,
  report,
  type RootName,
  spdx,
} from './image-signer.ts';
import type { ImageAt } from './registry-content.ts';

export const HOUR_MS = 3_600_000;
const ago = (ms: number): string => new Date(Date.now() - ms).toISOString();

type Base = (signer: ImageSigner, image: ImageAt) => Promise<void>;

/** What people state of an image, for cosign: each with its name there. */
export const sbom = (): { type: string; predicate: object } => ({
  type: 'cyclonedx',
  predicate: cycloneDx(),
});
/** As cosign attests what is no JSON. */
export const sbomXml = (licence?: string) => ({ type: 'custom', predicate: cycloneDxXml(licence) });
export const sbomSpdx = (field?: string) => ({ type: 'spdxjson', predicate: spdx('MIT', field) });
export const built = () => ({ type: 'slsaprovenance1', predicate: provenance() });
export const vex = (affectedSince?: string) => ({
  type: 'openvex',
  predicate: openVex(undefined, affectedSince),
});
/** What cosign has no short name for is named by its address. */
export const CYCLONEDX_VEX = 'https://cyclonedx.org/vex';
export const vexCycloneDx = () => ({ type: CYCLONEDX_VEX, predicate: cycloneDxVex() });
export const scanned = (ms: number, isClean = false) => ({
  type: 'vuln',
  predicate: report(ago(ms), isClean),
});

/** Images that are signed once, and copied for each case that begins with one of them. */
export const BASES = {
  bare: async () => {},
  signed: (signer, image) => signer.sign(image, 'builder'),
  older: (signer, image) => signer.signOlder(image, 'builder'),
  strange: (signer, image) => signer.sign(image, 'stranger'),
  keyless: (signer, image) => signer.signKeyless(image),
  'keyless-tsa': (signer, image) => signer.signKeyless(image, 'tsa'),
  'keyless-log': (signer, image) => signer.signKeyless(image, 'rekor'),
  listed: (signer, image) => signer.attest(image, 'builder', sbom()),
  built: (signer, image) => signer.attest(image, 'builder', built()),
  scanned: (signer, image) => signer.attest(image, 'scanner', scanned(2 * HOUR_MS)),
  whole: async (signer, image) => {
    await signer.sign(image, 'builder');
    await signer.attest(image, 'builder', built());
    await signer.attest(image, 'builder', sbom());
    await signer.attest(image, 'scanner', scanned(2 * HOUR_MS));
  },
} as const satisfies Record<string, Base>;

/** What a case begins with. */
export type BaseName = keyof typeof BASES;

/** What a case is made with. */
export interface Making {
  readonly signer: ImageSigner;
  /** The image of the case, which is a copy of its own. */
  readonly image: ImageAt;
  /** Another one, to take from. */
  readonly other: (base: BaseName) => Promise<ImageAt>;
}

/** How cosign is asked about the same. */
export type Opinion = (signer: ImageSigner) => readonly string[];

const OFFLINE = ['--insecure-ignore-tlog=true', '--private-infrastructure=true'];
export const byKey =
  (name: KeyName = 'builder', ...more: readonly string[]): Opinion =>
  (signer) => ['verify', '--key', signer.publicPath(name), ...OFFLINE, ...more];
export const stated =
  (type: string, name: KeyName = 'builder'): Opinion =>
  (signer) => ['verify-attestation', '--type', type, '--key', signer.publicPath(name), ...OFFLINE];
export const byRoot =
  (root: RootName = 'private', more: readonly string[] = []): Opinion =>
  (signer) => [
    'verify',
    '--trusted-root',
    signer.rootPath(root),
    ...(more.some((one) => one.startsWith('--certificate-identity')) ? [] : ['--certificate-identity', CI]),
    ...(more.includes('--certificate-oidc-issuer') ? [] : ['--certificate-oidc-issuer', ISSUER]),
    ...more,
  ];
export const TIMESTAMPS = ['--use-signed-timestamps', '--insecure-ignore-tlog=true'];

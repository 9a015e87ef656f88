// SPDX-License-Identifier: Apache-2.0
import {
  type BaseName,
  byKey,
  byRoot,
  CYCLONEDX_VEX,
  HOUR_MS,
  type Making,
  type Opinion,
  sbomSpdx,
  sbomXml,
  stated,
  TIMESTAMPS,
  vex,
  vexCycloneDx,
} from './image-making.ts';
import type { PolicyName } from './image-policies.ts';
import type { ImageAt } from './registry-content.ts';

/** An image, a policy, and what becomes of it. */
export interface ImageCase {
  readonly policy: PolicyName;
  readonly base: BaseName;
  /** What is done to it; another image, where it is one then. */
  readonly make?: (making: Making) => Promise<ImageAt | void>;
  /** Why it is refused; undefined: it is admitted. */
  readonly reason?: string;
  readonly says?: RegExp;
  readonly cosign: Opinion;
  /** Where cosign says otherwise, or is asked only for a part: why. */
  readonly differs?: string;
}

/** Why cosign says otherwise. */
export const NOT_ASKED = {
  policy: 'it says that the statement is signed; what it states is for a policy in CUE or Rego to judge',
  roles: 'any statement of the key is a signature to it',
  part: 'a pattern may match a part of a name',
  revoked: 'it knows no revoked keys',
  count: 'it asks for one signature',
  index: 'it looks at the index alone',
  log: 'a log is asked for, or not, of all signatures; here it was not',
} as const;

/** Admitted, by what suffices. */
export const ADMITTED: Readonly<Record<string, ImageCase>> = {
  'signed by a key': { policy: 'by-key', base: 'signed', cosign: byKey() },
  'signed by a key, in the older form': {
    policy: 'by-key',
    base: 'older',
    cosign: byKey('builder', '--new-bundle-format=false'),
  },
  'signed by a key that is in a Secret': { policy: 'in-a-secret', base: 'signed', cosign: byKey() },
  'signed by two': {
    policy: 'two',
    base: 'signed',
    make: ({ signer, image }) => signer.sign(image, 'scanner'),
    cosign: byKey('scanner'),
  },
  'signed without a key': { policy: 'keyless', base: 'keyless', cosign: byRoot() },
  'signed without a key, with a timestamp and no log': {
    policy: 'timestamp-alone',
    base: 'keyless-tsa',
    cosign: byRoot('private', TIMESTAMPS),
  },
  'an index, all of which is signed': {
    policy: 'each',
    base: 'signed',
    make: async ({ signer, image }) => {
      const index = await signer.content.index(image.repository, [image.digest]);
      await signer.sign(index, 'builder');
      return index;
    },
    cosign: byKey(),
  },
  'signed, described, built, and scanned with what does not affect it': {
    policy: 'described',
    base: 'whole',
    make: ({ signer, image }) => signer.attest(image, 'analyst', vex()),
    cosign: stated('openvex', 'analyst'),
  },
  'scanned with what an analysis in CycloneDX says does not affect it': {
    policy: 'described',
    base: 'whole',
    make: ({ signer, image }) => signer.attest(image, 'analyst', vexCycloneDx()),
    cosign: stated(CYCLONEDX_VEX, 'analyst'),
  },
  'described by a bill of materials in XML': {
    policy: 'listed',
    base: 'bare',
    make: ({ signer, image }) => signer.attest(image, 'builder', sbomXml()),
    cosign: stated('custom'),
  },
  'described by a bill of materials in SPDX': {
    policy: 'listed',
    base: 'bare',
    make: ({ signer, image }) => signer.attest(image, 'builder', sbomSpdx()),
    cosign: stated('spdxjson'),
  },
  'the same, with a waiver in place of who says that': {
    policy: 'described',
    base: 'whole',
    cosign: stated('vuln', 'scanner'),
  },
};

/** Waivers, by the case that they are for: what they say beside that. */
export const WAIVERS: Readonly<
  Record<string, { readonly name: string; readonly spec: object; readonly lastsMs: number }>
> = {
  'the same, with a waiver in place of who says that': { name: 'in-force', spec: {}, lastsMs: 24 * HOUR_MS },
  'waived in another package': {
    name: 'another-package',
    spec: { purl: 'pkg:npm/left@1.0.0' },
    lastsMs: 24 * HOUR_MS,
  },
  'waived until a moment ago': { name: 'until-a-moment-ago', spec: {}, lastsMs: 20_000 },
};

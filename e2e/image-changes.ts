// SPDX-License-Identifier: Apache-2.0
import { PLATFORM_NAMESPACE } from '#hack/system/chart';
import { eventually } from '#hack/tools/eventually';
import { BASES, scanned } from './image-making.ts';
import { byKeys, imagePolicy, trustRoot } from './image-policies.ts';
import { CI, type ImageSigner, ISSUER } from './image-signer.ts';
import { type RiskTakers, verdictsIn, waiver } from './image-world.ts';
import type { ImageAt } from './registry-content.ts';
import { pushImage } from './signing.ts';
import type { User } from './user.ts';

/** Where a change is played: on an image that runs, by a policy of its own. */
export interface Watched {
  readonly admin: User;
  readonly signer: ImageSigner;
  readonly takers: RiskTakers;
  readonly image: ImageAt;
  /** How pods name it. */
  readonly reference: string;
  /** Of the policy, and of all that belongs to it. */
  readonly name: string;
  readonly namespace: string;
}

/** What changes, and what comes of it. */
export interface ImageChange {
  /** Whether the pods name it by its tag; else by its digest. */
  readonly isByTag?: true;
  readonly make: (watched: Watched) => Promise<void>;
  /** What is asked at first. */
  readonly spec: (watched: Watched) => object;
  readonly change: (watched: Watched) => Promise<void>;
  readonly reason: string;
  /** As the page tells it. */
  readonly noticed: string;
}

const signatures = { signatures: { from: ['builder'] } };
const signed = ({ signer, image }: Watched): Promise<void> => BASES.signed(signer, image);
const signedByBuilder = ({ signer }: Watched): object => ({
  authorities: byKeys(signer, 'builder'),
  require: signatures,
});

function asks({ admin, signer, name }: Watched, spec: object): Promise<void> {
  return admin.applies(imagePolicy(signer.content.host, name, spec));
}

function hasKey({ admin, signer, name }: Watched, who: 'builder' | 'stranger'): Promise<void> {
  const metadata = { name, namespace: PLATFORM_NAMESPACE };
  const stringData = { 'cosign.pub': signer.pem(who) };
  return admin.applies({ apiVersion: 'v1', kind: 'Secret', metadata, stringData });
}

function trusts({ admin, signer, name }: Watched, root: 'private' | 'authorities'): Promise<void> {
  return admin.applies(trustRoot(name, { trustedRoot: signer.root(root) }));
}

function waives({ takers, signer, image, name }: Watched, lastsMs: number): Promise<void> {
  const where = `${signer.content.host}/${image.repository}`;
  return takers.take(waiver({ name, policy: name, image: where }, { lastsMs }));
}

async function withdraws({ admin, name }: Watched): Promise<void> {
  await admin.does(['delete', '-n', PLATFORM_NAMESPACE, `imagewaiver/${name}`]);
}

const HOUR_MS = 3_600_000;
const DEADLINE_MS = 240_000;
const LATER = 'when the image is looked at again';

/**
 * How long a verdict counts: images are looked at again four times in it. Short only where that is when a change is noticed: whatever is noticed
 * before would otherwise be found by that as well.
 */
export function ageOf({ noticed }: ImageChange): object {
  return noticed.startsWith(LATER) ? { maxAgeSeconds: 300 } : {};
}

const noneCritical = ({ signer }: Watched): object => ({
  authorities: byKeys(signer, 'scanner'),
  require: { vulnerabilities: { from: ['scanner'], budget: { critical: 0 } } },
});

async function waived(watched: Watched): Promise<void> {
  await watched.signer.attest(watched.image, 'scanner', scanned(HOUR_MS));
  await waives(watched, 24 * HOUR_MS);
}

/** Until the verdict on the image says one of these. */
function says({ admin, namespace, reference }: Watched, wanted: readonly string[]): Promise<boolean> {
  return eventually(
    `${reference} is ${wanted.join(' or ')}`,
    async () => {
      const verdict = (await verdictsIn(admin, namespace)).find(({ spec }) => spec.image === reference);
      const found = verdict?.status?.conditions?.find(({ type }) => type === 'Verified')?.reason;
      if (found === undefined || !wanted.includes(found)) throw new Error(found ?? 'no verdict');
      return true;
    },
    DEADLINE_MS,
  );
}

/** Each is a row of the second table of docs/spec/v1alpha1/refused-images.md. */
export const CHANGES: Readonly<Record<string, ImageChange>> = {
  'its key is named in `revoked`': {
    make: signed,
    spec: signedByBuilder,
    change: (watched) =>
      asks(watched, { ...signedByBuilder(watched), revoked: [watched.signer.fingerprint('builder')] }),
    reason: 'Revoked',
    noticed: 'at once',
  },
  'its key is taken out of the policy': {
    make: signed,
    spec: signedByBuilder,
    change: (watched) =>
      asks(watched, {
        authorities: [{ name: 'builder', key: { pem: watched.signer.pem('stranger') } }],
        require: signatures,
      }),
    reason: 'WrongKey',
    noticed: 'at once',
  },
  'its key is taken out of the Secret': {
    make: async (watched) => {
      await signed(watched);
      await hasKey(watched, 'builder');
    },
    spec: ({ name }) => ({
      authorities: [{ name: 'builder', key: { secretRef: { name, key: 'cosign.pub' } } }],
      require: signatures,
    }),
    change: (watched) => hasKey(watched, 'stranger'),
    reason: 'WrongKey',
    noticed: 'within about a minute',
  },
  'the TrustRoot does not have its authority any more': {
    make: async (watched) => {
      await BASES.keyless(watched.signer, watched.image);
      await trusts(watched, 'private');
    },
    spec: ({ name }) => ({
      authorities: [
        {
          name: 'ci',
          trustRootRef: { name },
          keyless: { identities: [{ issuer: ISSUER, subject: CI }] },
        },
      ],
      require: { signatures: { from: ['ci'] } },
    }),
    change: (watched) => trusts(watched, 'authorities'),
    reason: 'CertificateUntrusted',
    noticed: 'at once',
  },
  'its tag is moved to an image that is not signed': {
    isByTag: true,
    make: signed,
    spec: signedByBuilder,
    change: async ({ signer, image }) => {
      await pushImage(signer.content.host, `${image.repository}:1`, 'moved');
    },
    reason: 'NoSignature',
    noticed: `${LATER}; until then pods run what was verified, by its digest`,
  },
  'a newer report is worse': {
    make: ({ signer, image }) => signer.attest(image, 'scanner', scanned(HOUR_MS, true)),
    spec: noneCritical,
    change: ({ signer, image }) => signer.attest(image, 'scanner', scanned(0)),
    reason: 'OverBudget',
    noticed: LATER,
  },
  'its waiver is deleted': {
    make: waived,
    spec: noneCritical,
    change: withdraws,
    reason: 'OverBudget',
    noticed: 'at once',
  },
  'its waiver runs out': {
    make: waived,
    spec: noneCritical,
    change: async (watched) => {
      await withdraws(watched);
      await says(watched, ['OverBudget']);
      await waives(watched, 30_000);
      // Of a machine that is so slow, it is seen only when it is over.
      await says(watched, ['Verified', 'WaiverExpired']);
    },
    reason: 'WaiverExpired',
    noticed: 'at that time',
  },
};

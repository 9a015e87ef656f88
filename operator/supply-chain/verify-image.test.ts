// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { signedBy } from '#hack/sigstore/late-signature';
import type { Refusal, Unknown } from '../core/supply-chain/judgement.ts';
import type { Requirement, Waiver } from '../core/supply-chain/requirement.ts';
import type { ImageVerdict } from '../core/supply-chain/verdict.ts';
import type { Gathered } from './evidence.ts';
import { exactly } from './identity.ts';
import type { ReadyPolicy } from './policy.ts';
import { ASKED, signedImages } from './testing/signed-images.ts';
import { CI, rootOf, SignedWorld } from './testing/signed-world.ts';
import { verifyImage } from './verify-image.ts';

const now = new Date();
const HOUR = 3_600_000;
const ago = (ms: number): string => new Date(now.getTime() - ms).toISOString();

let world: SignedWorld;
let late: SignedWorld;
let images: Record<string, string>;

test.before(async () => {
  // A certificate authority whose certificates have run out before they are used.
  [world, late] = await Promise.all([
    SignedWorld.start(),
    SignedWorld.start(new Date(now.getTime() - 24 * HOUR)),
  ]);
  images = await signedImages(world, now);
});

test.after.always(() => Promise.all([world?.stop(), late?.stop()]));

const WAIVER: Waiver = {
  name: 'accepted',
  vulnerability: 'CVE-2026-0001',
  expires: new Date(now.getTime() + HOUR).toISOString(),
};

function verify(
  image: string,
  policy: Partial<ReadyPolicy>,
  change?: (gathered: Gathered) => Gathered,
): Promise<ImageVerdict> {
  return verifyImage(image, { policy: world.policy(policy), source: world.source(change), now });
}

/** Accepted, each with what it is that suffices. */
const accepted: Readonly<
  Record<string, { readonly image: string; readonly policy: () => Partial<ReadyPolicy> }>
> = {
  'signed, described, and what was found does not affect it': {
    image: 'whole',
    policy: () => ({ requirement: ASKED }),
  },
  'the same, with a waiver in force in place of who says so': {
    image: 'vulnerable',
    policy: () => ({ requirement: ASKED, waivers: [WAIVER] }),
  },
  'signed in the older form': { image: 'classic', policy: () => ({}) },
  'signed without a key': { image: 'keyless', policy: () => keyless({}) },
  'signed without a key and without a log, where a timestamp is enough': {
    image: 'without log',
    policy: () => keyless({ log: 'Ignored', time: 'Timestamp' }),
  },
  'signed without a timestamp, where the word of a log is enough': {
    image: 'without timestamp',
    policy: () => keyless({}),
  },
  'described in XML, which cosign attests as a text': {
    image: 'described in XML',
    policy: () => ({ requirement: { sbom: ASKED.sbom } }),
  },
  'an index that is signed, where that speaks for what is in it': { image: 'index', policy: () => ({}) },
};

function keyless(change: Parameters<SignedWorld['keyless']>[0]): Partial<ReadyPolicy> {
  return keylessBy(world, change);
}

function keylessBy(by: SignedWorld, change: Parameters<SignedWorld['keyless']>[0]): Partial<ReadyPolicy> {
  return { authorities: [by.keyless(change)], requirement: { signatures: { from: ['ci'], threshold: 1 } } };
}

for (const [title, { image, policy }] of Object.entries(accepted)) {
  test(`accepted: ${title}`, async (t) => {
    const verdict = await verify(images[image]!, policy());
    t.is(verdict.outcome, 'Verified', JSON.stringify(verdict, undefined, 2));
    t.true(verdict.facts.signers.length > 0);
  });
}

/** One thing is not as it should be. */
interface Spoilt {
  readonly image: string | (() => string);
  readonly policy?: () => Partial<ReadyPolicy>;
  readonly change?: (gathered: Gathered) => Gathered;
  readonly want: Refusal | Unknown;
  readonly says?: RegExp;
}

const asks =
  (change: Partial<Requirement>): (() => Partial<ReadyPolicy>) =>
  () => ({ requirement: change });
const built = (change: Partial<Requirement['provenance']>): (() => Partial<ReadyPolicy>) =>
  asks({ provenance: { ...ASKED.provenance, ...change } });

/** Everything of a bundle but the statement, which is another. */
function restated(gathered: Gathered): Gathered {
  const evidence = gathered.evidence.map((one) => {
    const parsed = JSON.parse(Buffer.from(one.bytes).toString()) as { dsseEnvelope: { payload: string } };
    const statement = Buffer.from(parsed.dsseEnvelope.payload, 'base64')
      .toString()
      .replace('{}', '{"more":1}');
    const dsseEnvelope = { ...parsed.dsseEnvelope, payload: Buffer.from(statement).toString('base64') };
    return { ...one, bytes: Buffer.from(JSON.stringify({ ...parsed, dsseEnvelope })) };
  });
  return { ...gathered, evidence };
}

const spoilt: Readonly<Record<string, Spoilt>> = {
  'nothing is attached': { image: 'bare', want: 'NoSignature' },
  'signed by somebody else': { image: 'signed by a stranger', want: 'WrongKey' },
  'described and never signed': { image: 'described only', want: 'OnlyOtherStatements', says: /cyclonedx/ },
  'signed by another identity': {
    image: 'keyless',
    policy: () =>
      keyless({
        signer: {
          kind: 'certificates',
          certificateLog: 'Required',
          identities: [{ issuer: exactly('https://issuer.example'), subject: exactly(`${CI}/2`) }],
        },
      }),
    want: 'WrongIdentity',
    says: /ci\.example\/builds\/main/,
  },
  'identified by another issuer': {
    image: 'keyless',
    policy: () =>
      keyless({
        signer: {
          kind: 'certificates',
          certificateLog: 'Required',
          identities: [{ issuer: exactly('https://evil.example'), subject: exactly(CI) }],
        },
      }),
    want: 'WrongIssuer',
  },
  'in no log, though one is asked for': {
    image: 'without log',
    policy: () => keyless({}),
    want: 'LogEntryMissing',
  },
  'without timestamp, though one is asked for': {
    image: 'without timestamp',
    policy: () => keyless({ time: 'Timestamp' }),
    want: 'TimestampMissing',
  },
  'certified by another authority': {
    image: 'keyless',
    policy: () =>
      keyless({
        root: rootOf({
          ...world.sigstore.trustedRoot,
          certificateAuthorities: late.sigstore.trustedRoot['certificateAuthorities'],
        }),
      }),
    want: 'CertificateUntrusted',
  },
  'certified outside the log of certificates': {
    image: 'keyless',
    policy: () =>
      keyless({
        root: rootOf({ ...world.sigstore.trustedRoot, ctlogs: late.sigstore.trustedRoot['ctlogs'] }),
      }),
    want: 'CertificateNotLogged',
  },
  'in the log of somebody else': {
    image: 'keyless',
    policy: () =>
      keyless({ root: rootOf({ ...world.sigstore.trustedRoot, tlogs: late.sigstore.trustedRoot['tlogs'] }) }),
    want: 'LogEntryInvalid',
  },
  'with what was made for another image': {
    image: 'bare',
    change: () => world.registry.gathered(images['whole']!),
    want: 'DigestMismatch',
  },
  'in the older form, with what was made for another image': {
    image: 'bare',
    change: () => world.registry.gathered(images['classic']!),
    want: 'DigestMismatch',
  },
  'with another statement under a good signature': {
    image: 'whole',
    change: restated,
    want: 'SignatureInvalid',
  },
  'an index that is signed, but not what is in it': {
    image: 'index',
    policy: () => ({ platforms: 'Each' }),
    want: 'NoSignature',
    says: /linux\/amd64 \(sha256:/,
  },
  'an index of as many images as are verified, of which none is signed': {
    image: 'index of 32',
    policy: () => ({ platforms: 'Each' }),
    want: 'NoSignature',
    says: /linux\/amd64 \(sha256:/,
  },
  'an index of more images than are verified': {
    image: 'index of 33',
    policy: () => ({ platforms: 'Each' }),
    want: 'TooLarge',
    says: /33 images; 32 are verified/,
  },
  'an image of an index that is signed, asked for by itself': { image: 'amd64', want: 'NoSignature' },
  'built, says who may scan': {
    image: 'built by the scanner',
    policy: built({}),
    want: 'RoleNotAllowed',
    says: /scanner/,
  },
  'built by another builder': {
    image: 'whole',
    policy: built({ builders: [{ id: 'https://builder.example/v2', level: 3 }] }),
    want: 'ProvenanceBuilder',
  },
  'built from another source': {
    image: 'whole',
    policy: built({ sources: ['https://git.example/team/other'] }),
    want: 'ProvenanceSource',
    says: /team\/app/,
  },
  'built at a lower level': {
    image: 'whole',
    policy: built({ builders: [{ id: 'https://builder.example/v1', level: 2 }] }),
    want: 'ProvenanceLevel',
  },
  'scanned too long ago': {
    image: 'whole',
    policy: asks({ vulnerabilities: { ...ASKED.vulnerabilities, maxAgeSeconds: 60 } }),
    want: 'ReportTooOld',
  },
  'over the budget of vulnerabilities': {
    image: 'vulnerable',
    policy: () => ({ requirement: ASKED }),
    want: 'OverBudget',
    says: /1 vulnerabilities are Critical, 0 are allowed: CVE-2026-0001/,
  },
  'clean by an older report only': {
    image: 'two reports',
    policy: asks({ vulnerabilities: ASKED.vulnerabilities }),
    want: 'OverBudget',
  },
  'waived until a moment ago': {
    image: 'vulnerable',
    policy: () => ({ requirement: ASKED, waivers: [{ ...WAIVER, expires: ago(1000) }] }),
    want: 'WaiverExpired',
    says: /accepted/,
  },
  'waived in another package': {
    image: 'vulnerable',
    policy: () => ({ requirement: ASKED, waivers: [{ ...WAIVER, purl: 'pkg:npm/left@1.0.0' }] }),
    want: 'OverBudget',
  },
  'waived at a lower score': {
    image: 'vulnerable',
    policy: () => ({ requirement: ASKED, waivers: [{ ...WAIVER, maxScoreTenths: 75 }] }),
    want: 'OverBudget',
  },
  'excused by who may not': {
    image: 'excused by a stranger to it',
    policy: () => ({ requirement: ASKED }),
    want: 'OverBudget',
  },
  'signed by a key that was revoked': {
    image: 'whole',
    policy: () => ({ revoked: new Set([world.fingerprint('builder')]) }),
    want: 'Revoked',
  },
  'signed by one of two that are asked for': {
    image: 'whole',
    policy: asks({ signatures: { from: ['builder', 'scanner'], threshold: 2 } }),
    want: 'ThresholdNotMet',
    says: /1 of 2/,
  },
  'with a licence that is denied': {
    image: 'whole',
    policy: asks({ sbom: { ...ASKED.sbom, deniedLicences: ['MIT'] } }),
    want: 'LicenceNotAllowed',
    says: /"right" has licence "MIT"/,
  },
  'described in XML, with a licence that is denied': {
    image: 'described in XML',
    policy: asks({ sbom: { ...ASKED.sbom, deniedLicences: ['MIT'] } }),
    want: 'LicenceNotAllowed',
    says: /"right" has licence "MIT"/,
  },
  'described in a version that is not read': {
    image: 'of another version',
    policy: asks({ sbom: ASKED.sbom }),
    want: 'Unsupported',
  },
  'while the registry asks to be asked later': {
    image: 'bare',
    change: (gathered) => ({
      ...gathered,
      incomplete: { kind: 'unknown', reason: 'RegistryThrottled', message: '429' },
    }),
    want: 'RegistryThrottled',
  },
};

for (const [title, { image, policy, change, want, says }] of Object.entries(spoilt)) {
  test(`refused for what is true of it: ${title}`, async (t) => {
    const before = process.threadCpuUsage();
    const verdict = await verify(images[image as string]!, policy?.() ?? {}, change);
    t.is(verdict.reason, want, JSON.stringify(verdict, undefined, 2));
    t.not(verdict.outcome, 'Verified');
    t.regex(verdict.message, says ?? /./);
    t.true(verdict.message.length < 2000);
    const { user, system } = process.threadCpuUsage(before);
    t.true(user + system < 10_000_000, `${user + system} microseconds of a processor`);
  });
}

test('what counts is signed by who may say it, and who else did is noted', async (t) => {
  const verdict = await verify(images['excused by a stranger to it']!, { requirement: ASKED });
  t.regex(verdict.notes.join('\n'), /VEX document by scanner does not count.*analyst/);
});

test('facts say what was found, and until when', async (t) => {
  const verdict = await verify(images['whole']!, { requirement: ASKED });
  t.like(verdict.facts, {
    provenance: { builder: 'https://builder.example/v1', source: 'https://git.example/team/app' },
    sbom: { format: 'CycloneDX 1.6', components: 2 },
    vulnerabilities: {
      excluded: 1,
      waived: 0,
      counts: { Critical: 0, High: 0, Medium: 0, Low: 0, Unscored: 0 },
    },
  });
  t.is(verdict.validUntil, new Date(Date.parse(ago(HOUR)) + 86_400_000).toISOString());
  const waived = await verify(images['vulnerable']!, { requirement: ASKED, waivers: [WAIVER] });
  t.is(waived.validUntil, WAIVER.expires);
});

test('what is there suffices, though something may be missing', async (t) => {
  const verdict = await verify(images['whole']!, {}, (gathered) => ({
    ...gathered,
    incomplete: { kind: 'unknown', reason: 'RegistryUnreachable', message: 'one of them' },
  }));
  t.is(verdict.outcome, 'Verified');
});

test('a certificate that had run out before it was used is refused as that', async (t) => {
  const image = late.registry.image('late');
  const evidence = [await signedBy(late.sigstore.url, CI, image)];
  const policy = late.policy(keylessBy(late, { log: 'Ignored', time: 'Timestamp' }));
  const source = late.source((gathered) => ({ ...gathered, evidence }));
  const verdict = await verifyImage(image, { policy, source, now });
  t.is(verdict.reason, 'CertificateExpired', verdict.message);
});

test('the same certificate is accepted where it was used in time', async (t) => {
  const image = images['bare']!;
  const evidence = [await signedBy(world.sigstore.url, CI, image)];
  const verdict = await verify(image, keyless({ log: 'Ignored', time: 'Timestamp' }), (gathered) => ({
    ...gathered,
    evidence,
  }));
  t.is(verdict.outcome, 'Verified', verdict.message);
});

/** Where cosign is right, we say the same; where it says something else, we say why in the docs. */
const compared: Readonly<Record<string, { readonly cosign: boolean; readonly ours: boolean }>> = {
  whole: { cosign: true, ours: true },
  index: { cosign: true, ours: true },
  bare: { cosign: false, ours: false },
  'signed by a stranger': { cosign: false, ours: false },
  // It takes any statement of the key for a signature.
  'described only': { cosign: true, ours: false },
};

for (const [image, want] of Object.entries(compared)) {
  test(`beside cosign itself: ${image}`, async (t) => {
    const reference = world.reference(images[image]!);
    const key = [
      '--key',
      world.publicPath('builder'),
      '--insecure-ignore-tlog=true',
      '--private-infrastructure=true',
    ];
    const { code, stderr } = await world.cosign.try('verify', ...key, reference);
    t.is(code === 0, want.cosign, stderr);
    t.is((await verify(images[image]!, {})).outcome === 'Verified', want.ours);
  });
}

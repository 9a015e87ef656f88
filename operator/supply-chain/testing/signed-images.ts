// SPDX-License-Identifier: Apache-2.0
import type { Requirement } from '../../core/supply-chain/requirement.ts';
import { cycloneDx, cycloneDxXml, openVex, provenance, report } from '#hack/sigstore/predicates';
import type { SignedWorld } from './signed-world.ts';

const HOUR = 3_600_000;

/** All that a policy can ask for. */
export const ASKED: Required<Requirement> = {
  signatures: { from: ['builder'], threshold: 1 },
  provenance: {
    from: ['builder'],
    threshold: 1,
    builders: [{ id: 'https://builder.example/v1', level: 3 }],
    sources: ['https://git.example/team/app'],
    minLevel: 3,
  },
  sbom: { from: ['builder'], threshold: 1, allowedLicences: [], deniedLicences: ['GPL-3.0-only'] },
  vulnerabilities: {
    from: ['scanner'],
    threshold: 1,
    maxAgeSeconds: 86_400,
    budget: { Critical: 0, Unscored: 0 },
    vexFrom: ['analyst'],
  },
};

/** Signed, described and scanned by those who are to: what everything that is spoilt is spoilt from. */
async function makeWhole(world: SignedWorld, image: string, scannedAt: string): Promise<void> {
  await world.sign(image, 'builder');
  await world.attest(image, 'builder', { type: 'slsaprovenance1', predicate: provenance() });
  await world.attest(image, 'builder', { type: 'cyclonedx', predicate: cycloneDx() });
  await world.attest(image, 'scanner', { type: 'vuln', predicate: report(scannedAt) });
}

/** Images of a world by what is true of them. */
export async function signedImages(world: SignedWorld, now: Date): Promise<Record<string, string>> {
  const images: Record<string, string> = {};
  const make = (name: string): string => (images[name] = world.registry.image(name));
  const ago = (ms: number): string => new Date(now.getTime() - ms).toISOString();
  await makeDescribed(world, make, ago);
  await makeSigned(world, make);
  await makeTwoReports(world, make, ago);
  images['index'] = world.registry.index([make('amd64'), make('arm64')]);
  await world.sign(images['index'], 'builder');
  for (const count of [32, 33]) {
    const index = world.registry.index(
      Array.from({ length: count }, (_, number) => make(`${number} of ${count}`)),
    );
    images[`index of ${count}`] = index;
    await world.sign(index, 'builder');
  }
  return images;
}

/** Images of a world with several of something: reports, signatures, indexes. */
export async function severalImages(world: SignedWorld, now: Date): Promise<Record<string, string>> {
  const images: Record<string, string> = {};
  const make = (name: string): string => (images[name] = world.registry.image(name));
  const ago = (ms: number): string => new Date(now.getTime() - ms).toISOString();
  await world.sign(make('whole'), 'builder');
  await world.signKeyless(make('keyless'));
  // Again, by the same, with another key.
  await world.signKeyless(images['keyless'] ?? '');
  images['index'] = world.registry.index([make('amd64'), make('arm64')]);
  await world.sign(images['index'], 'builder');
  await makeTwoReports(world, make, ago);
  await makeReports(world, images, { make, ago });
  await makeNested(world, images);
  return images;
}

async function makeTwoReports(world: SignedWorld, make: Make, ago: (ms: number) => string): Promise<void> {
  const reports = make('two reports');
  await world.attest(reports, 'scanner', { type: 'vuln', predicate: report(ago(2 * HOUR), true) });
  await world.attest(reports, 'scanner', { type: 'vuln', predicate: report(ago(HOUR)) });
}

type Make = (name: string) => string;
type Attested = Parameters<SignedWorld['attest']>[2];

/** Of two reports each: one that cannot be read and is newer, or older; and two that are clean, by two who scan. */
async function makeReports(
  world: SignedWorld,
  images: Record<string, string>,
  { make, ago }: { readonly make: Make; readonly ago: (ms: number) => string },
): Promise<void> {
  const clean = (ms: number): Attested => ({ type: 'vuln', predicate: report(ago(ms), true) });
  const odd = (ms: number): Attested => {
    const predicate = report(ago(ms)) as { scanner: object };
    return { type: 'vuln', predicate: { ...predicate, scanner: { result: { findings: [] } } } };
  };
  const states: Readonly<Record<string, readonly (readonly ['scanner' | 'analyst', Attested])[]>> = {
    'the last report unread': [
      ['scanner', clean(2 * HOUR)],
      ['scanner', odd(HOUR)],
    ],
    'an older report unread': [
      ['scanner', odd(2 * HOUR)],
      ['scanner', clean(HOUR)],
    ],
    'scanned by two': [
      ['scanner', clean(HOUR)],
      ['analyst', clean(3 * HOUR)],
    ],
  };
  for (const [name, attested] of Object.entries(states)) {
    const image = make(name);
    for (const [by, what] of attested) await world.attest(image, by, what);
  }
  const parts = [make('scanned amd64'), make('scanned arm64')];
  const index = world.registry.index(parts);
  await world.attest(index, 'scanner', clean(HOUR));
  for (const part of parts) await world.attest(part, 'scanner', clean(2 * HOUR));
  images['scanned index'] = index;
}

/** Indexes that are signed and lead to images that are not: by an index within, and by one that is long. */
async function makeNested(world: SignedWorld, images: Record<string, string>): Promise<void> {
  const amd64 = images['amd64'] ?? '';
  const inner = world.registry.index([amd64]);
  images['index of an index'] = world.registry.index([inner]);
  images['long index'] = world.registry.index([amd64], { long: 'x'.repeat(1 << 20) });
  let deep = inner;
  for (let level = 0; level < 5; level += 1) deep = world.registry.index([deep], { level: String(level) });
  images['deep index'] = deep;
  for (const image of [inner, images['index of an index'], images['long index'], deep]) {
    await world.sign(image, 'builder');
  }
}

async function makeDescribed(world: SignedWorld, make: Make, ago: (ms: number) => string): Promise<void> {
  const vex = { type: 'openvex', predicate: openVex() };
  for (const [name, analyst] of Object.entries({
    whole: 'analyst',
    vulnerable: undefined,
    'excused by a stranger to it': 'scanner',
  } as const)) {
    const image = make(name);
    await makeWhole(world, image, ago(HOUR));
    if (analyst !== undefined) await world.attest(image, analyst, vex);
  }
  const built = { type: 'slsaprovenance1', predicate: provenance() };
  await world.attest(make('described only'), 'builder', { type: 'cyclonedx', predicate: cycloneDx() });
  await world.attest(make('built by the scanner'), 'scanner', built);
  await world.attest(make('described in XML'), 'builder', { type: 'custom', predicate: cycloneDxXml() });
  const unread = cycloneDx('MIT', '9.9');
  await world.attest(make('of another version'), 'builder', { type: 'cyclonedx', predicate: unread });
}

async function makeSigned(world: SignedWorld, make: Make): Promise<void> {
  make('bare');
  await world.sign(make('signed by a stranger'), 'stranger');
  await world.signKeyless(make('keyless'));
  await world.signKeyless(make('without log'), 'tsa');
  await world.signKeyless(make('without timestamp'), 'rekor');
  await world.signClassic(make('classic'), 'builder');
}

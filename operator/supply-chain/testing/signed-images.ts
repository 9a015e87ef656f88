// SPDX-License-Identifier: Apache-2.0
import type { Requirement } from '../../core/supply-chain/requirement.ts';
import { cycloneDx, openVex, provenance, report } from './predicates.ts';
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
  const reports = make('two reports');
  await world.attest(reports, 'scanner', { type: 'vuln', predicate: report(ago(2 * HOUR), true) });
  await world.attest(reports, 'scanner', { type: 'vuln', predicate: report(ago(HOUR)) });
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

type Make = (name: string) => string;

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

// SPDX-License-Identifier: Apache-2.0
import { truncate } from '../conditions.ts';
import type { Check, ImageFacts, ImageVerdict, LicenceCount, SignerFact } from './verdict.ts';

/** Longest sentence of one policy in a proof, and in a status. */
export const MAX_VERDICT_MESSAGE = 512;
/** Checks of one policy in a status. */
export const MAX_VERDICT_CHECKS = 40;
/** Of a bill of materials: the licences that most components have, in as many letters as identifiers have. */
export const TOLD_LICENCES = { most: 64, letters: 128 } as const;

const MAX_SIGNERS = 64;
/** As long as a status has room for. */
const MAX_NAME = 2048;
const MAX_FORMAT = 64;
/** All of them as they are sent: a letter that is escaped has six bytes, and all of a verdict is to be less than a mebibyte. */
const MAX_SIGNER_BYTES = 512 << 10;

/**
 * A verdict with no more in it than anybody goes by. Whoever is trusted with a key states what he likes: a hundred thousand licences, or a builder of
 * a million letters; and whoever verifies keeps that for as long as somebody asks about the image.
 */
export function toldVerdict(verdict: ImageVerdict): ImageVerdict {
  const { message, checks, notes, facts } = verdict;
  return {
    ...verdict,
    message: truncate(message, MAX_VERDICT_MESSAGE),
    checks: checks.slice(0, MAX_VERDICT_CHECKS).map(toldCheck),
    notes: notes.map((one) => truncate(one, MAX_VERDICT_MESSAGE)),
    facts: { ...facts, ...toldSigners(facts), ...toldProvenance(facts), ...toldSbom(facts) },
  };
}

function toldCheck(check: Check): Check {
  return { ...check, message: truncate(check.message, MAX_VERDICT_MESSAGE) };
}

/** In the order in which they were found; of too many those that come first by their keys, so that the same are told each time. */
function toldSigners({
  signers,
  signersLeftOut = 0,
}: ImageFacts): Pick<ImageFacts, 'signers' | 'signersLeftOut'> {
  const short = signers.filter(({ issuer = '', subject = '' }) => isName(issuer) && isName(subject));
  const told = withRoom(short).length < short.length ? withRoom(byKey(short)) : short;
  const leftOut = signersLeftOut + signers.length - told.length;
  return { signers: told, ...(leftOut > 0 && { signersLeftOut: leftOut }) };
}

/** As many of the first as there may be. */
function withRoom(signers: readonly SignerFact[]): readonly SignerFact[] {
  let left = MAX_SIGNER_BYTES;
  const end = signers.findIndex((one, index) => {
    left -= new TextEncoder().encode(JSON.stringify(one)).length;
    return index >= MAX_SIGNERS || left < 0;
  });
  return end === -1 ? signers : signers.slice(0, end);
}

function isName(text: string): boolean {
  return text.length <= MAX_NAME;
}

/** Signers in an order that does not depend on who was found first. */
export function byKey(signers: readonly SignerFact[]): readonly SignerFact[] {
  return signers.toSorted((one, other) => (keyOf(one) < keyOf(other) ? -1 : 1));
}

function keyOf({ authority, fingerprint }: SignerFact): string {
  return `${authority}/${fingerprint}`;
}

/** One letter more than what is too long, so that it still is. */
function cut(name: string): string {
  return name.slice(0, MAX_NAME + 1);
}

function toldProvenance({ provenance }: ImageFacts): Pick<ImageFacts, 'provenance'> {
  if (provenance === undefined) return {};
  const { builder, buildType, source } = provenance;
  return {
    provenance: { ...provenance, builder: cut(builder), buildType: cut(buildType), source: cut(source) },
  };
}

function toldSbom({ sbom }: ImageFacts): Pick<ImageFacts, 'sbom'> {
  if (sbom === undefined) return {};
  const { licences, licencesLeftOut: before = 0 } = sbom;
  const told = toldLicences(licences);
  const leftOut = before + componentsOf(licences) - componentsOf(told);
  const format = sbom.format.slice(0, MAX_FORMAT);
  return { sbom: { ...sbom, format, licences: told, ...(leftOut > 0 && { licencesLeftOut: leftOut }) } };
}

/** Those of the first licences that are not too long to be told. */
export function toldLicences(licences: readonly LicenceCount[]): readonly LicenceCount[] {
  const { most, letters } = TOLD_LICENCES;
  return licences.filter(({ licence }) => licence.length <= letters).slice(0, most);
}

/** In how many components licences were named. */
export function componentsOf(licences: readonly LicenceCount[]): number {
  return licences.reduce((sum, one) => sum + one.components, 0);
}

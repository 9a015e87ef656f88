// SPDX-License-Identifier: Apache-2.0
import { asDocument, asText, at } from './documents.ts';

/** What a statement is of: the whole image, or these packages of it; of none it says nothing that can be held against a finding. */
export type Scope = 'Image' | readonly string[];

/** How what is named is read: what excuses is of what it names, and what takes back is of all that it may name. */
export interface Reading {
  /** The image, by its digest. */
  readonly image: string;
  readonly excludes: boolean;
}

/** Where nothing is named it is said of what the statement is attached to. What is named and cannot be read is not nothing. */
export function scopeOf(named: unknown, reading: Reading, of: (one: unknown) => Scope): Scope {
  if (isNothing(named)) return 'Image';
  if (!Array.isArray(named)) return unread(reading);
  const scopes = named.map(of);
  return scopes.includes('Image') ? 'Image' : scopes.flatMap((one) => (one === 'Image' ? [] : one));
}

function isNothing(named: unknown): boolean {
  return named === undefined || (Array.isArray(named) && named.length === 0);
}

/** What nobody can tell: that excuses nothing, and takes back what was said of anything in the image. */
function unread({ excludes }: Reading): Scope {
  return excludes ? [] : 'Image';
}

/** A product of OpenVEX: the image itself, a package of it, or something else. `parts`: before 0.2 those of all products were in the statement. */
export function ofProduct(
  product: unknown,
  { parts, reading }: { readonly parts: unknown; readonly reading: Reading },
): Scope {
  const identity = identityOf(product);
  const own = at(product, 'subcomponents');
  const inner = isNothing(own) ? parts : own;
  if (isNothing(inner)) return ofIdentity(identity, reading);
  if (kindOf(identity, reading) === 'Other') return [];
  const packages = packagesOf(identity);
  // The parts of another product are there, and not here.
  if (reading.excludes && packages.length > 0) return [];
  const scope = scopeOf(inner, reading, (one) => partOf(identityOf(one), reading));
  // What is affected by a part of it is affected.
  return scope === 'Image' ? scope : [...packages, ...scope];
}

function partOf(identity: Identity, { excludes }: Reading): Scope {
  const packages = packagesOf(identity);
  if (excludes) return packages.slice(0, 1);
  return packages.length === 0 ? 'Image' : packages;
}

/** What a component of CycloneDX is, or the name that leads to none. */
export function ofReference(named: unknown, reading: Reading): Scope {
  return ofIdentity(identityOf(named), reading);
}

function ofIdentity(identity: Identity, reading: Reading): Scope {
  const kind = kindOf(identity, reading);
  if (kind === 'Image') return 'Image';
  return kind === 'Other' ? [] : partOf(identity, reading);
}

/** What something is called, and the digests that are said to be its. */
interface Identity {
  readonly names: readonly string[];
  readonly hashes: readonly string[];
}

function identityOf(one: unknown): Identity {
  if (asDocument(one) === undefined) return { names: present([asText(one)]), hashes: [] };
  const hash = asText(at(one, 'hashes', 'sha-256'));
  return {
    names: present([asText(at(one, 'identifiers', 'purl')), asText(at(one, 'purl')), asText(at(one, '@id'))]),
    hashes: hash === undefined ? [] : [`sha256:${hash.toLowerCase()}`],
  };
}

function present(texts: readonly (string | undefined)[]): readonly string[] {
  return texts.filter((one) => one !== undefined);
}

/** Purls of packages within images: those of images are no packages. */
function packagesOf({ names }: Identity): readonly string[] {
  return names.filter((one) => one.startsWith('pkg:') && !/^pkg:\/*(?:oci|docker)\//i.test(one));
}

const DIGEST = /sha256(?::|%3a)([0-9a-f]{64})(?![0-9a-f])/gi;

/** Whether this is the image, by its digest; another one; or whether it does not say. */
function kindOf({ names, hashes }: Identity, { image, excludes }: Reading): 'Image' | 'Other' | 'Unsaid' {
  const packages = packagesOf({ names, hashes });
  const ownHashes = packages.length > 0 ? [] : hashes;
  const digests = [...digestsIn(names), ...ownHashes];
  const isIt = (one: string): boolean => one === image;
  if (!excludes && digests.some(isIt)) return 'Image';
  // A digest in the name of a package, such as its checksum, tells of no image; what excuses is held to be of none all the same.
  const images = names.filter((one) => !packages.includes(one));
  const telling = excludes ? digests : [...digestsIn(images), ...ownHashes];
  if (telling.length === 0) return 'Unsaid';
  return excludes && telling.every(isIt) ? 'Image' : 'Other';
}

function digestsIn(names: readonly string[]): readonly string[] {
  return names.flatMap((one) =>
    [...one.matchAll(DIGEST)].map(([, hex = '']) => `sha256:${hex.toLowerCase()}`),
  );
}

/** A package, by what of its purl tells one from another. */
export interface PackageName {
  readonly type: string;
  /** With its namespace, where it has one. */
  readonly path: string;
  /** Without it; the same as the path where there is none. */
  readonly name: string;
  /** Empty where it is of all versions, or does not say. */
  readonly version: string;
}

/** What a purl names, however it is spelt: without qualifiers and what is within the package. Undefined where it names no package. */
export function packageNameOf(purl: string): PackageName | undefined {
  const [plain = ''] = purl.split(/[?#]/, 1);
  const end = plain.lastIndexOf('@');
  // Before the last slash it is part of a name, as of packages of npm.
  const hasVersion = end > plain.lastIndexOf('/');
  const [whole, version] = hasVersion ? [plain.slice(0, end), plain.slice(end + 1)] : [plain, ''];
  const [type = '', ...rest] = spelt(whole)
    .replace(/^pkg:/, '')
    .split('/')
    .filter((part) => part !== '')
    .map(plainly);
  const name = rest.at(-1);
  return name === undefined ? undefined : { type, path: rest.join('/'), name, version: spelt(version) };
}

function spelt(text: string): string {
  try {
    return decodeURIComponent(text).toLowerCase();
  } catch {
    return text.toLowerCase();
  }
}

/** Some types have names in which these are one, such as those of Python. */
function plainly(part: string): string {
  return part.replaceAll(/[._]/g, '-');
}

/**
 * Whether what was found in `found` may be in what is `said`: a purl without a version names all of them, one without a namespace that of any, and what
 * was found in no package may be in each.
 */
export function mayBeIn(said: PackageName | undefined, found: PackageName | undefined): boolean {
  if (said === undefined || found === undefined) return true;
  const isVersion = said.version === '' || found.version === '' || said.version === found.version;
  return isVersion && said.type === found.type && isSamePath(said, found);
}

function isSamePath(said: PackageName, found: PackageName): boolean {
  const isBare = said.path === said.name || found.path === found.name;
  return said.path === found.path || (isBare && said.name === found.name);
}

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
  const inner = at(product, 'subcomponents') ?? parts;
  if (isNothing(inner)) return ofIdentity(identity, reading);
  if (kindOf(identity, reading) === 'Other') return [];
  // The parts of another product are there, and not here.
  if (reading.excludes && packagesOf(identity).length > 0) return [];
  return scopeOf(inner, reading, (one) => partOf(identityOf(one), reading));
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
  return names.filter((one) => one.startsWith('pkg:') && !/^pkg:(?:oci|docker)\//i.test(one));
}

const DIGEST = /sha256(?::|%3a)([0-9a-f]{64})(?![0-9a-f])/gi;

/** Whether this is the image, by its digest; another one; or whether it does not say. */
function kindOf({ names, hashes }: Identity, { image, excludes }: Reading): 'Image' | 'Other' | 'Unsaid' {
  const isPackage = packagesOf({ names, hashes }).length > 0;
  const named = names.flatMap((one) => [...one.matchAll(DIGEST)].map(([, hex = '']) => hex.toLowerCase()));
  const digests = [...named.map((hex) => `sha256:${hex}`), ...(isPackage ? [] : hashes)];
  if (digests.length === 0) return 'Unsaid';
  const isIt = (one: string): boolean => one === image;
  return (excludes ? digests.every(isIt) : digests.some(isIt)) ? 'Image' : 'Other';
}

/** A package, by what of its purl tells one from another. */
export interface PackageName {
  readonly path: string;
  /** Empty where it is of all versions, or does not say. */
  readonly version: string;
}

/** What a purl names, however it is spelt: without qualifiers and what is within the package. Undefined of an empty one. */
export function packageNameOf(purl: string): PackageName | undefined {
  if (purl === '') return undefined;
  const [plain = ''] = purl.split(/[?#]/, 1);
  const end = plain.lastIndexOf('@');
  // Before the last slash it is part of a name, as of packages of npm.
  const hasVersion = end > plain.lastIndexOf('/');
  const [path, version] = hasVersion ? [plain.slice(0, end), plain.slice(end + 1)] : [plain, ''];
  return { path: spelt(path), version: spelt(version) };
}

function spelt(text: string): string {
  try {
    return decodeURIComponent(text).toLowerCase();
  } catch {
    return text.toLowerCase();
  }
}

/**
 * Whether what was found in `found` may be in what is `said`: a purl without a version names all of them, one without a namespace that of any, and what
 * was found in no package may be in each.
 */
export function mayBeIn(said: PackageName | undefined, found: PackageName | undefined): boolean {
  if (said === undefined || found === undefined) return true;
  const isVersion = said.version === '' || found.version === '' || said.version === found.version;
  return isVersion && isSamePath(said.path, found.path);
}

function isSamePath(said: string, found: string): boolean {
  if (said === found) return true;
  const [, type = '', name = ''] = /^(pkg:[^/]*\/)([^/]+)$/.exec(said) ?? [];
  return name !== '' && found.startsWith(type) && found.endsWith(`/${name}`);
}

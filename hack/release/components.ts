// SPDX-License-Identifier: Apache-2.0
import { posix } from 'node:path';
import type { Library } from './libraries.ts';

/** Something that is in the image. */
export interface Component {
  /** Unique, and the same whenever it is made. */
  readonly ref: string;
  readonly kind: 'library' | 'platform' | 'file';
  readonly name: string;
  readonly version: string;
  /** Where it can be had; undefined of a file that no package has. */
  readonly purl?: string;
  /** As SPDX writes it; undefined where it does not say. */
  readonly license?: string;
  /** In hex. */
  readonly hashes: Readonly<Partial<Record<'SHA-256' | 'SHA-512', string>>>;
  /** Refs of what it needs. */
  readonly needs: readonly string[];
}

/** A package as package-lock.json has it. */
export interface LockedPackage {
  readonly version?: string;
  readonly integrity?: string;
  readonly license?: string;
  readonly dev?: boolean;
  readonly devOptional?: boolean;
  readonly link?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

/** Packages by their path, as package-lock.json has them. */
export type LockedPackages = Readonly<Record<string, LockedPackage>>;

/** Packages that the product is made of, whether all of each ends up in the bundles or not: those that only tests and builds need are none. */
export function npmComponents(packages: LockedPackages): readonly Component[] {
  const shipped = Object.entries(packages).filter(
    ([path, one]) => path !== '' && one.dev !== true && one.devOptional !== true && one.link !== true,
  );
  const refs = new Map(shipped.map(([path, one]) => [path, npmPurl(path, one)]));
  const found = shipped.map(([path, one]): Component => {
    const purl = npmPurl(path, one);
    return {
      ref: purl,
      kind: 'library',
      name: nameAt(path),
      version: one.version ?? '',
      purl,
      ...(one.license !== undefined && { license: one.license }),
      hashes: hashesOf(one.integrity),
      needs: needsOf(path, one).flatMap((place) => refs.get(place) ?? []),
    };
  });
  return unique(found);

  function needsOf(path: string, { dependencies, optionalDependencies, peerDependencies }: LockedPackage) {
    const names = Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies });
    return names.flatMap((name) => placeOf(name, path, packages) ?? []);
  }
}

/** Refs of what the package at the root itself depends on. */
export function rootNeeds(packages: LockedPackages): readonly string[] {
  return Object.keys(packages['']?.dependencies ?? {}).flatMap((name) => {
    const path = `node_modules/${name}`;
    const found = packages[path];
    return found === undefined ? [] : [npmPurl(path, found)];
  });
}

/** nameAt('node_modules/a/node_modules/@b/c') -> '@b/c' */
function nameAt(path: string): string {
  return path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
}

function npmPurl(path: string, { version = '' }: LockedPackage): string {
  return `pkg:npm/${nameAt(path).replace('@', '%40')}@${version}`;
}

/** Where Node would find a package that the one at `from` asks for: beside it, or in a folder above. */
function placeOf(name: string, from: string, packages: LockedPackages): string | undefined {
  for (let folder = from; ; folder = posix.dirname(folder)) {
    const place = posix.join(folder, 'node_modules', name);
    if (Object.hasOwn(packages, place)) return place;
    if (folder === '.' || folder === '') return undefined;
  }
}

function hashesOf(integrity = ''): Component['hashes'] {
  const [, base64] = /^sha512-([A-Za-z0-9+/=]+)$/.exec(integrity) ?? [];
  return base64 === undefined ? {} : { 'SHA-512': Buffer.from(base64, 'base64').toString('hex') };
}

/**
 * Modules that a program of Go is made of, by what `go version -m` says of it.
 *
 * goComponents('opa: go1.26.0\n\tmod\tgithub.com/x/y\tv1.0.0\th1:…') -> github.com/x/y, and Go's own library
 */
export function goComponents(said: string): readonly Component[] {
  const [, go = ''] = /: go(\S+)/.exec(said) ?? [];
  const modules: (readonly [string, string])[] = [['std', go]];
  for (const line of said.split('\n')) {
    const [kind, path = '', version = ''] = line.trim().split('\t');
    if (kind === 'mod' || kind === 'dep') modules.push([path, version]);
    // What it was replaced by stands in the next line.
    if (kind === '=>') modules.splice(-1, 1, [path, version]);
  }
  const found = modules.map(([name, version]): Component => {
    const purl = `pkg:golang/${name}@${version}`;
    return { ref: purl, kind: 'library', name, version, purl, hashes: {}, needs: [] };
  });
  return unique(found);
}

/** Libraries of the machine: by the package that they are from, else by their file. */
export function libraryComponents(libraries: readonly Library[]): readonly Component[] {
  const found = libraries.map(({ path, digest, package: owner }): Component => {
    const hashes = { 'SHA-256': digest.replace('sha256:', '') };
    if (owner === undefined) {
      const ref = `file:/${path}`;
      return { ref, kind: 'file', name: `/${path}`, version: '', hashes, needs: [] };
    }
    const { name, version, architecture } = owner;
    const purl = `pkg:deb/debian/${name}@${encodeURIComponent(version)}?arch=${architecture}`;
    return { ref: purl, kind: 'library', name, version, purl, hashes: {}, needs: [] };
  });
  return unique(found);
}

/** Node, and what is built into it, by what it says of itself. */
export function nodeComponents(versions: Readonly<Record<string, string | undefined>>): readonly Component[] {
  const { node = '', ...parts } = versions;
  // Of interfaces these are the numbers, and not of libraries.
  const within = Object.entries(parts).filter(([name]) => name !== 'modules' && name !== 'napi');
  const components = within.map(([name, version = '']): Component => {
    const purl = `pkg:generic/${name}@${encodeURIComponent(version)}`;
    return { ref: `${purl}#node`, kind: 'library', name, version, purl, hashes: {}, needs: [] };
  });
  const purl = `pkg:generic/node@${node}`;
  const needs = components.map(({ ref }) => ref);
  return [
    { ref: purl, kind: 'platform', name: 'node', version: node, purl, hashes: {}, needs },
    ...components,
  ];
}

function unique(components: readonly Component[]): readonly Component[] {
  const byRef = new Map(components.map((one) => [one.ref, one]));
  return [...byRef.values()].toSorted((a, b) => (a.ref < b.ref ? -1 : 1));
}

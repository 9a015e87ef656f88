// SPDX-License-Identifier: Apache-2.0
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { isTestFile } from '#operator/rego/rego-tests';
import { type RuleNotes, ruleNotes } from './notes.ts';

/** Where the packs are that we ship. */
export const PACKS_FOLDER = 'policy-packs';
/** Rego that packs share. */
export const SHARED_FOLDER = `${PACKS_FOLDER}/lib`;
/** Where the manifests are that are made of them. */
export const RELEASED_FOLDER = 'charts/nexusos-policy-packs/packs';

/** What a parameter of a pack may be, as `data.yaml` says it. */
export interface ParameterSchema {
  readonly description?: string;
  readonly type: 'string' | 'boolean' | 'integer' | 'number' | 'array' | 'object';
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly items?: ParameterSchema;
  readonly values?: ParameterSchema;
  readonly default?: unknown;
}

/** A PolicyPack that has its source elsewhere. */
export interface PackManifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: Readonly<Record<string, unknown>> & { readonly version: string };
}

/** A pack as it lies in its folder. */
export interface ShippedPack {
  readonly name: string;
  readonly manifest: PackManifest;
  readonly data: Readonly<Record<string, unknown>> & {
    readonly parameters: Readonly<Record<string, ParameterSchema>>;
  };
  /** Its own Rego, tests included, by the path in `policy/`. */
  readonly modules: ReadonlyMap<string, string>;
  /** Shared Rego that it imports, by the path in `policy/`. */
  readonly shared: ReadonlyMap<string, string>;
  /** Twins of its rules in CEL, where it has some. */
  readonly floor: unknown;
  /** What its rules say of themselves. */
  readonly rules: readonly RuleNotes[];
}

/** Every pack of the repository at `root`, by name. */
export function readShippedPacks(root: string): readonly ShippedPack[] {
  const shared = regoIn(join(root, SHARED_FOLDER), 'lib/');
  return readdirSync(join(root, PACKS_FOLDER), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== 'lib')
    .map((entry) => readPack(join(root, PACKS_FOLDER, entry.name), shared))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

function readPack(folder: string, shared: ReadonlyMap<string, string>): ShippedPack {
  const manifest = parse(readFileSync(join(folder, 'pack.yaml'), 'utf8')) as PackManifest;
  const modules = regoIn(join(folder, 'policy'), '');
  const imported = new Set(
    [...modules.values()].flatMap((text) =>
      [...text.matchAll(/^import data\.lib\.(\w+)$/gm)].map(([, name]) => name),
    ),
  );
  const isImported = (path: string) => imported.has(/^lib\/(\w+?)(?:_test)?\.rego$/.exec(path)?.[1]);
  return {
    name: manifest.metadata.name,
    manifest,
    data: parse(readFileSync(join(folder, 'data.yaml'), 'utf8')) as ShippedPack['data'],
    modules,
    shared: new Map([...shared].filter(([path]) => isImported(path))),
    floor: floorIn(folder),
    rules: [...modules]
      .filter(([path]) => !isTestFile(path))
      .flatMap(([path, text]) => ruleNotes(text, path)),
  };
}

function floorIn(folder: string): unknown {
  const path = join(folder, 'floor.yaml');
  return existsSync(path) ? parse(readFileSync(path, 'utf8')) : undefined;
}

/** The Rego right in a folder, by name. */
function regoIn(folder: string, prefix: string): ReadonlyMap<string, string> {
  const names = readdirSync(folder)
    .filter((name) => name.endsWith('.rego'))
    .toSorted();
  return new Map(names.map((name) => [`${prefix}${name}`, readFileSync(join(folder, name), 'utf8')]));
}

/** What is applied of a pack: whole, and without effect until somebody changes `enforcement`. */
export function manifestOf({ manifest, data, modules, shared, floor }: ShippedPack): string {
  const { version, ...spec } = manifest.spec;
  const inline = {
    modules: Object.fromEntries([...modules, ...shared]),
    data,
    ...(floor !== undefined && { floor }),
  };
  const whole = { ...manifest, spec: { version, ...spec, enforcement: 'DryRun', source: { inline } } };
  return stringify(whole, { lineWidth: 0 });
}

// SPDX-License-Identifier: Apache-2.0
import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { POLICY_PACK, type PolicyPackSpec } from '#crds/v1alpha1/policy-pack';
import type { PackSource } from '#operator/rego/compile';
import { sourceFiles } from '#operator/rego/compile';
import { FLOOR_FILE } from '#operator/core/policy-floor/source';
import { floorIn } from '#operator/rego/floor';
import { isObject, type JsonObject, objectAt, textAt } from '#operator/rego/gatekeeper/json';
import { CommandError, EXIT } from '../cli/command.ts';
import { filesBelow, readDocuments } from './documents.ts';

/** A pack as it lies in a folder, or in one manifest. */
export interface LocalPack {
  readonly name: string;
  readonly namespace: string | undefined;
  /** Of its PolicyPack, defaults filled in. `source` says nothing here: `files` is it. */
  readonly spec: PolicyPackSpec;
  /** The manifest as it was written. */
  readonly manifest: JsonObject;
  readonly source: PackSource;
  /** Files with cases, whole paths. */
  readonly cases: readonly string[];
}

const MANIFESTS = ['manifest.yaml', 'pack.yaml'];
const SOURCE = /\.rego$|(?:^|\/)data\.(?:json|yaml|yml)$|^floor\.yaml$/;
const CASES = /^cases\/.*\.ya?ml$/;
/** Taken for a source that is not in the manifest: it is in the folder. */
const ELSEWHERE = { inline: { modules: { 'pack.rego': '' } } };

/** Reads a pack: a folder with manifest.yaml, or a manifest that has its source in itself. */
export async function readPack(path: string): Promise<LocalPack> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) throw new CommandError(EXIT.usage, `${path} is not there`);
  if (!found.isDirectory()) return readManifestAlone(path);
  const all = await filesBelow(path);
  const name = MANIFESTS.find((one) => all.includes(one));
  if (name === undefined)
    throw new CommandError(
      EXIT.usage,
      `${path} has no ${MANIFESTS.join(' and no ')}: nexusctl pack init makes a folder with one`,
    );
  const manifest = await readManifest(join(path, name));
  const paths = all.filter((one) => SOURCE.test(one) && !one.startsWith('cases/') && !isHidden(one));
  const own = inlineOf(manifest.value);
  if (paths.length === 0 && own === undefined)
    throw new CommandError(EXIT.usage, `${path} has no file that ends with .rego`);
  const files =
    paths.length === 0 ? own : new Map(await Promise.all(paths.map((one) => readInto(path, one))));
  return packOf(manifest, {
    files: files ?? new Map(),
    cases: all.filter((one) => CASES.test(one)).map((one) => join(path, one)),
    name: basename(resolve(path)),
  });
}

async function readManifestAlone(path: string): Promise<LocalPack> {
  const manifest = await readManifest(path);
  const files = inlineOf(manifest.value);
  if (files === undefined)
    throw new CommandError(
      EXIT.usage,
      `${path}: spec.source.inline is needed, or the folder that the manifest is in`,
    );
  return packOf(manifest, { files, cases: [], name: basename(dirname(resolve(path))) });
}

async function readInto(folder: string, path: string): Promise<readonly [string, Uint8Array]> {
  return [path, await readFile(join(folder, path))];
}

function isHidden(path: string): boolean {
  return path.split('/').some((part) => part.startsWith('.') || part === 'node_modules');
}

interface Manifest {
  readonly path: string;
  readonly value: JsonObject;
}

async function readManifest(path: string): Promise<Manifest> {
  const [document, ...others] = await readDocuments(path);
  if (document === undefined || others.length > 0 || document.value['kind'] !== POLICY_PACK.kind)
    throw new CommandError(EXIT.usage, `${path} must hold one object of kind PolicyPack`);
  return { path, value: document.value };
}

function inlineOf(manifest: JsonObject): ReadonlyMap<string, Uint8Array> | undefined {
  const inline = objectAt(objectAt(objectAt(manifest, 'spec'), 'source'), 'inline');
  const { modules, data, floor } = inline;
  if (!isObject(modules)) return undefined;
  const texts = Object.entries(modules).filter((one): one is [string, string] => typeof one[1] === 'string');
  const files = sourceFiles(Object.fromEntries(texts), isObject(data) ? data : undefined);
  if (floor === undefined) return files;
  return new Map([...files, [FLOOR_FILE, new TextEncoder().encode(JSON.stringify(floor))]]);
}

interface Found {
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly cases: readonly string[];
  /** What it is called where the manifest does not say. */
  readonly name: string;
}

function packOf({ path, value }: Manifest, { files, cases, name }: Found): LocalPack {
  const given = objectAt(value, 'spec');
  const read = POLICY_PACK.spec.safeParse({ ...given, source: ELSEWHERE });
  if (!read.success)
    throw new CommandError(
      EXIT.usage,
      `${path} does not fit the schema of PolicyPack`,
      read.error.issues.map((one) => `spec.${one.path.map(String).join('.')}: ${one.message}`),
    );
  const strangers = unknownFields(given, read.data, 'spec').filter((one) => !one.startsWith('spec.source'));
  if (strangers.length > 0)
    throw new CommandError(EXIT.usage, `${path} has fields that a PolicyPack has not`, strangers);
  const floor = floorIn(files);
  if (floor.kind === 'refused') throw new CommandError(EXIT.no, floor.message);
  const metadata = objectAt(value, 'metadata');
  return {
    name: textAt(metadata, 'name') || name,
    namespace: textAt(metadata, 'namespace') || undefined,
    spec: read.data,
    manifest: value,
    source: { files, regoVersion: read.data.regoVersion },
    cases,
  };
}

/** Fields that the API server would drop without a word. */
function unknownFields(given: unknown, parsed: unknown, path: string): readonly string[] {
  if (!isObject(given) || !isObject(parsed)) return [];
  return Object.entries(given).flatMap(([key, value]) =>
    Object.hasOwn(parsed, key) ? unknownFields(value, parsed[key], `${path}.${key}`) : [`${path}.${key}`],
  );
}

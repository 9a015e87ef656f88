// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parse, stringify } from 'yaml';
import { FLOOR_FILE } from '#operator/core/policy-floor/source';
import { writeArchive } from '#operator/rego/archive';
import { isTestFile } from '#operator/rego/rego-tests';
import { floorIn } from '#operator/rego/floor';
import { isObject, type JsonObject, objectAt } from '#operator/rego/gatekeeper/json';
import {
  argumentAt,
  type Call,
  type Command,
  CommandError,
  EXIT,
  flagValue,
  type Outcome,
} from '../cli/command.ts';
import { OPA_FLAG, openCompiler } from './compiler.ts';
import { type LocalPack, readPack } from './folder.ts';
import { openPack, type ReadyPack } from './verdict.ts';

/** `nexusctl pack build FOLDER`. */
export const BUILD: Command = {
  path: ['pack', 'build'],
  summary: 'makes an OPA bundle of a pack, with its module, and tells its digest',
  about:
    'The same source makes the same bytes, whoever makes it and when. The module is checked as a cluster does. With --manifest, what can be applied by kubectl is written as well: the source itself, or with --url the address that the bundle will have, and its digest: then its tests are in it too, since the cluster runs them.',
  args: [{ name: 'FOLDER', what: 'the pack: a folder with manifest.yaml, or a manifest with its source' }],
  flags: [
    { name: 'out', value: 'FILE', what: 'the bundle', default: 'bundle.tar.gz' },
    { name: 'manifest', value: 'FILE', what: 'writes a PolicyPack as well' },
    { name: 'url', value: 'URL', what: 'where the bundle will be; https' },
    OPA_FLAG,
  ],
  examples: [
    'pack build image-tags --out image-tags.tar.gz',
    'pack build image-tags --manifest image-tags.yaml && kubectl apply -f image-tags.yaml',
  ],
  run: build,
};

async function build(call: Call): Promise<Outcome> {
  const pack = await readPack(resolve(call.cwd, argumentAt(call, 0)));
  const url = flagValue(call, 'url');
  if (url !== undefined && !url.startsWith('https://'))
    throw new CommandError(EXIT.usage, `--url is ${url}; a cluster fetches bundles by https only`);
  const ready = await openPack(pack, await openCompiler(call));
  const bytes = await bundleOf(ready, { withTests: url !== undefined });
  const out = resolve(call.cwd, flagValue(call, 'out') ?? '');
  await writeFile(out, bytes);
  const digest = digestOf(bytes);
  const manifest = flagValue(call, 'manifest');
  if (manifest !== undefined) {
    const source = url === undefined ? { inline: inlineSource(pack) } : { bundle: { url, digest } };
    await writeFile(resolve(call.cwd, manifest), stringify(withSource(pack, source), { lineWidth: 0 }));
  }
  const told = {
    bundle: out,
    bytes: bytes.length,
    digest,
    moduleDigest: ready.judge.module.digest,
    ...(manifest && { manifest }),
  };
  return {
    code: EXIT.ok,
    value: told,
    before: Object.entries(told).map(([name, value]) => `${name}: ${String(value)}`),
  };
}

/**
 * The bundle of a pack, which is the same whoever makes it. With its tests for clusters, which run them and ask for the coverage that the
 * manifest wants.
 */
export function bundleOf(
  ready: ReadyPack,
  { withTests }: { readonly withTests: boolean },
): Promise<Uint8Array> {
  const tests = [...ready.pack.source.files].filter(([path]) => path.endsWith('.rego') && isTestFile(path));
  return writeArchive({ ...bundleFiles(ready), ...(withTests && Object.fromEntries(tests)) });
}

/** What a bundle holds: the module and its data, for those who evaluate it; the Rego, for those who want to see what it does. */
function bundleFiles({ pack, compiled }: ReadyPack): Readonly<Record<string, Uint8Array>> {
  const { source, spec } = pack;
  const wasm = compiled.entrypoints.map((entrypoint) => ({ entrypoint, module: '/policy.wasm' }));
  const manifest = {
    revision: spec.version,
    roots: [''],
    rego_version: source.regoVersion === 'V0' ? 0 : 1,
    wasm,
  };
  const rego = [...source.files].filter(([path]) => path.endsWith('.rego') && !isTestFile(path));
  const floor = source.files.get(FLOOR_FILE);
  return {
    ...Object.fromEntries(rego),
    ...(floor && { [FLOOR_FILE]: floor }),
    '.manifest': Buffer.from(JSON.stringify(manifest)),
    'data.json': compiled.data ?? Buffer.from('{}'),
    'policy.wasm': compiled.wasm,
  };
}

/** Modules by name, as a manifest has them: it knows no folders, so these become a part of the name. */
function inlineSource({ source }: LocalPack): JsonObject {
  const modules: Record<string, string> = {};
  let data: JsonObject = {};
  for (const [path, content] of source.files) {
    const text = Buffer.from(content).toString('utf8');
    if (path.endsWith('.rego')) modules[path.replaceAll('/', '.')] = text;
    else if (path === 'data.json' || path === 'data.yaml') data = dataOf(path, text);
    else if (path !== FLOOR_FILE)
      throw new CommandError(
        EXIT.usage,
        `${path}: a manifest has one document of data, data.json or data.yaml; use --url for a bundle`,
      );
  }
  const found = floorIn(source.files);
  const floor = found.kind === 'ok' ? found.floor : undefined;
  return { modules, ...(Object.keys(data).length > 0 && { data }), ...(floor && { floor }) };
}

function dataOf(path: string, text: string): JsonObject {
  // JSON is YAML.
  const data: unknown = parse(text);
  if (isObject(data)) return data;
  throw new CommandError(EXIT.usage, `${path} must hold an object`);
}

/** The manifest of a pack, with a source. */
export function withSource({ manifest, name }: LocalPack, source: JsonObject): JsonObject {
  const metadata = { ...objectAt(manifest, 'metadata'), name };
  return { ...manifest, metadata, spec: { ...objectAt(manifest, 'spec'), source } };
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

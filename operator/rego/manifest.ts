// SPDX-License-Identifier: Apache-2.0

/** Something in a bundle that is not as it should be, in words for who made it. */
export class BundleError extends Error {}

/** What a bundle says of itself. */
export interface Manifest {
  /** Parts of `data` that its packages and documents are in; an empty one is all of it. */
  readonly roots: readonly string[];
  /** Undefined: it does not say. */
  readonly regoVersion: 'V0' | 'V1' | undefined;
  /** Entry points of its module. */
  readonly entrypoints: readonly string[];
}

const MAX_BYTES = 64 * 1024;
const MAX_ENTRYPOINTS = 64;
const MODULE = /^\/?policy\.wasm$/;

/**
 * Reads `.manifest` of a bundle, or what it is without one.
 *
 * @throws BundleError when it is no manifest, or asks for what is not supported here.
 */
export function readManifest(bytes: Uint8Array | undefined): Manifest {
  if (bytes === undefined) return { roots: [''], regoVersion: undefined, entrypoints: [] };
  if (bytes.length > MAX_BYTES)
    throw new BundleError(`.manifest: found ${bytes.length} bytes; at most ${MAX_BYTES} are allowed`);
  const manifest = parse(bytes);
  if (Object.keys(asObject(manifest['file_rego_versions'])).length > 0)
    throw new BundleError('.manifest: file_rego_versions is not supported; a pack is of one version of Rego');
  return {
    roots: rootsOf(manifest),
    regoVersion: versionOf(manifest['rego_version']),
    entrypoints: entrypointsOf(manifest),
  };
}

type Json = Readonly<Record<string, unknown>>;

function parse(bytes: Uint8Array): Json {
  try {
    return asObject(JSON.parse(Buffer.from(bytes).toString('utf8')));
  } catch {
    throw new BundleError('.manifest: found text that is no JSON');
  }
}

function asObject(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

function rootsOf({ roots = [''] }: Json): readonly string[] {
  const isList = Array.isArray(roots) && roots.length > 0 && roots.every((one) => typeof one === 'string');
  if (!isList) throw new BundleError('.manifest: roots must be a list of paths');
  const paths = (roots as readonly string[]).map((one) => one.replaceAll(/^\/+|\/+$/g, ''));
  const inside = paths.find((one, i) => paths.some((other, j) => i !== j && isWithin(one, other)));
  if (inside !== undefined)
    throw new BundleError(`.manifest: the root ${JSON.stringify(inside)} is within another one`);
  return paths;
}

function isWithin(path: string, root: string): boolean {
  return root === '' || path === root || path.startsWith(`${root}/`);
}

function versionOf(version: unknown): Manifest['regoVersion'] {
  if (version === undefined || version === null) return undefined;
  if (version !== 0 && version !== 1)
    throw new BundleError(`.manifest: found rego_version ${JSON.stringify(version)}; 0 and 1 are allowed`);
  return version === 0 ? 'V0' : 'V1';
}

function entrypointsOf({ wasm = [] }: Json): readonly string[] {
  if (!Array.isArray(wasm) || wasm.length > MAX_ENTRYPOINTS)
    throw new BundleError(`.manifest: wasm must be a list of at most ${MAX_ENTRYPOINTS} entry points`);
  return wasm.map((one) => {
    const { entrypoint, module } = asObject(one);
    if (typeof entrypoint !== 'string' || entrypoint === '' || entrypoint.length > 512)
      throw new BundleError('.manifest: wasm: an entry without an entrypoint');
    if (typeof module !== 'string' || !MODULE.test(module))
      throw new BundleError(
        `.manifest: wasm: found module ${JSON.stringify(module)}; /policy.wasm alone is taken`,
      );
    return entrypoint.replaceAll(/^\/+|\/+$/g, '');
  });
}

// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { POLICY_PACK_REASONS, type PolicyPackSpec } from '#crds/v1alpha1/policy-pack';
import { MAX_MODULES } from '#crds/v1alpha1/policy-source';
import { canonicalJson } from '../compare.ts';
import type { KubeObject } from '../object.ts';
import { FLOOR_FILE } from '../policy-floor/source.ts';
import type { PackFault, SourceContent } from './verification.ts';

const { SourceNotFound, SourceTooLarge, InvalidSource } = POLICY_PACK_REASONS;

/** The most text of a source that is in a manifest or a ConfigMap, data included. */
export const MAX_SOURCE_BYTES = 512 * 1024;
/** The most text of parameters. */
const MAX_PARAMETER_BYTES = 16 * 1024;
/** A file name that means the same to everybody: no folder above, nothing hidden, no name that a bundle has for itself. */
const FILE_NAME = /^[A-Za-z0-9_][-A-Za-z0-9_.]*(\/[A-Za-z0-9_][-A-Za-z0-9_.]*)*\.rego$/;

/** Files of a source that are no modules. */
const BESIDE_MODULES: ReadonlySet<string> = new Set(['data.json', FLOOR_FILE]);

/** What the source of a pack comes to, before any of it is looked at. */
export type SourceFound =
  | { readonly kind: 'found'; readonly digest: string; readonly content: SourceContent }
  | { readonly kind: 'fault'; readonly fault: PackFault };

/**
 * Reads what can be read without asking anybody: what is in the manifest, and the ConfigMap that it names, which is `configMap`, if it
 * is there. Of a bundle it is known by now which one it is.
 */
export function readSource(
  { source, regoVersion, parameters }: Pick<PolicyPackSpec, 'source' | 'regoVersion' | 'parameters'>,
  configMap: KubeObject | undefined,
): SourceFound {
  if (sizeOf(parameters) > MAX_PARAMETER_BYTES) {
    return fault(
      SourceTooLarge,
      `spec.parameters: found ${sizeOf(parameters)} bytes; at most ${MAX_PARAMETER_BYTES} are allowed, larger ones belong into data`,
    );
  }
  const { inline, configMapRef } = source;
  const fetched = fetchedOf(source);
  if (fetched !== undefined) return { kind: 'found', digest: fetched.digest, content: fetched };
  if (inline !== undefined) {
    const { modules, data, floor } = inline;
    const files = {
      ...modules,
      ...(data && { 'data.json': canonicalJson(data) }),
      // JSON is YAML.
      ...(floor && { [FLOOR_FILE]: canonicalJson(floor) }),
    };
    return textFound(files, { regoVersion, field: 'spec.source.inline.modules', provenance: 'Inline' });
  }
  const name = configMapRef?.name ?? '';
  if (configMap === undefined)
    return fault(
      SourceNotFound,
      `spec.source.configMapRef: there is no ConfigMap ${name} in this namespace`,
      true,
    );
  return textFound(filesOf(configMap), { regoVersion, field: `ConfigMap ${name}`, provenance: 'ConfigMap' });
}

/** What is known by its digest before it is here. */
function fetchedOf({ bundle, oci }: PolicyPackSpec['source']) {
  if (bundle !== undefined) return { kind: 'bundle', ...bundle } as const;
  if (oci === undefined) return undefined;
  const { image, digest, pullSecretRef } = oci;
  return { kind: 'oci', image, digest, pullSecretName: pullSecretRef?.name } as const;
}

/** What a ConfigMap holds that is policy; the rest of it may be for others. */
function filesOf(configMap: KubeObject): Readonly<Record<string, string>> {
  const data = (configMap['data'] ?? {}) as Readonly<Record<string, string>>;
  return Object.fromEntries(
    Object.entries(data).filter(([key]) => key.endsWith('.rego') || BESIDE_MODULES.has(key)),
  );
}

interface TextSource {
  readonly regoVersion: 'V0' | 'V1';
  /** Where it was found, for people. */
  readonly field: string;
  readonly provenance: 'Inline' | 'ConfigMap';
}

function textFound(
  files: Readonly<Record<string, string>>,
  { regoVersion, field, provenance }: TextSource,
): SourceFound {
  const problem = problemOf(files, field);
  if (problem !== undefined) return problem;
  const content = { kind: 'files', files, regoVersion, provenance } as const;
  return { kind: 'found', digest: digestOf({ files, regoVersion }), content };
}

function problemOf(files: Readonly<Record<string, string>>, field: string): SourceFound | undefined {
  const names = Object.keys(files).filter((name) => !BESIDE_MODULES.has(name));
  if (names.length === 0)
    return fault(InvalidSource, `${field}: found no file that ends with .rego; at least one is needed`);
  if (names.length > MAX_MODULES)
    return fault(
      SourceTooLarge,
      `${field}: found ${names.length} modules; at most ${MAX_MODULES} are allowed`,
    );
  const odd = names.find((name) => name.length > 253 || !FILE_NAME.test(name));
  if (odd !== undefined) {
    return fault(
      InvalidSource,
      `${field}: found the name ${JSON.stringify(odd.slice(0, 100))}; allowed are letters, digits, "-", "_", "." and "/", with .rego at the end`,
    );
  }
  const bytes = Object.values(files).reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  return bytes > MAX_SOURCE_BYTES
    ? fault(
        SourceTooLarge,
        `${field}: found ${bytes} bytes; at most ${MAX_SOURCE_BYTES} are allowed, larger packs come as a bundle`,
      )
    : undefined;
}

function fault(reason: PackFault['reason'], message: string, passing = false): SourceFound {
  return { kind: 'fault', fault: { reason, message, passing } };
}

function sizeOf(value: unknown): number {
  return value === undefined ? 0 : Buffer.byteLength(JSON.stringify(value));
}

/** The digest of a JSON value, as registries write digests; equal values have the same one. */
export function digestOf(value: unknown): string {
  return `sha256:${createHash('sha256').update(canonicalJson(value)).digest('hex')}`;
}

// SPDX-License-Identifier: Apache-2.0
import { isJsonObject, type JsonObject as Json } from '../policy/review.ts';
import { type Answer, broken, type Failure, ok } from './answer.ts';
import { extentOf } from '../supply-chain/extent.ts';
import { digestOfBytes, isDigest } from './digest.ts';

/** What one thing in a registry says of another: its kind, its digest and its size. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly artifactType?: string | undefined;
  readonly annotations: Readonly<Record<string, string>>;
  readonly platform?: Platform | undefined;
  /** What it describes, where that was sent along; held against digest and size. */
  readonly data?: Uint8Array | undefined;
}

/** What an image runs on. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string | undefined;
}

interface Document {
  readonly digest: string;
  readonly mediaType: string;
  /** Exactly what the digest is of. */
  readonly bytes: Uint8Array;
  readonly subject?: Descriptor | undefined;
  readonly annotations: Readonly<Record<string, string>>;
}

/** An image of one platform, or another artifact. */
export interface Manifest extends Document {
  readonly kind: 'manifest';
  /** What it says it is; where it says nothing, what its configuration is. */
  readonly artifactType: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

/** A list of manifests: an image of several platforms, or what refers to something. */
export interface Index extends Document {
  readonly kind: 'index';
  readonly artifactType?: string | undefined;
  readonly manifests: readonly Descriptor[];
}

/** Media types that are asked for and taken. */
export const MEDIA_TYPES = {
  ociIndex: 'application/vnd.oci.image.index.v1+json',
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  dockerList: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  /** Of a configuration that there is none of; fallback indexes have it where the type of an artifact belongs. */
  empty: 'application/vnd.oci.empty.v1+json',
} as const;

/** How large manifests may be, and what is in them. */
export const MANIFEST_LIMITS = {
  bytes: 4 * 1024 * 1024,
  /** Lists, objects and what is in them, however few bytes they have: a thousand entries with thirty fields each. */
  values: 32_768,
  depth: 32,
  entries: 1000,
  annotations: 256,
  text: 64 * 1024,
} as const;

const INDEXES: readonly string[] = [MEDIA_TYPES.ociIndex, MEDIA_TYPES.dockerList];
const MANIFESTS: readonly string[] = [MEDIA_TYPES.ociManifest, MEDIA_TYPES.dockerManifest];
/** What servers say that do not know better. */
const UNTOLD: ReadonlySet<string | undefined> = new Set([
  undefined,
  'application/json',
  'application/octet-stream',
  'text/plain',
]);
const MEDIA_TYPE = /^[a-z0-9][a-z0-9!#$&^_.+-]{0,126}\/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}$/i;
const MAX_SIZE = 2 ** 50;

/** A manifest as it came: what it is was said beside it. */
export interface RawManifest {
  readonly bytes: Uint8Array;
  readonly digest: string;
  /** As the server says; undefined where it said nothing. */
  readonly contentType: string | undefined;
}

/** Thrown within this file, and nowhere else. */
class Malformed extends Error {}

/**
 * Reads a manifest or an index whose bytes have been held against their digest. One that could be read as both, or is not what was said
 * beside it, is taken as neither: clients that read differently would see two different images under one digest.
 */
export function readManifest(raw: RawManifest): Answer<Manifest | Index> {
  return reading(() => documentOf(raw));
}

/** Reads a list of referrers, which no digest speaks for. */
export function readReferrers({
  bytes,
  contentType,
}: Omit<RawManifest, 'digest'>): Answer<readonly Descriptor[]> {
  return reading(() => {
    const json = parse(bytes);
    const type = typeOf(json, contentType);
    if (type !== MEDIA_TYPES.ociIndex)
      throw new Malformed(`found the type ${quoted(type)}; wanted is a list`);
    return descriptorsOf(json, 'manifests');
  });
}

function reading<T>(read: () => T): Answer<T> {
  try {
    return ok(read());
  } catch (error) {
    if (error instanceof Malformed) return malformed(error.message);
    throw error;
  }
}

function malformed(message: string): Failure {
  return broken(`the manifest is not one that is taken: ${message}`);
}

function documentOf({ bytes, digest, contentType }: RawManifest): Manifest | Index {
  const json = parse(bytes);
  const mediaType = typeOf(json, contentType);
  const isIndex = INDEXES.includes(mediaType);
  const foreign = (isIndex ? ['config', 'layers', 'fsLayers'] : ['manifests', 'fsLayers']).find((key) =>
    has(json, key),
  );
  if (foreign !== undefined) throw new Malformed(`found ${foreign} in one of type ${mediaType}`);
  const shared = {
    digest,
    mediaType,
    bytes,
    annotations: annotationsOf(json, 'annotations'),
    ...(has(json, 'subject') && { subject: descriptorOf(json['subject'], 'subject') }),
  };
  const artifactType = optionalType(json, 'artifactType');
  if (isIndex) return { kind: 'index', ...shared, artifactType, manifests: descriptorsOf(json, 'manifests') };
  const config = descriptorOf(json['config'], 'config');
  const layers = descriptorsOf(json, 'layers');
  return { kind: 'manifest', ...shared, artifactType: artifactType ?? config.mediaType, config, layers };
}

function parse(bytes: Uint8Array): Json {
  if (bytes.length > MANIFEST_LIMITS.bytes)
    throw new Malformed(`found ${bytes.length} bytes; at most ${MANIFEST_LIMITS.bytes} are taken`);
  // Before anything is made of it, in the thread that all else is done in: of 4 MiB of brackets that is a million lists.
  const { values, depth } = extentOf(bytes, MANIFEST_LIMITS.values);
  if (values > MANIFEST_LIMITS.values)
    throw new Malformed(
      `found more than ${MANIFEST_LIMITS.values} values, which are the most that are taken`,
    );
  if (depth > MANIFEST_LIMITS.depth)
    throw new Malformed(`found it nested deeper than ${MANIFEST_LIMITS.depth}`);
  const json = parseJson(bytes);
  if (!isJsonObject(json)) throw new Malformed('found no JSON object');
  if (json['schemaVersion'] !== 2) throw new Malformed('schemaVersion has to be 2');
  return json;
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw new Malformed('found no JSON');
  }
}

/** What is said in it and beside it has to be the same. */
function typeOf(json: Json, contentType: string | undefined): string {
  const within = optionalType(json, 'mediaType');
  const beside = UNTOLD.has(contentType) ? undefined : contentType;
  if (within !== undefined && beside !== undefined && within !== beside)
    throw new Malformed(`found the type ${quoted(within)} in it and ${quoted(beside)} beside it`);
  const type = within ?? beside ?? (has(json, 'manifests') ? MEDIA_TYPES.ociIndex : MEDIA_TYPES.ociManifest);
  if (!INDEXES.includes(type) && !MANIFESTS.includes(type))
    throw new Malformed(`found the type ${quoted(type)}; taken are ${[...INDEXES, ...MANIFESTS].join(', ')}`);
  return type;
}

function descriptorsOf(json: Json, key: string): readonly Descriptor[] {
  const list = json[key];
  if (!Array.isArray(list)) throw new Malformed(`${key} has to be a list`);
  if (list.length > MANIFEST_LIMITS.entries)
    throw new Malformed(`${key}: found ${list.length}; at most ${MANIFEST_LIMITS.entries} are taken`);
  return list.map((one, index) => descriptorOf(one, `${key}[${index}]`));
}

function descriptorOf(value: unknown, where: string): Descriptor {
  if (!isJsonObject(value)) throw new Malformed(`${where} has to be a descriptor`);
  const mediaType = optionalType(value, 'mediaType');
  if (mediaType === undefined) throw new Malformed(`${where}.mediaType is missing`);
  const digest = digestIn(value, where);
  const size = sizeIn(value, where);
  const artifactType = optionalType(value, 'artifactType');
  const platform = platformOf(value['platform']);
  const data = embedded(value['data'], { digest, size, where });
  return {
    mediaType,
    digest,
    size,
    annotations: annotationsOf(value, 'annotations'),
    ...(artifactType !== undefined && { artifactType }),
    ...(platform !== undefined && { platform }),
    ...(data !== undefined && { data }),
  };
}

function digestIn(json: Json, where: string): string {
  const digest = json['digest'];
  if (typeof digest !== 'string' || !isDigest(digest)) throw new Malformed(`${where}.digest is no digest`);
  return digest;
}

function sizeIn(json: Json, where: string): number {
  const size = json['size'];
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0 || size > MAX_SIZE)
    throw new Malformed(`${where}.size is no size`);
  return size;
}

/** What is sent along has no other right to be believed than what is fetched. */
function embedded(
  data: unknown,
  { digest, size, where }: { readonly digest: string; readonly size: number; readonly where: string },
): Uint8Array | undefined {
  if (data === undefined || data === null) return undefined;
  if (typeof data !== 'string') throw new Malformed(`${where}.data has to be a text`);
  const bytes = Buffer.from(data, 'base64');
  if (bytes.length !== size || digestOfBytes(bytes, digest) !== digest)
    throw new Malformed(`${where}.data is not what its digest says`);
  return bytes;
}

function platformOf(value: unknown): Platform | undefined {
  if (!isJsonObject(value)) return undefined;
  const { os, architecture, variant } = value;
  if (!isShort(os) || !isShort(architecture)) return undefined;
  return { os, architecture, ...(isShort(variant) && { variant }) };
}

function isShort(value: unknown): value is string {
  return typeof value === 'string' && value.length <= 64;
}

function annotationsOf(json: Json, key: string): Readonly<Record<string, string>> {
  const value = json[key];
  if (value === undefined || value === null) return {};
  if (!isJsonObject(value)) throw new Malformed(`${key} has to be an object`);
  const entries = Object.entries(value);
  if (entries.length > MANIFEST_LIMITS.annotations)
    throw new Malformed(`${key}: found ${entries.length}; at most ${MANIFEST_LIMITS.annotations} are taken`);
  return Object.fromEntries(
    entries.map(([name, text]) => [name, annotation(text, `${key}.${name.slice(0, 100)}`)]),
  );
}

function annotation(text: unknown, where: string): string {
  if (typeof text !== 'string') throw new Malformed(`${where} has to be a text`);
  if (text.length > MANIFEST_LIMITS.text)
    throw new Malformed(
      `${where}: found ${text.length} characters; at most ${MANIFEST_LIMITS.text} are taken`,
    );
  return text;
}

function optionalType(json: Json, key: string): string | undefined {
  const value = json[key];
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value !== 'string' || !MEDIA_TYPE.test(value)) throw new Malformed(`${key} is no media type`);
  return value;
}

function has(json: Json, key: string): boolean {
  return json[key] !== undefined && json[key] !== null;
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 100));
}

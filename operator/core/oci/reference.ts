// SPDX-License-Identifier: Apache-2.0
import { isDigest } from './digest.ts';

/** Where images of one name are. */
export interface Repository {
  /** Host, with its port where one was written; that of Docker Hub is `docker.io`. */
  readonly registry: string;
  readonly repository: string;
}

/** What an image is asked for by. */
export interface Reference extends Repository {
  /** `latest` where neither a tag nor a digest was written. */
  readonly tag?: string | undefined;
  readonly digest?: string | undefined;
}

/** A reference, or what is wrong with the text. */
export type ReferenceRead =
  | { readonly kind: 'ok'; readonly reference: Reference }
  | { readonly kind: 'refused'; readonly found: string; readonly wanted: string };

/** The registry of names that tell none. */
export const DOCKER_HUB = 'docker.io';

const MAX_LENGTH = 1024;
const MAX_NAME = 255;
const LABEL = '[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?';
const HOST = new RegExp(`^(?:${LABEL}(?:\\.${LABEL})*|\\[[0-9a-f:.]{2,45}\\])(?::(?:[1-9][0-9]{0,4}))?$`);
const PATH_PART = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const IDENTIFIER = /^[0-9a-f]{64}$/;

/**
 * Reads a reference as docker, containerd and Kubernetes read it, with what they leave unsaid: `busybox` is
 * `docker.io/library/busybox:latest`. Names of hosts are made lower-case, so that one host has one name.
 */
export function parseReference(text: string): ReferenceRead {
  if (text.length > MAX_LENGTH) return refused(`${text.length} characters`, `at most ${MAX_LENGTH}`);
  const [beforeDigest = '', digest, ...rest] = text.split('@');
  const { name, tag } = withoutTag(beforeDigest);
  const place = readPlace(name);
  if (rest.length > 0 || (digest !== undefined && !isDigest(digest)))
    return refused(quoted(text), 'after "@", sha256: and 64 hex digits in lower case, or sha512: and 128');
  if (tag !== undefined && !TAG.test(tag))
    return refused(
      quoted(tag),
      'a tag: letters, digits, "_", "." and "-", at most 128, not begun by "." or "-"',
    );
  return 'kind' in place ? place : { kind: 'ok', reference: { ...place, ...present({ tag, digest }) } };
}

/** The whole name of a reference, with nothing left unsaid. */
export function formatReference({ registry, repository, tag, digest }: Reference): string {
  const tagged = tag === undefined ? '' : `:${tag}`;
  return `${registry}/${repository}${tagged}${digest === undefined ? '' : `@${digest}`}`;
}

/** A colon in the last part stands before a tag; before it, it stands before a port. */
function withoutTag(text: string): { readonly name: string; readonly tag: string | undefined } {
  const at = text.indexOf(':', text.lastIndexOf('/') + 1);
  return at === -1 ? { name: text, tag: undefined } : { name: text.slice(0, at), tag: text.slice(at + 1) };
}

function readPlace(name: string): Repository | Extract<ReferenceRead, { kind: 'refused' }> {
  const { host, path } = hostAndPath(name);
  const registry = registryOf(host);
  if (!isHostName(registry))
    return refused(quoted(host ?? ''), 'the name of a host, with a port from 1 to 65535 if it has one');
  if (path.length + registry.length + 1 > MAX_NAME)
    return refused(`${name.length} characters`, `names of at most ${MAX_NAME}`);
  if (host === undefined && IDENTIFIER.test(path))
    return refused(quoted(path), 'a name: 64 hex digits are the identifier of an image');
  const odd = path.split('/').find((part) => !PATH_PART.test(part));
  if (odd !== undefined)
    return refused(
      quoted(odd),
      'in each part of the name lower-case letters and digits, and between them ".", "_", "__" or "-"',
    );
  const isOfficial = registry === DOCKER_HUB && !path.includes('/');
  return { registry, repository: isOfficial ? `library/${path}` : path };
}

/** What stands before the first slash is a host if it could be nothing else. */
function hostAndPath(name: string): { readonly host: string | undefined; readonly path: string } {
  const slash = name.indexOf('/');
  const first = name.slice(0, Math.max(0, slash));
  const isHost = /[.:A-Z]/.test(first) || first === 'localhost';
  return isHost ? { host: first, path: name.slice(slash + 1) } : { host: undefined, path: name };
}

function registryOf(host = DOCKER_HUB): string {
  const name = host.toLowerCase();
  return name === 'index.docker.io' ? DOCKER_HUB : name;
}

/** Whether a text is the name of a repository within a registry. */
export function isRepositoryName(text: string): boolean {
  return text.length <= MAX_NAME && text.split('/').every((part) => PATH_PART.test(part));
}

/** Whether a text is a tag. */
export function isTag(text: string): boolean {
  return TAG.test(text);
}

/** Whether a text is the name of a registry, in lower case, with a port if it has one. */
export function isHostName(text: string): boolean {
  if (text.length > MAX_NAME || !HOST.test(text)) return false;
  const port = /:(\d+)$/.exec(text.replace(/^\[[^\]]*\]/, ''))?.[1];
  return port === undefined || Number(port) <= 65_535;
}

/** Without either, what is asked for is what docker asks for. */
function present({ tag, digest }: Pick<Reference, 'tag' | 'digest'>): Pick<Reference, 'tag' | 'digest'> {
  if (tag === undefined && digest === undefined) return { tag: 'latest' };
  return { ...(tag !== undefined && { tag }), ...(digest !== undefined && { digest }) };
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 100));
}

function refused(found: string, wanted: string): Extract<ReferenceRead, { kind: 'refused' }> {
  return { kind: 'refused', found, wanted };
}

// SPDX-License-Identifier: Apache-2.0
import { parsed, shown } from '../core/oci/json.ts';
import { DOCKER_HUB, isHostName, isRepositoryName } from '../core/oci/reference.ts';
import { isJsonObject } from '../core/policy/review.ts';

/** What the platform says of one registry. Of those that it says nothing of: https, a public address, no mirrors. */
export interface RegistrySettings {
  /** As it stands in references, with its port where it has one; also one that answers for a registry: its storage, or what gives its tokens. */
  readonly host: string;
  /** It may have an address that is not public. Those of links and of metadata services it may not have. */
  readonly isPrivate?: boolean;
  /** It speaks http. For tests, and for what is on loopback. */
  readonly isPlainHttp?: boolean;
  /** Certificates, as PEM, that vouch for it, instead of those that Node knows. */
  readonly ca?: string;
  /** Where the same content is, asked first: hosts, each with the path that is put before names. Digests say whether it is. */
  readonly mirrors?: readonly string[];
  /** Mirrors are asked for tags and referrers as well, which no digest speaks for: they are believed, as is the registry. */
  readonly trustsMirrors?: boolean;
}

/** Settings, or what is wrong with them: which field, what was found, what would pass. */
export type SettingsRead =
  | { readonly kind: 'ok'; readonly registries: readonly RegistrySettings[] }
  | { readonly kind: 'refused'; readonly problems: readonly string[] };

const MAX_REGISTRIES = 200;
const MAX_MIRRORS = 8;
const FLAGS = ['isPrivate', 'isPlainHttp', 'trustsMirrors'] as const;
const FIELDS: ReadonlySet<string> = new Set(['host', 'ca', 'mirrors', ...FLAGS]);

/** Reads what the platform says of registries: a JSON list. Everything that is wrong is told at once. */
export function readRegistrySettings(text: string): SettingsRead {
  const json = parsed(text);
  if (!Array.isArray(json))
    return { kind: 'refused', problems: ['found no JSON list; wanted is [{"host": …}]'] };
  if (json.length > MAX_REGISTRIES)
    return {
      kind: 'refused',
      problems: [`found ${json.length} registries; at most ${MAX_REGISTRIES} are allowed`],
    };
  const problems = json.flatMap((one, index) => problemsOf(one).map((problem) => `[${index}]${problem}`));
  const hosts = json.map((one) => (isJsonObject(one) ? one['host'] : undefined));
  const twice = hosts.find((host, index) => host !== undefined && hosts.indexOf(host) !== index);
  if (twice !== undefined) problems.push(`found ${JSON.stringify(twice)} twice; each host is there once`);
  return problems.length > 0 ? { kind: 'refused', problems } : { kind: 'ok', registries: json };
}

function problemsOf(value: unknown): readonly string[] {
  if (!isJsonObject(value)) return [': found no object'];
  const { host, ca, mirrors } = value;
  const unknown = Object.keys(value).filter((key) => !FIELDS.has(key));
  return [
    ...unknown.map(
      (key) => `.${key.slice(0, 100)}: there is no such field; there are ${[...FIELDS].join(', ')}`,
    ),
    ...(typeof host === 'string' && isHostName(host)
      ? []
      : [`.host: found ${shown(host)}; wanted is a host in lower case, with its port where it has one`]),
    ...(ca === undefined || (typeof ca === 'string' && ca.includes('-----BEGIN CERTIFICATE-----'))
      ? []
      : ['.ca: found no certificate; wanted are certificates as PEM']),
    ...mirrorProblems(mirrors),
    ...FLAGS.filter((flag) => value[flag] !== undefined && typeof value[flag] !== 'boolean').map(
      (flag) => `.${flag}: found ${shown(value[flag])}; wanted is true or false`,
    ),
  ];
}

function mirrorProblems(mirrors: unknown): readonly string[] {
  if (mirrors === undefined) return [];
  if (!Array.isArray(mirrors) || mirrors.length > MAX_MIRRORS)
    return [`.mirrors: found ${shown(mirrors)}; wanted is a list of at most ${MAX_MIRRORS}`];
  return mirrors
    .filter((mirror) => typeof mirror !== 'string' || !isMirror(mirror))
    .map(
      (mirror) =>
        `.mirrors: found ${shown(mirror)}; wanted is a host, and a path if there is one, such as mirror.example/hub`,
    );
}

function isMirror(text: string): boolean {
  const { host, prefix } = mirrorOf(text);
  return isHostName(host) && (!text.includes('/') || isRepositoryName(prefix));
}

/** The parts of a mirror: `mirror.example/hub` is a host and what is put before names. */
export function mirrorOf(text: string): { readonly host: string; readonly prefix: string } {
  const slash = text.indexOf('/');
  return slash === -1
    ? { host: text, prefix: '' }
    : { host: text.slice(0, slash), prefix: text.slice(slash + 1) };
}

/** The host that answers for a registry: that of Docker Hub has another name. */
export function apiHostOf(registry: string): string {
  return registry === DOCKER_HUB ? 'registry-1.docker.io' : registry;
}

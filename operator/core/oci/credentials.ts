// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { isJsonObject } from '../policy/review.ts';
import { parsed } from './json.ts';
import { DOCKER_HUB, isHostName, type Repository } from './reference.ts';

/** What somebody proves to a registry who he is by. */
export type Login =
  | { readonly kind: 'password'; readonly username: string; readonly password: string }
  /** Exchanged for a token of the registry, as cloud providers and `docker login` with a browser give it. */
  | { readonly kind: 'identity'; readonly token: string }
  /** Sent as it is. */
  | { readonly kind: 'bearer'; readonly token: string };

/** What one tenant, or the platform, has to prove itself by. Never of two together: who asks decides what is told. */
export interface Keychain {
  /** The same for the same content. Nothing can be read from it; it is part of the key of everything that is remembered. */
  readonly id: string;
  /** What fits a repository, the closest first; none for others. */
  loginsFor(repository: Repository): readonly Login[];
}

/** What a docker config says, checked: logins by host and path. */
export interface DockerConfig {
  readonly entries: readonly Entry[];
}

interface Entry {
  readonly registry: string;
  /** Parts of the path below which it counts; none: the whole registry. */
  readonly path: readonly string[];
  readonly login: Login;
}

/** A docker config, or what is wrong with it; nothing of its content is in the words. */
export type ConfigRead =
  | { readonly kind: 'ok'; readonly config: DockerConfig }
  | { readonly kind: 'refused'; readonly found: string; readonly wanted: string };

const MAX_BYTES = 1024 * 1024;
const MAX_ENTRIES = 500;
const MAX_LOGINS = 3;
/** What logins with an identity token have for a user name. */
const TOKEN_USER = '<token>';
const WANTED =
  'JSON as in a Secret of type kubernetes.io/dockerconfigjson: {"auths": {"HOST": {"username": …, "password": …}}}';

/** Nobody in particular. */
export const ANONYMOUS: Keychain = { id: '-', loginsFor: () => [] };

/** Reads the content of `.dockerconfigjson`, or of `config.json` of docker. Entries that say nothing we can use are left out. */
export function readDockerConfig(text: string): ConfigRead {
  if (text.length > MAX_BYTES) return refused(`${text.length} characters`, `at most ${MAX_BYTES}`);
  const json = parsed(text);
  if (!isJsonObject(json)) return refused('no JSON object', WANTED);
  const auths = json['auths'] ?? {};
  if (!isJsonObject(auths)) return refused('auths that is no object', WANTED);
  const all = Object.entries(auths);
  if (all.length > MAX_ENTRIES) return refused(`${all.length} entries in auths`, `at most ${MAX_ENTRIES}`);
  const entries = all.flatMap(([key, auth]) => {
    const place = placeOf(key);
    const login = isJsonObject(auth) ? loginOf(auth) : undefined;
    return place === undefined || login === undefined ? [] : [{ ...place, login }];
  });
  return { kind: 'ok', config: { entries } };
}

/**
 * The logins of some configs, those of the first first. A login counts for a repository if its host is exactly the registry, with its
 * port, and its path is the beginning of the repository, in whole parts: `example.com` says nothing of `example.com.evil.net`, nor
 * `example.com/team` of `example.com/team-b`.
 */
export function keychainOf(configs: readonly DockerConfig[]): Keychain {
  const entries = configs.flatMap(({ entries: some }) => some);
  if (entries.length === 0) return ANONYMOUS;
  const id = createHash('sha256').update(JSON.stringify(entries)).digest('hex').slice(0, 32);
  const loginsFor = (repository: Repository): readonly Login[] =>
    entries
      .filter((entry) => fits(entry, repository))
      .toSorted((a, b) => b.path.length - a.path.length)
      .slice(0, MAX_LOGINS)
      .map(({ login }) => login);
  return { id, loginsFor };
}

function fits({ registry, path }: Entry, repository: Repository): boolean {
  const parts = repository.repository.split('/');
  return registry === repository.registry && path.every((part, index) => part === parts[index]);
}

/** Keys are hosts, with a path or without, or addresses as docker itself writes them: `https://index.docker.io/v1/`. */
function placeOf(key: string): Pick<Entry, 'registry' | 'path'> | undefined {
  const [host = '', ...path] = key
    .replace(/^https?:\/\//, '')
    .replace(/\/+$/, '')
    .split('/');
  const name = host.toLowerCase();
  const registry = name === 'index.docker.io' ? DOCKER_HUB : name;
  if (!isHostName(registry)) return undefined;
  const isVersion = path.length === 1 && /^v[12]$/.test(path[0] ?? '');
  return { registry, path: isVersion ? [] : path };
}

function loginOf(auth: Readonly<Record<string, unknown>>): Login | undefined {
  const { identitytoken, registrytoken, username, password } = auth;
  if (isText(registrytoken)) return { kind: 'bearer', token: registrytoken };
  if (isText(identitytoken)) return { kind: 'identity', token: identitytoken };
  const pair =
    isText(username) && typeof password === 'string' ? { username, password } : decoded(auth['auth']);
  if (pair === undefined) return undefined;
  if (pair.username === TOKEN_USER) return { kind: 'identity', token: pair.password };
  // A user name with a colon would end elsewhere than it says.
  return pair.username.includes(':') ? undefined : { kind: 'password', ...pair };
}

function decoded(auth: unknown): { readonly username: string; readonly password: string } | undefined {
  if (!isText(auth)) return undefined;
  const text = Buffer.from(auth, 'base64').toString('utf8');
  const at = text.indexOf(':');
  return at < 1 ? undefined : { username: text.slice(0, at), password: text.slice(at + 1) };
}

function isText(value: unknown): value is string {
  // eslint-disable-next-line no-control-regex -- what would end a header is what is looked for
  return typeof value === 'string' && value !== '' && !/[\r\n\0]/.test(value);
}

function refused(found: string, wanted: string): ConfigRead {
  return { kind: 'refused', found, wanted };
}

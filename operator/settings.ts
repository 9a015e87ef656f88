// SPDX-License-Identifier: Apache-2.0
import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';

// How the programs of the image read their settings: the same for each of them.

/** One setting: a flag and an environment variable, how it is read, and its row in the reference. */
export interface Setting<T> {
  /** What it does, for the reference page. */
  readonly what: string;
  /** Text that stands when nothing is given; undefined: the setting may be absent. */
  readonly default: string | undefined;
  /** What would be accepted, in words, for refusals and the reference page. */
  readonly allowed: string;
  /** The value of `text`; undefined when it is not allowed. */
  parse(text: string): T | undefined;
  /** What is wrong with `text`, where that can be said of its parts: which field, found, wanted. */
  explain?(text: string): readonly string[];
}

/** Settings that name what is wrong, one line each: which, found, allowed. */
export class ConfigError extends Error {
  constructor(who: string, problems: readonly string[]) {
    super(`${who} cannot start with these settings:\n${problems.map((one) => `  ${one}`).join('\n')}`);
    this.name = 'ConfigError';
  }
}

/** Levels of a log, from the most talkative. */
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
/** What names of namespaces and of most else of Kubernetes look like. */
export const DNS_LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/** Where a program listens. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** Settings by their name in code. */
export type SettingTable = Readonly<Record<string, Setting<unknown>>>;
type Value<S> = S extends { parse(text: string): infer T } ? Exclude<T, undefined> : never;
/** What the settings of a table come to. Those that have no default may be undefined. */
export type ParsedSettings<Table extends SettingTable> = {
  readonly [Name in keyof Table]: Table[Name]['default'] extends string
    ? Value<Table[Name]>
    : Value<Table[Name]> | undefined;
};

/** flagOf('leaseDurationMs') -> '--lease-duration-ms' */
export function flagOf(name: string): string {
  return `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** variableOf('leaseDurationMs') -> 'NEXUSOS_LEASE_DURATION_MS' */
export function variableOf(name: string): string {
  return `NEXUSOS_${name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

/** Where settings come from: a flag wins over its environment variable. */
export interface SettingSources {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly args: readonly string[];
}

/** Reads every setting of `table`, and tells every problem at once, one line each, unknown flags included. */
export function readSettings<Table extends SettingTable>(
  table: Table,
  { env, args }: SettingSources,
): { readonly values: ParsedSettings<Table>; readonly problems: readonly string[] } {
  const { values: flags, problems } = readFlags(table, args);
  const values: Record<string, unknown> = {};
  for (const [name, setting] of Object.entries(table)) {
    const given = flags.get(name) ?? nonEmpty(env[variableOf(name)]);
    const text = given ?? setting.default;
    values[name] = text === undefined ? undefined : setting.parse(text);
    if (text !== undefined && values[name] === undefined) {
      const where = flags.has(name) ? flagOf(name) : variableOf(name);
      const said = setting.explain?.(text) ?? [
        `found ${JSON.stringify(text)}; allowed is ${setting.allowed}`,
      ];
      problems.push(...said.map((one) => `${where}: ${one}`));
    }
  }
  return { values: values as ParsedSettings<Table>, problems };
}

interface Flags {
  readonly values: ReadonlyMap<string, string>;
  readonly problems: string[];
}

function readFlags(table: SettingTable, args: readonly string[]): Flags {
  const names = new Map(Object.keys(table).map((name) => [flagOf(name), name]));
  const values = new Map<string, string>();
  const problems: string[] = [];
  const rest = [...args];
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    const [flag = '', ...parts] = arg.split('=');
    const name = names.get(flag);
    const value = parts.length > 0 ? parts.join('=') : rest.shift();
    if (name === undefined) problems.push(`${flag}: unknown; allowed are ${[...names.keys()].join(', ')}`);
    else if (value === undefined) problems.push(`${flag}: found nothing after it; a value is needed`);
    else values.set(name, value);
  }
  return { values, problems };
}

/** An empty variable is the same as none: that is how charts and shells leave one out. */
function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}

/** `true` or `false`. */
export function parseBoolean(text: string): boolean | undefined {
  return text === 'true' || text === 'false' ? text === 'true' : undefined;
}

/** A whole number within limits. */
export function integer(min: number, max: number): (text: string) => number | undefined {
  return (text) => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    return value >= min && value <= max ? value : undefined;
  };
}

/** An https URL; plain http only on loopback: a token in clear on a network is a token given away. */
export function parseApiServer(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined;
  const { protocol, hostname } = new URL(text);
  const isLoopback = hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.');
  return protocol === 'https:' || (protocol === 'http:' && isLoopback) ? text : undefined;
}

/** An IP address and a port. */
export function parseListen(text: string): ListenAddress | undefined {
  const parts = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  const host = parts?.[1] ?? parts?.[2] ?? '';
  const port = Number(parts?.[3]);
  return isIP(host) !== 0 && port <= 65_535 ? { host, port } : undefined;
}

/** A kind whose live objects packs may look at. */
export interface InventoryKind {
  readonly apiVersion: string;
  readonly kind: string;
  readonly plural: string;
  readonly namespaced: boolean;
}

/** What an entry of the list of kinds looks like that packs may look at. */
const ENTRY =
  /^(cluster:)?((?:[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?\/)?v[0-9][a-z0-9]{0,31})\/([a-z][a-z0-9]{0,62})=([A-Z][A-Za-z0-9]{0,62})$/;
const MAX_ENTRIES = 64;
/** No pack sees these, whoever allows it: a rule could write their values into a message. */
const NEVER: ReadonlySet<string> = new Set(['v1/secrets']);

/** Kinds that packs may look at: `networking.k8s.io/v1/ingresses=Ingress`, and `cluster:` before those that are in no namespace. Undefined: not so. */
export function readInventoryKinds(text: string): readonly InventoryKind[] | undefined {
  if (text === '') return [];
  const entries = text.split(',').map((one) => ENTRY.exec(one.trim()));
  const kinds = entries.flatMap((found) => (found === null ? [] : [kindOf(found)]));
  if (kinds.length !== entries.length || kinds.length > MAX_ENTRIES) return undefined;
  return kinds.some(({ apiVersion, plural }) => NEVER.has(`${apiVersion}/${plural}`)) ? undefined : kinds;
}

function kindOf([, cluster, apiVersion = '', plural = '', kind = '']: RegExpExecArray): InventoryKind {
  return { apiVersion, kind, plural, namespaced: cluster === undefined };
}

/** What the operator and the admission process have to agree on: which kinds packs may look at. */
export const POLICY_INVENTORY = {
  what: 'Kinds whose live objects PolicyPacks may look at, separated by commas. Secrets never.',
  default: '',
  allowed:
    'apiVersion/plural=Kind separated by commas, with cluster: before kinds that are in no namespace, such as networking.k8s.io/v1/ingresses=Ingress,cluster:storage.k8s.io/v1/storageclasses=StorageClass',
  parse: readInventoryKinds,
} satisfies Setting<readonly InventoryKind[]>;

/** Certificates as PEM, where each can be read and there is at least one; undefined otherwise. */
export function parsePem(text: string): string | undefined {
  const begun = text.split('-----BEGIN CERTIFICATE-----').length - 1;
  const whole = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return begun > 0 && whole.length === begun && whole.every(isCertificate) ? text : undefined;
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0;
  } catch {
    return false;
  }
}

// SPDX-License-Identifier: Apache-2.0
import { isIP } from 'node:net';
import { readRegistrySettings, type RegistrySettings, type SettingsRead } from './oci/settings.ts';
import { POLICY_RESOURCES } from './policy-resources.ts';
import { PRICES } from './prices.ts';
import {
  ConfigError,
  DNS_LABEL,
  flagOf,
  integer,
  type ListenAddress,
  LOG_LEVELS,
  parseApiServer,
  parseBoolean,
  parseListen,
  parsePem,
  type ParsedSettings,
  POLICY_INVENTORY,
  readSettings,
  type Setting,
} from './settings.ts';

/** Name of the Lease in the platform namespace by which replicas elect the one that writes. */
export const LEASE_NAME = 'nexusos-operator';

/** The most shards that there may be: each is a Lease that the operator's Role names. */
export const MAX_SHARDS = 32;

const CERTIFICATE_MODES = ['Off', 'Own'] as const;
const KUEUE_MODES = ['Off', 'Auto', 'Required'] as const;
/** Characters of references to images, none of which could end a text that it is put into. */
const IMAGE = /^[A-Za-z0-9][A-Za-z0-9._:@/-]{0,511}$/;
/** Of a network, with or without a port; addresses of IPv6 in brackets. */
const HOST = /^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?|\[[0-9a-f:.]{2,45}\])(:[1-9][0-9]{0,4})?$/;
const DNS_SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/** Every setting of the operator, by its name in code. Flag and variable follow from the name. */
export const SETTINGS = {
  namespace: {
    what: 'Platform namespace: where the operator and its Lease are.',
    default: 'nexusos-system',
    allowed: 'a DNS label',
    parse: (text) => (DNS_LABEL.test(text) ? text : undefined),
  } satisfies Setting<string>,
  pullSecretNamespace: {
    what: 'Namespace that pull secrets are shared from. Empty: the platform namespace.',
    default: undefined,
    allowed: 'a DNS label',
    parse: (text) => (DNS_LABEL.test(text) ? text : undefined),
  } satisfies Setting<string>,
  serviceAccount: {
    what: 'ServiceAccount of the operator in the platform namespace. It is given access to pull secrets of tenants.',
    default: 'nexusos-operator',
    allowed: 'a DNS label',
    parse: (text) => (DNS_LABEL.test(text) ? text : undefined),
  } satisfies Setting<string>,
  apiServer: {
    what: 'Address of the API server, for an operator outside of the cluster. Needs tokenFile. Empty: as a pod.',
    default: undefined,
    allowed: 'an https URL, such as https://10.0.0.1:6443; plain http only on loopback',
    parse: parseApiServer,
  } satisfies Setting<string>,
  tokenFile: {
    what: 'File with the token of the ServiceAccount. Read again when it changes.',
    default: undefined,
    allowed: 'a path',
    parse: (text) => (text === '' ? undefined : text),
  } satisfies Setting<string>,
  caFile: {
    what: 'File with the certificates that vouch for the API server. Read again when it changes.',
    default: undefined,
    allowed: 'a path',
    parse: (text) => (text === '' ? undefined : text),
  } satisfies Setting<string>,
  archiveUrl: {
    what: 'Address that finished Runs are sent to before they are removed for their age or number: as lines of JSON, by POST. Empty: they are removed without.',
    default: undefined,
    allowed: 'an https URL; plain http only on loopback',
    parse: parseApiServer,
  } satisfies Setting<string>,
  archiveFolder: {
    what: 'Folder with token and ca.crt for the archive, each if it is needed. Read again for each request.',
    default: undefined,
    allowed: 'a path',
    parse: (text) => (text === '' ? undefined : text),
  } satisfies Setting<string>,
  kubeconfig: {
    what: 'Kubeconfig to use, its current context. For development: it is usually more powerful than the ServiceAccount.',
    default: undefined,
    allowed: 'a path',
    parse: (text) => (text === '' ? undefined : text),
  } satisfies Setting<string>,
  identity: {
    what: 'Name of this replica in the Lease. Empty: host name and a random part.',
    default: undefined,
    allowed: '1 to 128 characters',
    parse: (text) => (text.length >= 1 && text.length <= 128 ? text : undefined),
  } satisfies Setting<string>,
  leaderElection: {
    what: 'Whether replicas elect one that writes. Only a single operator may go without.',
    default: 'true',
    allowed: 'true or false',
    parse: parseBoolean,
  } satisfies Setting<boolean>,
  leaseDurationMs: {
    what: 'How long a leader that fell silent is still believed to lead, in milliseconds.',
    default: '10000',
    allowed: 'an integer from 2000 to 120000',
    parse: integer(2000, 120_000),
  } satisfies Setting<number>,
  shards: {
    what: 'Shards that tenants are dealt out in to operators that all work at the same time; some four for each. 0: one operator works, the others stand by. The same for all operators.',
    default: '0',
    allowed: `0, or an integer from 2 to ${MAX_SHARDS}; with more than 0, leaderElection`,
    parse: (text) => (text === '1' ? undefined : integer(0, MAX_SHARDS)(text)),
  } satisfies Setting<number>,
  concurrency: {
    what: 'Objects of one kind that are reconciled at the same time; all but an eighth of them may be of one tenant, and one in sixteen while others are there, beside those that take long.',
    default: '16',
    allowed: 'an integer from 1 to 256',
    parse: integer(1, 256),
  } satisfies Setting<number>,
  namedTenants: {
    what: 'How many tenants metrics tell by name. The rest are told together, as tenant _other.',
    default: '100',
    allowed: 'an integer from 0 to 10000',
    parse: integer(0, 10_000),
  } satisfies Setting<number>,
  listen: {
    what: 'Address and port of /healthz, /readyz and /metrics. Port 0: any free one.',
    default: '0.0.0.0:8080',
    allowed: 'an IP address and a port, such as 0.0.0.0:8080 or [::]:8080',
    parse: parseListen,
  } satisfies Setting<ListenAddress>,
  logLevel: {
    what: 'Least important level that is logged.',
    default: 'info',
    allowed: `one of ${LOG_LEVELS.join(', ')}`,
    parse: (text) => LOG_LEVELS.find((level) => level === text),
  } satisfies Setting<(typeof LOG_LEVELS)[number]>,
  reservedRanges: {
    what: 'Further address ranges that no tenant may open its egress to, separated by commas. Those of nodes, pods, Services and API servers are learnt.',
    default: '',
    allowed: 'CIDR ranges separated by commas, such as 10.0.0.0/8,fd00::/8',
    parse: parseRanges,
  } satisfies Setting<readonly string[]>,
  remoteImage: {
    what: 'Image of the program that speaks to endpoints of agents of shape remote. Empty: there are no such agents.',
    default: undefined,
    allowed: 'a reference to an image, such as registry.example.com/nexusos:1.0.0',
    parse: (text) => (IMAGE.test(text) ? text : undefined),
  } satisfies Setting<string>,
  opaPath: {
    what: 'Program that compiles PolicyPacks from Rego. Empty: only what is compiled already can be taken.',
    default: undefined,
    allowed: 'an absolute path',
    parse: (text) => (text.startsWith('/') ? text : undefined),
  } satisfies Setting<string>,
  policySourceHosts: {
    what: 'Hosts that bundles of PolicyPacks may come from although their addresses are not public, separated by commas.',
    default: '',
    allowed:
      'names of hosts separated by commas, each with a port if it is not 443, such as git.corp.example,10.0.0.7:8443',
    parse: parseHosts,
  } satisfies Setting<readonly string[]>,
  policySourceCa: {
    what: 'Certificates that vouch for the hosts of policySourceHosts, besides those that are known everywhere: such hosts mostly have a certificate by an authority of their own.',
    default: undefined,
    allowed: 'certificates as PEM',
    parse: parsePem,
  } satisfies Setting<string>,
  policyInventory: POLICY_INVENTORY,
  policyResources: POLICY_RESOURCES,
  registries: {
    what: 'What the platform says of registries, as a JSON list. Of those that it says nothing of: https, a public address, no mirrors.',
    default: '[]',
    allowed:
      'a JSON list, each host once: host, isPrivate, isPlainHttp, ca (certificates as PEM), mirrors (hosts, each with a path), trustsMirrors, such as [{"host":"registry.corp.example:5000","isPrivate":true}]',
    parse: parseRegistries,
    explain: (text) => problemsOf(readRegistrySettings(text)),
  } satisfies Setting<readonly RegistrySettings[]>,
  policyScanSeconds: {
    what: 'How often what exists is judged by PolicyPacks. Only what has changed is asked about again.',
    default: '300',
    allowed: 'an integer from 10 to 86400',
    parse: integer(10, 86_400),
  } satisfies Setting<number>,
  policyPacksPerTenant: {
    what: 'How many PolicyPacks of a tenant are looked at, the oldest first.',
    default: '32',
    allowed: 'an integer from 0 to 1000',
    parse: integer(0, 1000),
  } satisfies Setting<number>,
  policyMebibytesPerTenant: {
    what: 'What all revisions of the PolicyPacks of a tenant may have together, modules and data, in MiB.',
    default: '64',
    allowed: 'an integer from 1 to 4096',
    parse: integer(1, 4096),
  } satisfies Setting<number>,
  webhookCertificates: {
    what: 'Whether the operator makes and renews the certificate of the admission process.',
    default: 'Off',
    allowed: `one of ${CERTIFICATE_MODES.join(', ')}`,
    parse: (text) => CERTIFICATE_MODES.find((mode) => mode === text),
  } satisfies Setting<(typeof CERTIFICATE_MODES)[number]>,
  webhookCertificateSecret: {
    what: 'Secret, in the platform namespace, that it is kept in.',
    default: 'nexusos-webhooks-tls',
    allowed: 'a DNS label',
    parse: (text) => (DNS_LABEL.test(text) ? text : undefined),
  } satisfies Setting<string>,
  webhookCertificateSeconds: {
    what: 'How long it is valid. It is renewed after two thirds of that.',
    default: '7776000',
    allowed: 'an integer from 10 to 31536000',
    parse: integer(10, 31_536_000),
  } satisfies Setting<number>,
  planWeights: {
    what: 'How much of GPUs that are short tenants get in relation to others, by the plan of the Tenant. A plan that is not named weighs 1.',
    default: '',
    allowed:
      'plan=weight separated by commas, each plan once, weights integers from 1 to 1000, such as gold=4,silver=2',
    parse: parseWeights,
  } satisfies Setting<ReadonlyMap<string, number>>,
  prices: PRICES,
  kueue: {
    what: 'Whether Kueue decides on capacity. Auto: where its kinds are served. Required: nothing starts where they are not.',
    default: 'Off',
    allowed: `one of ${KUEUE_MODES.join(', ')}`,
    parse: (text) => KUEUE_MODES.find((mode) => mode === text),
  } satisfies Setting<(typeof KUEUE_MODES)[number]>,
  kueueCheckMs: {
    what: 'How often it is asked whether the kinds of Kueue have come or gone, in milliseconds; the operator then starts anew.',
    default: '30000',
    allowed: 'an integer from 500 to 3600000',
    parse: integer(500, 3_600_000),
  } satisfies Setting<number>,
  kueueCohort: {
    what: 'Cohort of the ClusterQueues of tenants.',
    default: 'nexusos',
    allowed: 'a DNS subdomain',
    parse: parseSubdomain,
  } satisfies Setting<string>,
  kueueGuaranteedPercent: {
    what: 'How much of its quotas a tenant can always have from Kueue, in percent. The rest it borrows in the cohort.',
    default: '100',
    allowed: 'an integer from 0 to 100',
    parse: integer(0, 100),
  } satisfies Setting<number>,
  kueueDefaultFlavor: {
    what: 'ResourceFlavor of cores and memory that the platform has made. Empty: one is made.',
    default: undefined,
    allowed: 'a DNS subdomain',
    parse: parseSubdomain,
  } satisfies Setting<string>,
  kueueFlavors: {
    what: 'ResourceFlavors of GPU classes that the platform has made, by class. For a class that is not named one is made.',
    default: '',
    allowed: 'class=flavor separated by commas, each class and each flavor once, such as h100=reserved-h100',
    parse: parseFlavors,
  } satisfies Setting<ReadonlyMap<string, string>>,
  kueuePriorityClasses: {
    what: 'WorkloadPriorityClasses of Runs, each with the least priority of the Runs that get it.',
    default: '',
    allowed:
      'class=priority separated by commas, each class once, priorities integers from -1000 to 1000, such as urgent=100,usual=-1000',
    parse: parsePriorities,
  } satisfies Setting<ReadonlyMap<string, number>>,
} as const;

/** The name of a setting in code. */
export type SettingName = keyof typeof SETTINGS;

/** What the operator runs with. Settings that have no default may be undefined. */
export type Config = ParsedSettings<typeof SETTINGS>;

/**
 * Reads all settings; a flag (`--name=value` or `--name value`) wins over its environment variable.
 *
 * @throws ConfigError with every problem at once, unknown flags included.
 */
export function readConfig(
  env: Readonly<Record<string, string | undefined>>,
  args: readonly string[],
): Config {
  const { values, problems } = readSettings(SETTINGS, { env, args });
  const all = [...problems, ...contradictions(values)];
  if (all.length > 0) throw new ConfigError('the operator', all);
  return values;
}

function contradictions(config: Config): readonly string[] {
  const found: string[] = [];
  const { kueueDefaultFlavor: flavor, kueueFlavors } = config;
  if (flavor !== undefined && [...(kueueFlavors?.values() ?? [])].includes(flavor)) {
    found.push(
      `${flagOf('kueueDefaultFlavor')} and ${flagOf('kueueFlavors')}: found ${flavor} in both; allowed is one`,
    );
  }
  if ((config.apiServer === undefined) !== (config.tokenFile === undefined)) {
    found.push(`${flagOf('apiServer')} and ${flagOf('tokenFile')}: found only one; both are needed, or none`);
  }
  if (config.kubeconfig !== undefined && config.apiServer !== undefined) {
    found.push(`${flagOf('kubeconfig')} and ${flagOf('apiServer')}: found both; allowed is one of them`);
  }
  if (config.shards > 0 && !config.leaderElection) {
    found.push(
      `${flagOf('shards')}: found ${config.shards} without ${flagOf('leaderElection')}; it is needed`,
    );
  }
  return found;
}

function parseRanges(text: string): readonly string[] | undefined {
  const ranges = text
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '');
  return ranges.every(isRange) ? ranges : undefined;
}

function parseHosts(text: string): readonly string[] | undefined {
  const hosts = text
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '');
  return hosts.every((host) => HOST.test(host)) ? hosts : undefined;
}

function parseRegistries(text: string): readonly RegistrySettings[] | undefined {
  const read = readRegistrySettings(text);
  return read.kind === 'ok' ? read.registries : undefined;
}

/** What is wrong with what was read. */
function problemsOf(read: SettingsRead): readonly string[] {
  return read.kind === 'ok' ? [] : read.problems;
}

function parseWeights(text: string): ReadonlyMap<string, number> | undefined {
  return parsePairs(text, { name: (name) => DNS_LABEL.test(name), value: integer(1, 1000) });
}

function parseSubdomain(text: string): string | undefined {
  return text.length <= 253 && DNS_SUBDOMAIN.test(text) ? text : undefined;
}

/** How pairs are read. */
interface PairRules<T> {
  readonly name: (text: string) => boolean;
  readonly value: (text: string) => T | undefined;
}

/** `name=value` separated by commas; undefined where a name or a value is not allowed, or a name is there twice. */
function parsePairs<T>(text: string, rules: PairRules<T>): ReadonlyMap<string, T> | undefined {
  const found = new Map<string, T>();
  for (const pair of text === '' ? [] : text.split(',')) {
    const [name = '', value = '', ...rest] = pair.split('=');
    const parsed = rules.value(value);
    if (rest.length > 0 || parsed === undefined || found.has(name) || !rules.name(name)) return undefined;
    found.set(name, parsed);
  }
  return found;
}

function parseFlavors(text: string): ReadonlyMap<string, string> | undefined {
  const found = parsePairs(text, { name: (name) => DNS_LABEL.test(name), value: parseSubdomain });
  return found !== undefined && new Set(found.values()).size === found.size ? found : undefined;
}

function parsePriority(text: string): number | undefined {
  const priority = /^-?\d{1,4}$/.test(text) ? Number(text) : Number.NaN;
  return priority >= -1000 && priority <= 1000 ? priority : undefined;
}

function parsePriorities(text: string): ReadonlyMap<string, number> | undefined {
  return parsePairs(text, { name: (name) => parseSubdomain(name) !== undefined, value: parsePriority });
}

function isRange(text: string): boolean {
  const [address = '', bits = '', ...rest] = text.split('/');
  const version = isIP(address);
  return (
    rest.length === 0 && version !== 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128)
  );
}

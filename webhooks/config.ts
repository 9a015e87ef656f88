// SPDX-License-Identifier: Apache-2.0
import { PRICES } from '#operator/prices';
import {
  ConfigError,
  DNS_LABEL,
  integer,
  LOG_LEVELS,
  parseApiServer,
  parseListen,
  type ParsedSettings,
  POLICY_INVENTORY,
  readSettings,
  type Setting,
} from '#operator/settings';

/** Name of the Secret, in the platform namespace, with the certificate that is served. */
export const DEFAULT_SECRET_NAME = 'nexusos-webhooks-tls';

/** Every setting of the admission process, by its name in code. Flag and variable follow from the name. */
export const WEBHOOK_SETTINGS = {
  namespace: {
    what: 'Platform namespace: where the Secret with the certificate is.',
    default: 'nexusos-system',
    allowed: 'a DNS label',
    parse: (text) => (DNS_LABEL.test(text) ? text : undefined),
  } satisfies Setting<string>,
  secretName: {
    what: 'Secret with the certificate that is served (tls.crt, tls.key), and with those that vouch for it (ca.crt). Taken over when it changes.',
    default: DEFAULT_SECRET_NAME,
    allowed: 'a DNS label',
    parse: (text) => (DNS_LABEL.test(text) ? text : undefined),
  } satisfies Setting<string>,
  apiServer: {
    what: 'Address of the API server, for a process outside of the cluster. Needs tokenFile. Empty: as a pod.',
    default: undefined,
    allowed: 'an https URL, such as https://10.0.0.1:6443; plain http only on loopback',
    parse: parseApiServer,
  } satisfies Setting<string>,
  tokenFile: pathSetting('File with the token of the ServiceAccount. Read again when it changes.'),
  caFile: pathSetting(
    'File with the certificates that vouch for the API server. Read again when it changes.',
  ),
  kubeconfig: pathSetting('Kubeconfig to use, its current context. For development.'),
  identity: {
    what: 'Name of this replica. Empty: host name and a random part.',
    default: undefined,
    allowed: '1 to 128 characters',
    parse: (text) => (text.length >= 1 && text.length <= 128 ? text : undefined),
  } satisfies Setting<string>,
  podUid: {
    what: 'UID of the pod that this replica is: what it tells of itself goes with that. Empty: it is no pod.',
    default: undefined,
    allowed: 'a UID',
    parse: (text) => (/^[0-9a-f-]{1,64}$/.test(text) ? text : undefined),
  } satisfies Setting<string>,
  serve: {
    what: 'Address and port of the webhooks, by HTTPS. Port 0: any free one.',
    default: '0.0.0.0:9443',
    allowed: 'an IP address and a port, such as 0.0.0.0:9443 or [::]:9443',
    parse: parseListen,
  } satisfies Setting<NonNullable<ReturnType<typeof parseListen>>>,
  listen: {
    what: 'Address and port of /healthz, /readyz and /metrics. Port 0: any free one.',
    default: '0.0.0.0:8080',
    allowed: 'an IP address and a port, such as 0.0.0.0:8080 or [::]:8080',
    parse: parseListen,
  } satisfies Setting<NonNullable<ReturnType<typeof parseListen>>>,
  clientCaFile: pathSetting(
    'File with the certificates that vouch for clients: only who has a certificate from one of them is served. Empty: whoever connects, as an API server shows no certificate unless it is told to.',
  ),
  deadlineMs: {
    what: 'How long an answer may take at most, in milliseconds; less where the API server waits for less.',
    default: '2500',
    allowed: 'an integer from 100 to 25000',
    parse: integer(100, 25_000),
  } satisfies Setting<number>,
  maxInFlight: {
    what: 'Requests that are worked on at the same time; those beyond are told to come again.',
    default: '256',
    allowed: 'an integer from 1 to 10000',
    parse: integer(1, 10_000),
  } satisfies Setting<number>,
  drainMs: {
    what: 'How long it goes on serving after SIGTERM, not ready any more, so that nobody is sent here when it ends; in milliseconds.',
    default: '8000',
    allowed: 'an integer from 0 to 60000',
    parse: integer(0, 60_000),
  } satisfies Setting<number>,
  platformWorkers: {
    what: 'Threads that evaluate packs of the platform.',
    default: '2',
    allowed: 'an integer from 1 to 16',
    parse: integer(1, 16),
  } satisfies Setting<number>,
  tenantWorkers: {
    what: 'Threads that evaluate packs of tenants; no tenant ever has all of them where there are two or more.',
    default: '2',
    allowed: 'an integer from 1 to 16',
    parse: integer(1, 16),
  } satisfies Setting<number>,
  memoryLimitMib: {
    what: 'Memory that the process may have, in MiB: by it packs are given less, so that it is kept. Empty: the limit of the container, if it has one.',
    default: undefined,
    allowed: 'an integer from 128 to 1048576',
    parse: integer(128, 1_048_576),
  } satisfies Setting<number>,
  policyInventory: POLICY_INVENTORY,
  prices: PRICES,
  stateFolder: pathSetting(
    'Folder of this replica alone, where it keeps what it decides by for a restart. Empty: nowhere.',
  ),
  certificateFolder: pathSetting(
    'Folder where the kubelet puts the Secret with the certificate (tls.crt, tls.key), for a start while the API server cannot be reached. Empty: such a start waits.',
  ),
  lastKnownMaxAgeSeconds: {
    what: 'How old that may be which was kept in the state folder and is decided by while the API server cannot be reached, in seconds. 0: a replica that begins waits for the API server.',
    default: '3600',
    allowed: 'an integer from 0 to 604800',
    parse: integer(0, 604_800),
  } satisfies Setting<number>,
  lastKnownAfterMs: {
    what: 'For how long a replica that begins waits for the API server before it decides by what was kept, in milliseconds.',
    default: '5000',
    allowed: 'an integer from 100 to 60000',
    parse: integer(100, 60_000),
  } satisfies Setting<number>,
  decisionLog: {
    what: 'Where decisions by packs are logged, as lines of JSON in the format of OPA: stdout, none, or the path of a file, which is appended to.',
    default: 'stdout',
    allowed: 'stdout, none or a path',
    parse: (text) => (text === '' ? undefined : text),
  } satisfies Setting<string>,
  decisionLogAllowedPercent: {
    what: 'Of the requests that packs allow without a word, how many of a hundred are logged. What is refused, warned of or exempt always is.',
    default: '1',
    allowed: 'an integer from 0 to 100',
    parse: integer(0, 100),
  } satisfies Setting<number>,
  logLevel: {
    what: 'Least important level that is logged.',
    default: 'info',
    allowed: `one of ${LOG_LEVELS.join(', ')}`,
    parse: (text) => LOG_LEVELS.find((level) => level === text),
  } satisfies Setting<(typeof LOG_LEVELS)[number]>,
} as const;

/** The name of a setting in code. */
export type WebhookSettingName = keyof typeof WEBHOOK_SETTINGS;

/** What the admission process runs with. Settings that have no default may be undefined. */
export type WebhookConfig = ParsedSettings<typeof WEBHOOK_SETTINGS>;

/**
 * Reads all settings; a flag (`--name=value` or `--name value`) wins over its environment variable.
 *
 * @throws ConfigError with every problem at once, unknown flags included.
 */
export function readWebhookConfig(
  env: Readonly<Record<string, string | undefined>>,
  args: readonly string[],
): WebhookConfig {
  const { values, problems } = readSettings(WEBHOOK_SETTINGS, { env, args });
  const isHalf = (values.apiServer === undefined) !== (values.tokenFile === undefined);
  const all = isHalf
    ? [...problems, '--api-server and --token-file: found only one; both are needed, or none']
    : problems;
  if (all.length > 0) throw new ConfigError('the admission process', all);
  return values;
}

function pathSetting(what: string) {
  return {
    what,
    default: undefined,
    allowed: 'a path',
    parse: (text) => (text === '' ? undefined : text),
  } satisfies Setting<string>;
}

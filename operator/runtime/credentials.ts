// SPDX-License-Identifier: Apache-2.0
import { readFile, stat } from 'node:fs/promises';

/** What a TLS connection to the API server is made with; absent fields fall back to Node's own. */
export interface TlsMaterial {
  readonly ca?: string | Buffer;
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
  readonly servername?: string;
  readonly rejectUnauthorized?: boolean;
}

/** Where the API server is, and who we are to it. */
export interface Credentials {
  /** Base address, `https://host:port`, no trailing slash. */
  readonly server: string;
  /** For the next connection. The same object as before means that nothing changed. */
  tls(): Promise<TlsMaterial>;
  /** Value of the Authorization header for the next request, when there is one. */
  authorization(): Promise<string | undefined>;
  /** The API server no longer believes us: read everything again at the next chance. */
  refresh(): void;
}

/** Files of a mounted service account, wherever they are. */
export interface FileCredentialsOptions {
  readonly server: string;
  readonly tokenFile: string;
  readonly caFile?: string;
  /** How long a file that was read is believed before it is looked at again, in milliseconds. */
  readonly recheckMs?: number;
}

const SERVICE_ACCOUNT_FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';

/**
 * Credentials from a token file and a CA file, both of which are read again when they change: projected
 * tokens are replaced every hour, CAs now and then.
 *
 * @throws Error when the address would send the token in clear over a network.
 */
export function fileCredentials(options: FileCredentialsOptions): Credentials {
  requireSecure(options.server);
  const recheckMs = options.recheckMs ?? 10_000;
  const token = new WatchedFile(options.tokenFile, recheckMs);
  const ca = options.caFile === undefined ? undefined : new WatchedFile(options.caFile, recheckMs);
  let material: TlsMaterial = {};
  return {
    server: withoutSlash(options.server),
    async tls() {
      const text = await ca?.read();
      if (text !== undefined && text !== material.ca) material = { ca: text };
      return material;
    },
    async authorization() {
      return `Bearer ${(await token.read()).trim()}`;
    },
    refresh() {
      token.expire();
      ca?.expire();
    },
  };
}

/**
 * The credentials that the kubelet puts into a pod.
 *
 * @throws Error when `env` is not that of a pod.
 */
export function inClusterCredentials(env: Readonly<Record<string, string | undefined>>): Credentials {
  const host = env['KUBERNETES_SERVICE_HOST'];
  const port = env['KUBERNETES_SERVICE_PORT'] ?? '443';
  if (host === undefined || host === '') throw new Error('KUBERNETES_SERVICE_HOST is not set: not in a pod');
  const literal = host.includes(':') ? `[${host}]` : host;
  return fileCredentials({
    server: `https://${literal}:${port}`,
    tokenFile: `${SERVICE_ACCOUNT_FOLDER}/token`,
    caFile: `${SERVICE_ACCOUNT_FOLDER}/ca.crt`,
  });
}

/** What the settings of a program say of the API server. Nothing: as a pod has it. */
export interface CredentialSettings {
  readonly apiServer: string | undefined;
  readonly tokenFile: string | undefined;
  readonly caFile: string | undefined;
  readonly kubeconfig: string | undefined;
}

/** A pod's own credentials, unless the settings say otherwise. */
export async function credentialsFrom(
  { apiServer, tokenFile, caFile, kubeconfig }: CredentialSettings,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Credentials> {
  if (kubeconfig !== undefined) return kubeconfigCredentials({ paths: [kubeconfig] });
  if (apiServer === undefined || tokenFile === undefined) return inClusterCredentials(env);
  return fileCredentials({ server: apiServer, tokenFile, ...(caFile !== undefined && { caFile }) });
}

/**
 * Credentials of a kubeconfig (`paths`, or that of the user), of its current context or of `context`. Exec
 * plugins and the like are asked again every minute, and after the API server refused us.
 *
 * @throws Error when there is no such file, context or cluster.
 */
export async function kubeconfigCredentials(
  options: { readonly paths?: readonly string[]; readonly context?: string } = {},
): Promise<Credentials> {
  // Half a second and 80 MB: only for those who use a kubeconfig.
  const { openKubeconfig } = await import('./kubeconfig.ts');
  const config = openKubeconfig(options);
  const cluster = config.getCurrentCluster();
  if (cluster === null) throw new Error('the kubeconfig has no cluster for its current context');
  const source = new KubeconfigSource(async () => {
    const asked: KubeconfigAnswer = {};
    await config.applyToHTTPSOptions(asked);
    return asked;
  });
  return {
    server: withoutSlash(cluster.server),
    tls: () => source.tls(),
    authorization: () => source.authorization(),
    refresh: () => source.expire(),
  };
}

interface KubeconfigAnswer extends TlsMaterial {
  headers?: Record<string, unknown>;
  auth?: string;
}

/** What a kubeconfig says, asked anew at most once a minute. */
class KubeconfigSource {
  readonly #ask: () => Promise<KubeconfigAnswer>;
  #answer: Promise<{ tls: TlsMaterial; authorization: string | undefined }> | undefined;
  #askedAt = 0;

  constructor(ask: () => Promise<KubeconfigAnswer>) {
    this.#ask = ask;
  }

  async tls(): Promise<TlsMaterial> {
    return (await this.#current()).tls;
  }

  async authorization(): Promise<string | undefined> {
    return (await this.#current()).authorization;
  }

  expire(): void {
    this.#answer = undefined;
  }

  #current(): Promise<{ tls: TlsMaterial; authorization: string | undefined }> {
    const now = performance.now();
    if (this.#answer === undefined || now - this.#askedAt > 60_000) {
      this.#askedAt = now;
      this.#answer = this.#read();
      this.#answer.catch(() => this.expire());
    }
    return this.#answer;
  }

  async #read() {
    const { headers, auth, ...rest } = await this.#ask();
    const header = headers?.['Authorization'] ?? headers?.['authorization'];
    const basic = auth === undefined ? undefined : `Basic ${Buffer.from(auth).toString('base64')}`;
    return { tls: tlsOf(rest), authorization: typeof header === 'string' ? header : basic };
  }
}

/** Only what a connection is made with; the answer has more. */
function tlsOf({ ca, cert, key, servername, rejectUnauthorized }: TlsMaterial): TlsMaterial {
  const all = { ca, cert, key, servername, rejectUnauthorized };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

/** A file that is read again when it was modified, and looked at no more than every `recheckMs`. */
class WatchedFile {
  readonly #path: string;
  readonly #recheckMs: number;
  #text: string | undefined;
  #modifiedMs = -1;
  #checkedAt = Number.NEGATIVE_INFINITY;

  constructor(path: string, recheckMs: number) {
    this.#path = path;
    this.#recheckMs = recheckMs;
  }

  async read(): Promise<string> {
    const now = performance.now();
    if (this.#text !== undefined && now - this.#checkedAt < this.#recheckMs) return this.#text;
    const { mtimeMs } = await stat(this.#path);
    if (this.#text === undefined || mtimeMs !== this.#modifiedMs) {
      this.#text = await readFile(this.#path, 'utf8');
      this.#modifiedMs = mtimeMs;
    }
    this.#checkedAt = now;
    return this.#text;
  }

  expire(): void {
    this.#checkedAt = Number.NEGATIVE_INFINITY;
    this.#modifiedMs = -1;
  }
}

function requireSecure(server: string): void {
  const { protocol, hostname } = new URL(server);
  const isLoopback = hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.');
  if (protocol !== 'https:' && !isLoopback) {
    throw new Error(`refusing to send a token over ${protocol}// to ${hostname}: use https`);
  }
}

function withoutSlash(server: string): string {
  return server.endsWith('/') ? server.slice(0, -1) : server;
}

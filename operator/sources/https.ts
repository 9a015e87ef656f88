// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import { Agent, request } from 'undici';
import { isMetadataAddress, isPublicAddress } from './addresses.ts';
import { ADDRESS_REFUSED, codesOf, lookupWhere } from './lookup.ts';

/** Where a file is, and which one. */
export interface FileAddress {
  readonly url: string;
  /** `sha256:` and 64 hex digits. */
  readonly digest: string;
}

/** What came of it. `passing` is what may be otherwise by and by. */
export type FetchOutcome =
  | { readonly kind: 'ok'; readonly bytes: Uint8Array }
  | {
      readonly kind: 'fault';
      readonly fault: {
        readonly reason: 'SourceRefused' | 'SourceUnavailable' | 'SourceTooLarge' | 'DigestMismatch';
        readonly message: string;
        readonly passing: boolean;
      };
    };

/** How files are fetched. */
export interface FetcherOptions {
  /** Hosts, as `host` or `host:port`, that may have an address that is not public: yet none of a link or of a metadata service. */
  readonly trustedHosts: readonly string[];
  readonly maxBytes: number;
  /** For all of it, redirects included. Default 10 s. */
  readonly timeoutMs?: number;
  /** Certificates that vouch for servers, instead of those that Node knows. */
  readonly ca?: string;
}

const TIMEOUT_MS = 10_000;
const MAX_REDIRECTS = 3;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

type Fault = Extract<FetchOutcome, { readonly kind: 'fault' }>;

/**
 * Fetches files that people name by address, from within the cluster: which is what somebody would use to ask what he cannot reach himself. So
 * only public addresses are connected to, looked at when the connection is made, so that no name can say one thing first and another
 * thing then; each redirect is looked at like the first address; no credentials, cookies or proxies are ours to give; and nothing of
 * an answer is told but that it was not what the digest says.
 */
export class HttpsFetcher {
  readonly #options: FetcherOptions;
  readonly #agent: Agent;
  readonly #trusting: Agent;

  constructor(options: FetcherOptions) {
    this.#options = options;
    const shared = { allowH2: false, connections: 2, maxResponseSize: options.maxBytes } as const;
    const ca = options.ca === undefined ? {} : { ca: options.ca };
    this.#agent = new Agent({ ...shared, connect: { ...ca, lookup: lookupWhere(isAllowed(false)) } });
    this.#trusting = new Agent({ ...shared, connect: { ...ca, lookup: lookupWhere(isAllowed(true)) } });
  }

  /** Fetches a file. Never rejects. `wanted` ends it sooner, where nobody wants it any more. */
  async get({ url, digest }: FileAddress, wanted?: AbortSignal): Promise<FetchOutcome> {
    const timeout = AbortSignal.timeout(this.#options.timeoutMs ?? TIMEOUT_MS);
    const signal = wanted === undefined ? timeout : AbortSignal.any([timeout, wanted]);
    let at = new URL(url);
    for (let hops = 0; hops <= MAX_REDIRECTS; hops += 1) {
      const answer = await this.#ask(at, signal);
      if (answer.kind === 'redirect') at = answer.to;
      else return answer.kind === 'ok' ? checked(answer.bytes, digest) : answer;
    }
    return refused(`the address leads on to others more than ${MAX_REDIRECTS} times`);
  }

  /** Ends connections. */
  async close(): Promise<void> {
    await Promise.all([this.#agent.close(), this.#trusting.close()]);
  }

  async #ask(
    url: URL,
    signal: AbortSignal,
  ): Promise<FetchOutcome | { readonly kind: 'redirect'; readonly to: URL }> {
    const isTrusted = this.#isTrusted(url);
    const wrong = problemOf(url, isTrusted);
    if (wrong !== undefined) return wrong;
    try {
      const dispatcher = isTrusted ? this.#trusting : this.#agent;
      const headers = { accept: 'application/gzip, application/octet-stream', 'user-agent': 'nexusos' };
      const { statusCode, headers: said, body } = await request(url, { dispatcher, signal, headers });
      if (REDIRECTS.has(statusCode)) {
        await body.dump();
        return redirectOf(said['location'], url);
      }
      if (statusCode !== 200) {
        await body.dump();
        return unavailable(`${url.host} answered ${statusCode}`);
      }
      return { kind: 'ok', bytes: await body.bytes() };
    } catch (error) {
      return this.#failure(error, { url, isTrusted });
    }
  }

  #isTrusted({ host, hostname }: URL): boolean {
    const { trustedHosts } = this.#options;
    return trustedHosts.includes(host) || trustedHosts.includes(hostname);
  }

  #failure(error: unknown, { url, isTrusted }: { readonly url: URL; readonly isTrusted: boolean }): Fault {
    const { host } = url;
    const codes = codesOf(error);
    if (codes.includes(ADDRESS_REFUSED)) return refused(notAllowed(url, isTrusted));
    if (codes.includes('UND_ERR_RES_EXCEEDED_MAX_SIZE')) {
      const message = `${host} answered with more than ${this.#options.maxBytes} bytes, which are the most that are taken`;
      return { kind: 'fault', fault: { reason: 'SourceTooLarge', message, passing: false } };
    }
    return unavailable(`${host} cannot be asked: ${codes[0] ?? (error as Error).name}`);
  }
}

/** What can be told without asking anybody. */
function problemOf(url: URL, isTrusted: boolean): Fault | undefined {
  if (url.protocol !== 'https:') return refused(`found ${url.protocol}//${url.host}; https alone is allowed`);
  if (url.username !== '' || url.password !== '')
    return refused('the address has a user or a password in it');
  const literal = url.hostname.replaceAll(/^\[|\]$/g, '');
  const isRefused = isIP(literal) !== 0 && !isAllowed(isTrusted)(literal);
  return isRefused ? refused(notAllowed(url, isTrusted)) : undefined;
}

/** Which addresses a host may have. That the platform trusts it is no reason to ask the metadata service of a cloud. */
function isAllowed(isTrusted: boolean): (address: string) => boolean {
  return isTrusted ? (address) => !isMetadataAddress(address) : isPublicAddress;
}

function notAllowed({ host }: URL, isTrusted: boolean): string {
  return isTrusted
    ? `${host} has an address of a link, or of a metadata service, which no host may have`
    : `${host} has an address that is not public`;
}

function redirectOf(location: string | string[] | undefined, from: URL) {
  const text = typeof location === 'string' ? location : '';
  if (text === '' || !URL.canParse(text, from.href)) return unavailable(`${from.host} leads on to nowhere`);
  return { kind: 'redirect', to: new URL(text, from) } as const;
}

function checked(bytes: Uint8Array, digest: string): FetchOutcome {
  const found = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  if (found === digest) return { kind: 'ok', bytes };
  const message = `spec.source.bundle.digest: found ${digest}; the file has ${found}`;
  return { kind: 'fault', fault: { reason: 'DigestMismatch', message, passing: false } };
}

function refused(message: string): Fault {
  return {
    kind: 'fault',
    fault: { reason: 'SourceRefused', message: `spec.source.bundle.url: ${message}`, passing: false },
  };
}

function unavailable(message: string): Fault {
  return {
    kind: 'fault',
    fault: { reason: 'SourceUnavailable', message: `spec.source.bundle.url: ${message}`, passing: true },
  };
}

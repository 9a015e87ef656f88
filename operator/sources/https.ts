// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { rootCertificates } from 'node:tls';
import { Outbound, type Outcome } from './outbound.ts';

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
  /** Certificates, as PEM, that vouch for these hosts, besides those that Node knows. For others they vouch for nothing. */
  readonly trustedCa?: string;
  /** Certificates that vouch for servers, instead of those that Node knows. */
  readonly ca?: string;
}

const TIMEOUT_MS = 10_000;
const MAX_REDIRECTS = 3;
type Fault = Extract<FetchOutcome, { readonly kind: 'fault' }>;

/**
 * Fetches files that people name by address, from within the cluster: which is what somebody would use to ask what he cannot reach himself. No
 * credentials, cookies or proxies are ours to give, and nothing of an answer is told but that it was not what the digest says.
 */
export class HttpsFetcher {
  readonly #options: FetcherOptions;
  readonly #outbound: Outbound;

  constructor(options: FetcherOptions) {
    const { trustedHosts } = options;
    const ours = withCa(options.trustedCa && [...rootCertificates, options.trustedCa].join('\n'));
    const shared = withCa(options.ca);
    this.#options = options;
    this.#outbound = new Outbound({
      rulesOf: ({ host, hostname }) => {
        const isPrivate = trustedHosts.includes(host) || trustedHosts.includes(hostname);
        return { ...shared, ...(isPrivate && ours), isPrivate };
      },
      maxRedirects: MAX_REDIRECTS,
    });
  }

  /** Fetches a file. Never rejects. `wanted` ends it sooner, where nobody wants it any more. */
  async get({ url, digest }: FileAddress, wanted?: AbortSignal): Promise<FetchOutcome> {
    const { maxBytes, timeoutMs = TIMEOUT_MS } = this.#options;
    const timeout = AbortSignal.timeout(timeoutMs);
    const { outcome } = await this.#outbound.send({
      method: 'GET',
      url: new URL(url),
      headers: { accept: 'application/gzip, application/octet-stream' },
      maxBytes,
      signal: wanted === undefined ? timeout : AbortSignal.any([timeout, wanted]),
    });
    return fetchedOf(outcome, digest);
  }

  /** Ends connections. */
  close(): Promise<void> {
    return this.#outbound.close();
  }
}

function withCa(ca: string | undefined): { readonly ca?: string } {
  return ca === undefined || ca === '' ? {} : { ca };
}

function fetchedOf(outcome: Outcome, digest: string): FetchOutcome {
  if (outcome.kind === 'reply') {
    const { status, bytes, url } = outcome.reply;
    return status === 200 ? checked(bytes, digest) : unavailable(`${url.host} answered ${status}`);
  }
  const { kind, message } = outcome;
  if (kind === 'unreachable' || kind === 'astray') return unavailable(message);
  if (kind !== 'tooLarge') return refused(message);
  return { kind: 'fault', fault: { reason: 'SourceTooLarge', message, passing: false } };
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

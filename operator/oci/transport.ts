// SPDX-License-Identifier: Apache-2.0
import { isIP } from 'node:net';
import { Agent, type Dispatcher } from 'undici';
import { type Answer, broken, type Failure, ok, refusedByPlatform } from '../core/oci/answer.ts';
import { shown } from '../core/oci/json.ts';
import { isMetadataAddress, isPublicAddress } from '../sources/addresses.ts';
import { ADDRESS_REFUSED, codesOf, lookupWhere } from '../sources/lookup.ts';
import type { RegistrySettings } from './settings.ts';

/** How a host may be asked. */
export type HostRules = Pick<RegistrySettings, 'isPrivate' | 'isPlainHttp' | 'ca'>;

/** One request. */
export interface Ask {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT';
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** Goes to the origin of `url` alone, never where that leads on to. */
  readonly authorization?: string | undefined;
  readonly body?: Uint8Array | string | undefined;
  /** The most of an answer that is taken. */
  readonly maxBytes: number;
  readonly signal: AbortSignal;
}

/** The headers of an answer. */
export type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** One answer, whatever its status. */
export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Uint8Array;
  /** Where it came from in the end. */
  readonly url: URL;
  /** It came from another origin than was asked: what that says is not what the registry says. */
  readonly isElsewhere: boolean;
}

const MAX_REDIRECTS = 5;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
const CONNECT_MS = 5000;
/** Of an answer that nobody reads. */
const MAX_DUMPED = 16 * 1024;

/** What came of a request, and which host the answer, or the lack of one, is of. */
export interface Sent {
  readonly answer: Answer<Reply>;
  readonly host: string;
}

/** A step of the way: an answer, or where it leads on. */
type Step = Answer<Reply> | { readonly kind: 'redirect'; readonly to: URL };

/**
 * Speaks HTTP with registries, and with what these name: their storage, and what gives their tokens. From within the cluster, at the word of
 * people who may not see its network: so each address is looked at when it is connected to, that of a redirect like the first, and only
 * hosts that the platform lists may have one that is not public. Credentials go to the origin that they are for. An answer is read up to
 * a limit and a deadline, and never unpacked.
 */
export class Transport {
  readonly #hosts: ReadonlyMap<string, RegistrySettings>;
  readonly #others: HostRules | undefined;
  readonly #agents = new Map<string, Agent>();

  /** `others`: what holds for hosts that are not among the registries. */
  constructor(registries: readonly RegistrySettings[], others?: HostRules) {
    this.#others = others;
    this.#hosts = new Map(registries.map((one) => [urlOf(one).host, one]));
  }

  /** The address of a path of a host, by the scheme that the platform says. */
  addressOf(host: string, path: string): URL {
    const isPlainHttp = this.#hosts.get(urlOf({ host }).host)?.isPlainHttp;
    return new URL(path, urlOf({ host, ...(isPlainHttp !== undefined && { isPlainHttp }) }));
  }

  /** Sends a request, and reads what comes of it. Never rejects. */
  async send(ask: Ask): Promise<Sent> {
    let at = ask.url;
    for (let hops = 0; hops <= MAX_REDIRECTS; hops += 1) {
      const step = await this.#step(ask, at);
      if (step.kind !== 'redirect') return { answer: step, host: at.host };
      at = step.to;
    }
    return { answer: broken(`${ask.url.host} leads on more than ${MAX_REDIRECTS} times`), host: at.host };
  }

  /** Ends connections. */
  async close(): Promise<void> {
    await Promise.all([...this.#agents.values()].map((agent) => agent.destroy()));
  }

  async #step(ask: Ask, url: URL): Promise<Step> {
    const settings = this.#hosts.get(url.host) ?? this.#others;
    const wrong = problemOf(url, settings);
    if (wrong !== undefined) return wrong;
    try {
      const answer = await this.#agent(settings).request(optionsOf(ask, url));
      const isElsewhere = url.origin !== ask.url.origin;
      return await replyOf(answer, { ask, url, isElsewhere });
    } catch (error) {
      return failureOf(error, { ask, url });
    }
  }

  /** Connections are shared by hosts that are trusted alike. */
  #agent(settings: HostRules | undefined): Agent {
    const { isPrivate = false, ca } = settings ?? {};
    const key = `${isPrivate} ${ca ?? ''}`;
    const known = this.#agents.get(key);
    if (known !== undefined) return known;
    const agent = new Agent({
      allowH2: false,
      connections: 8,
      keepAliveTimeout: 5000,
      connect: {
        timeout: CONNECT_MS,
        lookup: lookupWhere(isAllowed(settings)),
        ...(ca !== undefined && { ca }),
      },
    });
    this.#agents.set(key, agent);
    return agent;
  }
}

function optionsOf(ask: Ask, url: URL) {
  const mayKnow = ask.authorization !== undefined && url.origin === ask.url.origin;
  return {
    origin: url.origin,
    path: `${url.pathname}${url.search}`,
    method: ask.method,
    signal: ask.signal,
    headers: {
      'user-agent': 'nexusos',
      'accept-encoding': 'identity',
      ...ask.headers,
      ...(mayKnow && { authorization: ask.authorization ?? '' }),
    },
    ...(ask.body !== undefined && { body: ask.body }),
  };
}

/** Ports that are the usual ones of their scheme go. */
function urlOf({ host, isPlainHttp = false }: RegistrySettings): URL {
  return new URL(`${isPlainHttp ? 'http' : 'https'}://${host}`);
}

/** What can be told without asking anybody. */
function problemOf(url: URL, settings: HostRules | undefined): Failure | undefined {
  const isHttp = url.protocol === 'http:' && settings?.isPlainHttp === true;
  if (url.protocol !== 'https:' && !isHttp)
    return refusedByPlatform(`${url.protocol}//${url.host} is not asked: https alone is allowed`);
  if (url.username !== '' || url.password !== '')
    return refusedByPlatform(`an address of ${url.host} has a user or a password in it`);
  const literal = url.hostname.replaceAll(/^\[|\]$/g, '');
  return isIP(literal) === 0 || isAllowed(settings)(literal) ? undefined : notPublic(url);
}

/** Which addresses a host may have. */
function isAllowed(settings: HostRules | undefined): (address: string) => boolean {
  return settings?.isPrivate === true ? (address) => !isMetadataAddress(address) : isPublicAddress;
}

function notPublic({ host }: URL): Failure {
  return refusedByPlatform(
    `${host} has an address that is not public, and is no registry that the platform lists as private`,
  );
}

interface Context {
  readonly ask: Ask;
  readonly url: URL;
}

async function replyOf(
  { statusCode: status, headers, body }: Dispatcher.ResponseData,
  { ask, url, isElsewhere }: Context & { readonly isElsewhere: boolean },
): Promise<Step> {
  const mayFollow = ask.method === 'GET' || ask.method === 'HEAD';
  if (mayFollow && REDIRECTS.has(status)) {
    await body.dump({ limit: MAX_DUMPED, signal: ask.signal });
    return redirectOf(headers['location'], url);
  }
  const packed = headers['content-encoding'];
  if (packed !== undefined && packed !== 'identity' && ask.method !== 'HEAD') {
    body.on('error', ignore).destroy();
    return broken(`${url.host} sends something packed, as ${shown(packed)}, which is not taken`);
  }
  const bytes = await bytesOf(body, {
    maxBytes: ask.maxBytes,
    said: headers['content-length'],
    method: ask.method,
  });
  if (bytes === undefined)
    return broken(
      `${url.host} answers with more than ${ask.maxBytes} bytes, which are the most that are taken`,
    );
  return ok({ status, headers, bytes, url, isElsewhere });
}

function ignore(): void {}

/** What is announced as too large is not begun. */
async function bytesOf(
  body: Dispatcher.ResponseData['body'],
  {
    maxBytes,
    said,
    method,
  }: { readonly maxBytes: number; readonly said: unknown; readonly method: Ask['method'] },
): Promise<Uint8Array | undefined> {
  const isTooLarge = method !== 'HEAD' && Number(said ?? 0) > maxBytes;
  const chunks: Buffer[] = [];
  let size = 0;
  if (!isTooLarge) {
    for await (const chunk of body) {
      size += (chunk as Buffer).length;
      if (size > maxBytes) break;
      chunks.push(chunk as Buffer);
    }
  }
  if (!isTooLarge && size <= maxBytes) return Buffer.concat(chunks, size);
  body.on('error', ignore).destroy();
  return undefined;
}

function redirectOf(location: string | string[] | undefined, from: URL): Step {
  const text = typeof location === 'string' ? location : '';
  if (text === '' || text.length > 8192 || !URL.canParse(text, from.href))
    return broken(`${from.host} leads on to nowhere`);
  return { kind: 'redirect', to: new URL(text, from) };
}

function failureOf(error: unknown, { ask, url }: Context): Failure {
  const codes = codesOf(error);
  if (codes.includes(ADDRESS_REFUSED)) return notPublic(url);
  if (ask.signal.aborted) return { kind: 'unreachable', message: `${url.host} has not answered in time` };
  const why = codes[0] ?? (error as Error).name;
  return { kind: 'unreachable', message: `${url.host} cannot be asked: ${why.slice(0, 100)}` };
}

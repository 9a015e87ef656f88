// SPDX-License-Identifier: Apache-2.0
import { isIP } from 'node:net';
import { Agent, type Dispatcher } from 'undici';
import { isMetadataAddress, isPublicAddress } from './addresses.ts';
import { type Answered, answerTo, type Headers } from './answering.ts';
import type { Algorithm } from './body.ts';
import { ADDRESS_REFUSED, codesOf, type FindAddresses, finderByQuery, lookupWhere } from './lookup.ts';

/** How a host may be asked. Without any: https, a public address. */
export interface HostRules {
  /** It may have an address that is not public. Those of links and of metadata services it may not have. */
  readonly isPrivate?: boolean;
  /** It speaks http. */
  readonly isPlainHttp?: boolean;
  /** Certificates, as PEM, that vouch for it, instead of those that Node knows. */
  readonly ca?: string;
}

/** One request. */
export interface Ask {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT';
  readonly url: URL;
  /** Who has told us to ask there, if it is not us who say so. */
  readonly sentBy?: URL | undefined;
  readonly headers: Readonly<Record<string, string>>;
  /** Goes to the origin of `url` alone, never where that leads on to. */
  readonly authorization?: string | undefined;
  readonly body?: Uint8Array | string | undefined;
  /** The most of an answer that is taken. */
  readonly maxBytes: number;
  /** How many bytes it should have, where that is known. */
  readonly expected?: number | undefined;
  /** By what an answer is to be hashed while it comes. */
  readonly algorithm?: Algorithm | undefined;
  readonly signal: AbortSignal;
}

/** One answer, whatever its status. */
export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Uint8Array;
  /** Of the bytes, by the algorithm that was asked for. */
  readonly digest?: string;
  /** Where it came from in the end. */
  readonly url: URL;
  /** It came from another origin than was asked: what that says is not what was asked says. */
  readonly isElsewhere: boolean;
}

/** What came of a request. */
export type Outcome =
  | { readonly kind: 'reply'; readonly reply: Reply }
  /** We do not ask there. */
  | { readonly kind: 'refused'; readonly message: string }
  /** It answers with more than may be. */
  | { readonly kind: 'tooLarge'; readonly message: string }
  /** It leads on to nowhere. */
  | { readonly kind: 'astray'; readonly message: string }
  /** It leads on and on. */
  | { readonly kind: 'endless'; readonly message: string }
  /** No answer. */
  | { readonly kind: 'unreachable'; readonly message: string };

/** What came of a request, and which host the answer, or the lack of one, is of. */
export interface Sent {
  readonly outcome: Outcome;
  readonly host: string;
}

/** How hosts are asked. */
export interface OutboundOptions {
  /** What the platform says of a host; undefined where it says nothing. */
  readonly rulesOf: (url: URL) => HostRules | undefined;
  readonly maxRedirects: number;
  /** Which addresses anybody may send us to. Default: those of the public network. */
  readonly isPublic?: (address: string) => boolean;
  /** What is asked for addresses of names that the platform does not list. Default: what the machine asks. */
  readonly nameServers?: readonly string[];
}

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
const CONNECT_MS = 5000;
const CONNECTIONS = 8;
const MAX_LOCATION = 8192;

/** A step of the way: what came of it, or where it leads on. */
type Step = Outcome | { readonly kind: 'redirect'; readonly to: URL };

/** A place that is asked, and what holds for it there and then. */
interface Place {
  readonly url: URL;
  readonly rules: HostRules;
  /** A host that may not send us where the platform alone may. */
  readonly stranger: string | undefined;
}

/**
 * Speaks HTTP with hosts that people name: servers, registries, and what these lead on to. From within the cluster, at the word of those who may
 * not see its network. So each address is looked at when it is connected to, that of a redirect like the first; only hosts that the platform
 * lists may have one that is not public; and that counts when we ask them by ourselves, or are sent by one that is listed like them: a
 * stranger sends us to public addresses alone. Credentials go to the origin that they are for. An answer is read up to a limit and a
 * deadline, and never unpacked.
 */
export class Outbound {
  readonly #options: OutboundOptions;
  readonly #agents = new Map<string, Agent>();
  readonly #findPublic: FindAddresses;

  constructor(options: OutboundOptions) {
    this.#options = options;
    this.#findPublic = finderByQuery(options.nameServers);
  }

  /** Sends a request, and reads what comes of it. Never rejects. */
  async send(ask: Ask): Promise<Sent> {
    const { maxRedirects } = this.#options;
    let at = ask.url;
    let stranger = this.#strangerIn(ask.sentBy);
    for (let hops = 0; hops <= maxRedirects; hops += 1) {
      const step = await this.#step(ask, this.#placeOf(at, stranger));
      if (step.kind !== 'redirect') return { outcome: step, host: at.host };
      stranger ??= this.#strangerIn(at);
      at = step.to;
    }
    const message = `${ask.url.host} leads on more than ${maxRedirects} times`;
    return { outcome: { kind: 'endless', message }, host: at.host };
  }

  /** Ends connections. */
  async close(): Promise<void> {
    await Promise.all([...this.#agents.values()].map((agent) => agent.destroy()));
  }

  /** A host that is not listed as private, and so is no reason to go where others may not. */
  #strangerIn(url: URL | undefined): string | undefined {
    return url === undefined || this.#options.rulesOf(url)?.isPrivate === true ? undefined : url.host;
  }

  #placeOf(url: URL, stranger: string | undefined): Place {
    const rules = this.#options.rulesOf(url) ?? {};
    if (stranger === undefined || rules.isPrivate !== true) return { url, rules, stranger: undefined };
    return { url, rules: { ...rules, isPrivate: false }, stranger };
  }

  async #step(ask: Ask, place: Place): Promise<Step> {
    const wrong = problemOf(place, this.#isAllowed(place.rules));
    if (wrong !== undefined) return { kind: 'refused', message: wrong };
    try {
      const answer = await answerTo(this.#agent(place.rules), sendingOf(ask, place.url), takingOf(ask));
      return stepOf(answer, { ask, url: place.url });
    } catch (error) {
      return failureOf(error, ask.signal, place);
    }
  }

  /** Which addresses a host may have. That the platform trusts it is no reason to ask the metadata service of a cloud. */
  #isAllowed({ isPrivate = false }: HostRules): (address: string) => boolean {
    return isPrivate ? (address) => !isMetadataAddress(address) : (this.#options.isPublic ?? isPublicAddress);
  }

  /** Connections are shared by hosts that are trusted alike. */
  #agent(rules: HostRules): Agent {
    const { isPrivate = false, ca } = rules;
    const key = `${isPrivate} ${ca ?? ''}`;
    const known = this.#agents.get(key);
    if (known !== undefined) return known;
    const agent = new Agent({
      allowH2: false,
      connections: CONNECTIONS,
      keepAliveTimeout: 5000,
      connect: {
        timeout: CONNECT_MS,
        lookup: lookupWhere(this.#isAllowed(rules), isPrivate ? undefined : this.#findPublic),
        ...(ca !== undefined && { ca }),
      },
    });
    this.#agents.set(key, agent);
    return agent;
  }
}

function sendingOf(ask: Ask, url: URL): Dispatcher.DispatchOptions {
  const mayKnow = ask.authorization !== undefined && url.origin === ask.url.origin;
  return {
    origin: url.origin,
    path: `${url.pathname}${url.search}`,
    method: ask.method,
    headers: {
      'user-agent': 'nexusos',
      'accept-encoding': 'identity',
      ...ask.headers,
      ...(mayKnow && { authorization: ask.authorization ?? '' }),
    },
    ...(ask.body !== undefined && { body: ask.body }),
  };
}

/** What can be told without asking anybody. */
function problemOf(place: Place, isAllowed: (address: string) => boolean): string | undefined {
  const { url, rules } = place;
  const isHttp = url.protocol === 'http:' && rules.isPlainHttp === true;
  if (url.protocol !== 'https:' && !isHttp)
    return `${url.protocol}//${url.host} is not asked: https alone is allowed`;
  if (url.username !== '' || url.password !== '')
    return `an address of ${url.host} has a user or a password in it`;
  const literal = url.hostname.replaceAll(/^\[|\]$/g, '');
  return isIP(literal) === 0 || isAllowed(literal) ? undefined : notAllowed(place);
}

function notAllowed({ url: { host }, rules, stranger }: Place): string {
  if (rules.isPrivate === true)
    return `${host} has an address of a link, or of a metadata service, which no host may have`;
  const has = `${host} has an address that is not public`;
  return stranger === undefined
    ? `${has}, and is no host that the platform lists as private`
    : `${has}, and ${stranger}, which leads there, is no host that the platform lists as private`;
}

/** What leads on is not read. */
function takingOf({ signal, maxBytes, expected, algorithm, method }: Ask) {
  const mayFollow = method === 'GET' || method === 'HEAD';
  const isUnread = (status: number): boolean => mayFollow && REDIRECTS.has(status);
  return { signal, maxBytes, expected, algorithm, isHead: method === 'HEAD', isUnread };
}

interface Context {
  readonly ask: Ask;
  readonly url: URL;
}

function stepOf({ status, headers, body }: Answered, { ask, url }: Context): Step {
  if (takingOf(ask).isUnread(status)) return redirectOf(headers['location'], url);
  if (body === undefined) {
    const message = `${url.host} answers with more than ${ask.maxBytes} bytes, which are the most that are taken`;
    return { kind: 'tooLarge', message };
  }
  const isElsewhere = url.origin !== ask.url.origin;
  return { kind: 'reply', reply: { status, headers, ...body, url, isElsewhere } };
}

function redirectOf(location: string | string[] | undefined, from: URL): Step {
  const text = typeof location === 'string' ? location : '';
  if (text === '' || text.length > MAX_LOCATION || !URL.canParse(text, from.href))
    return { kind: 'astray', message: `${from.host} leads on to nowhere` };
  return { kind: 'redirect', to: new URL(text, from) };
}

function failureOf(error: unknown, signal: AbortSignal, place: Place): Outcome {
  const { host } = place.url;
  const codes = codesOf(error);
  if (codes.includes(ADDRESS_REFUSED)) return { kind: 'refused', message: notAllowed(place) };
  if (signal.aborted) return { kind: 'unreachable', message: `${host} has not answered in time` };
  const [code = (error as Error).name] = codes;
  const words = WHY_NOT[code];
  const why = words === undefined ? code.slice(0, 100) : `${words} (${code})`;
  return { kind: 'unreachable', message: `${host} cannot be asked: ${why}` };
}

/** The commonest reasons in words, since the codes of programs say nothing to who wrote the address. */
const WHY_NOT: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nobody listens at that port',
  ENOTFOUND: 'there is no host of that name',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak https; that it speaks http has to be said',
  CERT_HAS_EXPIRED: 'its certificate has run out',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is by no authority that is known',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is by no authority that is known',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is by no authority that is known',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
};

// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { type Answer, broken, ok, refusedByPlatform } from '../core/oci/answer.ts';
import type { Login } from '../core/oci/credentials.ts';
import { type Challenge, parseChallenges } from '../core/oci/headers.ts';
import { parsed } from '../core/oci/json.ts';
import { isJsonObject } from '../core/policy/review.ts';
import { failureOfReply, refusedByRegistry } from './statuses.ts';
import type { Headers } from '../sources/answering.ts';
import type { Reply } from '../sources/outbound.ts';
import type { Transport } from './transport.ts';

/** What somebody wants to do where. */
export interface Permission {
  /** Where the registry answers. */
  readonly origin: string;
  readonly repository: string;
  readonly actions: 'pull' | 'pull,push';
  readonly login: Login | undefined;
}

interface Token {
  readonly header: string;
  readonly until: number;
}

const MAX_TOKEN_BYTES = 64 * 1024;
const MAX_TOKENS = 2000;
const DEFAULT_SECONDS = 60;
const MAX_SECONDS = 3600;
/** A token is not used in its last seconds: it has to last for what it is sent with. */
const MARGIN_SECONDS = 5;
const SENDABLE = /^[\x21-\x7e]+$/;

/**
 * Proves to registries who somebody is, in the way that they ask for: with a password, or with a token that is fetched where they say. What
 * is fetched is for one repository and one login, and asks for no more than is needed.
 */
export class Authorizer {
  readonly #transport: Pick<Transport, 'send'>;
  readonly #tokens = new Map<string, Token>();

  constructor(transport: Pick<Transport, 'send'>) {
    this.#transport = transport;
  }

  /** What worked last, while it is good. */
  remembered(permission: Permission): string | undefined {
    const token = this.#tokens.get(keyOf(permission));
    return token !== undefined && token.until > performance.now() ? token.header : undefined;
  }

  /** Forgets what did not work. */
  forget(permission: Permission): void {
    this.#tokens.delete(keyOf(permission));
  }

  /** The header that answers what a registry asked for with 401. */
  async answer(permission: Permission, headers: Headers, signal: AbortSignal): Promise<Answer<string>> {
    const challenges = parseChallenges(headers['www-authenticate']);
    const { login } = permission;
    if (login?.kind === 'bearer') return ok(this.#remember(permission, `Bearer ${login.token}`));
    const bearer = challenges.find(({ scheme }) => scheme === 'bearer');
    if (bearer !== undefined) return this.#fetchToken(permission, bearer, signal);
    const host = new URL(permission.origin).host;
    if (!challenges.some(({ scheme }) => scheme === 'basic'))
      return broken(`${host} asks for no credentials that there are: neither Bearer nor Basic`);
    if (login?.kind !== 'password')
      return refusedByRegistry(`${host} wants a user and a password; there are none for it`);
    return ok(this.#remember(permission, basic(login)));
  }

  async #fetchToken(
    permission: Permission,
    challenge: Challenge,
    signal: AbortSignal,
  ): Promise<Answer<string>> {
    const { realm = '', service } = challenge.parameters;
    const { host } = new URL(permission.origin);
    if (realm.length > 2048 || !URL.canParse(realm))
      return broken(`${host} says of its tokens no address to get them at`);
    const url = new URL(realm);
    // To whom a registry could show them itself, it may also send us with them; in the clear it may not.
    if (url.username !== '' || url.password !== '')
      return refusedByPlatform(`${host} says of its tokens an address with a user or a password in it`);
    const scope = `repository:${permission.repository}:${permission.actions}`;
    const parameters = { ...(service !== undefined && { service }), scope };
    const { answer: reply } = await this.#transport.send(
      tokenRequest(url, { permission, parameters, signal }),
    );
    if (reply.kind !== 'ok') return reply;
    if (reply.value.status !== 200) return failureOfReply(reply.value, 'a token');
    const token = tokenOf(reply.value);
    if (token === undefined) return broken(`${url.host} answers with no token that could be sent`);
    return ok(this.#remember(permission, `Bearer ${token.text}`, token.seconds));
  }

  #remember(permission: Permission, header: string, seconds = MAX_SECONDS): string {
    const key = keyOf(permission);
    this.#tokens.delete(key);
    this.#tokens.set(key, { header, until: performance.now() + (seconds - MARGIN_SECONDS) * 1000 });
    const [oldest] = this.#tokens.keys();
    if (this.#tokens.size > MAX_TOKENS && oldest !== undefined) this.#tokens.delete(oldest);
    return header;
  }
}

interface TokenAsk {
  readonly permission: Permission;
  readonly parameters: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

function tokenRequest(url: URL, { permission: { login, origin }, parameters, signal }: TokenAsk) {
  const shared = { sentBy: new URL(origin), maxBytes: MAX_TOKEN_BYTES, signal } as const;
  const accept = { accept: 'application/json' };
  if (login?.kind === 'identity') {
    const form = {
      ...parameters,
      grant_type: 'refresh_token',
      client_id: 'nexusos',
      refresh_token: login.token,
    };
    const headers = { ...accept, 'content-type': 'application/x-www-form-urlencoded' };
    return { ...shared, method: 'POST', url, headers, body: String(new URLSearchParams(form)) } as const;
  }
  const asked = new URL(url);
  for (const [name, value] of Object.entries(parameters)) asked.searchParams.set(name, value);
  const authorization = login?.kind === 'password' ? basic(login) : undefined;
  return { ...shared, method: 'GET', url: asked, headers: accept, authorization } as const;
}

function basic({ username, password }: Extract<Login, { readonly kind: 'password' }>): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

function tokenOf({ bytes }: Reply): { readonly text: string; readonly seconds: number } | undefined {
  const json = parsed(bytes);
  if (!isJsonObject(json)) return undefined;
  const { token, access_token: other, expires_in: said } = json;
  const text = typeof token === 'string' && token !== '' ? token : other;
  if (typeof text !== 'string' || !SENDABLE.test(text)) return undefined;
  const seconds = typeof said === 'number' && said > 0 ? Math.min(said, MAX_SECONDS) : DEFAULT_SECONDS;
  return { text, seconds };
}

function keyOf({ origin, repository, actions, login }: Permission): string {
  const who = login === undefined ? '-' : createHash('sha256').update(JSON.stringify(login)).digest('base64');
  return `${origin} ${repository} ${actions} ${who}`;
}

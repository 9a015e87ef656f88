// SPDX-License-Identifier: Apache-2.0
import { type Answer, broken, ok, refusedByPlatform } from '../core/oci/answer.ts';
import { shown } from '../core/oci/json.ts';
import { type Ask, type HostRules, Outbound, type Outcome, type Reply } from '../sources/outbound.ts';
import type { RegistrySettings } from './settings.ts';

const MAX_REDIRECTS = 5;

/** What came of a request, and which host the answer, or the lack of one, is of. */
export interface Sent {
  readonly answer: Answer<Reply>;
  readonly host: string;
}

/** Speaks with registries, and with what these name: their storage, and what gives their tokens. */
export class Transport {
  readonly #hosts: ReadonlyMap<string, RegistrySettings>;
  readonly #outbound: Outbound;

  /** `others`: what holds for hosts that are not among the registries. */
  constructor(registries: readonly RegistrySettings[], others?: HostRules) {
    this.#hosts = new Map(registries.map((one) => [urlOf(one).host, one]));
    this.#outbound = new Outbound({
      rulesOf: ({ host }) => this.#hosts.get(host) ?? others,
      maxRedirects: MAX_REDIRECTS,
    });
  }

  /** The address of a path of a host, by the scheme that the platform says. */
  addressOf(host: string, path: string): URL {
    const isPlainHttp = this.#hosts.get(urlOf({ host }).host)?.isPlainHttp;
    return new URL(path, urlOf({ host, ...(isPlainHttp !== undefined && { isPlainHttp }) }));
  }

  /** Sends a request, and reads what comes of it. Never rejects. */
  async send(ask: Ask): Promise<Sent> {
    const { outcome, host } = await this.#outbound.send(ask);
    return { answer: answerOf(outcome, ask), host };
  }

  /** Ends connections. */
  close(): Promise<void> {
    return this.#outbound.close();
  }
}

/** Ports that are the usual ones of their scheme go. */
function urlOf({ host, isPlainHttp = false }: RegistrySettings): URL {
  return new URL(`${isPlainHttp ? 'http' : 'https'}://${host}`);
}

function answerOf(outcome: Outcome, { method }: Ask): Answer<Reply> {
  if (outcome.kind === 'reply') return unpacked(outcome.reply, method);
  const { kind, message } = outcome;
  if (kind === 'refused') return refusedByPlatform(message);
  return kind === 'unreachable' ? { kind, message } : broken(message);
}

function unpacked(reply: Reply, method: Ask['method']): Answer<Reply> {
  const packed = reply.headers['content-encoding'];
  return packed === undefined || packed === 'identity' || method === 'HEAD'
    ? ok(reply)
    : broken(`${reply.url.host} sends something packed, as ${shown(packed)}, which is not taken`);
}

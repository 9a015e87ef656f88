// SPDX-License-Identifier: Apache-2.0
import { setTimeout as wait } from 'node:timers/promises';
import { type Answer, broken, type Failure, refusedByPlatform } from '../core/oci/answer.ts';
import type { Keychain, Login } from '../core/oci/credentials.ts';
import { isHostName, isRepositoryName, type Repository } from '../core/oci/reference.ts';
import { Authorizer, type Permission } from './authorization.ts';
import { Gate, type GateLimits, type Passed } from './gate.ts';
import { apiHostOf, type RegistrySettings } from './settings.ts';
import { failureOfReply } from './statuses.ts';
import type { Ask, HostRules, Reply } from '../sources/outbound.ts';
import { type Sent, Transport } from './transport.ts';

/** One request of the API of registries. */
export interface Question {
  readonly repository: Repository;
  /** Below the repository, such as `manifests/latest`; or an address of the same origin that the registry gave. */
  readonly path: string | URL;
  /** What is asked for, for people. */
  readonly what: string;
  readonly method?: Ask['method'];
  readonly accept: string;
  readonly maxBytes: number;
  /** How many bytes the answer should have, where that is known. */
  readonly expected?: number;
  /** By what the answer is to be hashed while it comes. */
  readonly algorithm?: Ask['algorithm'];
  readonly keychain: Keychain;
  /** Whose question it is: a tenant, or, empty, the platform. Default: by keychain. */
  readonly whose?: string | undefined;
  readonly signal: AbortSignal;
  /** Statuses that are answers beside 200; what is not one is a failure. */
  readonly passes?: readonly number[];
  readonly body?: Uint8Array;
  readonly contentType?: string;
}

/** How requests are made. */
export interface RequesterOptions {
  readonly registries: readonly RegistrySettings[];
  /** What holds for hosts that are not among them. Default: https, a public address. */
  readonly others?: HostRules;
  readonly limits?: GateLimits;
  /** Told of each request that was made. */
  readonly observe?: (outcome: Failure['kind'] | 'ok', seconds: number) => void;
}

const TRIES = 3;
const PAUSE_MS = 150;
/** Longer than that is for the caller to wait. */
const MAX_PAUSE_MS = 1000;

/** Makes requests of registries: as who asks, when they may be made, and once more where that may help. */
export class Requester {
  readonly #transport: Transport;
  readonly #authorizer: Authorizer;
  readonly #gate: Gate;
  readonly #observe: NonNullable<RequesterOptions['observe']>;

  constructor({ registries, others, limits, observe }: RequesterOptions) {
    this.#transport = new Transport(registries, others);
    this.#authorizer = new Authorizer(this.#transport);
    this.#gate = new Gate(limits);
    this.#observe = observe ?? (() => {});
  }

  /** Asks. What is `ok` has status 200, or one that passes. */
  async ask(question: Question): Promise<Answer<Reply>> {
    const wrong = this.#problemOf(question);
    if (wrong !== undefined) return wrong;
    for (let tries = 1; ; tries += 1) {
      const answer = await this.#try(question);
      if (tries >= TRIES || !mayHelp(question, answer)) return answer;
      await pause(PAUSE_MS * 2 ** tries * (0.5 + Math.random()), question.signal);
    }
  }

  /** Ends connections. */
  close(): Promise<void> {
    return this.#transport.close();
  }

  #problemOf({ repository: { registry, repository }, path }: Question): Failure | undefined {
    if (!isHostName(registry) || !isRepositoryName(repository))
      return refusedByPlatform('what is asked for is no name of a repository');
    const { origin } = this.#transport.addressOf(apiHostOf(registry), '/');
    // Credentials go along: an address that somebody gave is asked only where they belong.
    return path instanceof URL && path.origin !== origin
      ? broken(`${registry} leads on to ${path.host}, which is not itself`)
      : undefined;
  }

  #try(question: Question): Promise<Answer<Reply>> {
    const { signal, keychain, repository, whose = `keychain ${keychain.id}` } = question;
    const host = apiHostOf(repository.registry);
    return this.#gate.pass(
      { host, who: keychain.id, owner: whose, signal },
      async (): Promise<Passed<Reply>> => {
        const startedAt = performance.now();
        const { answer, host: of } = await this.#askAsSomebody(question);
        const passed = checked(answer, question);
        this.#observe(passed.kind, (performance.now() - startedAt) / 1000);
        return {
          answer: passed,
          isHostDown: answer.kind === 'unreachable' && of === new URL(this.#urlOf(question)).host,
        };
      },
    );
  }

  /** With the login that fits best, then with the others that fit. */
  async #askAsSomebody(question: Question): Promise<Sent> {
    const logins = question.keychain.loginsFor(question.repository);
    let sent = await this.#askAs(question, logins[0]);
    for (const login of logins.slice(1)) {
      if (!isRefused(sent.answer)) break;
      sent = await this.#askAs(question, login);
    }
    return sent;
  }

  async #askAs(question: Question, login: Login | undefined): Promise<Sent> {
    const url = this.#urlOf(question);
    const actions = question.method === 'POST' || question.method === 'PUT' ? 'pull,push' : 'pull';
    const permission: Permission = {
      origin: url.origin,
      repository: question.repository.repository,
      actions,
      login,
    };
    const first = await this.#send(question, this.#authorizer.remembered(permission));
    if (first.answer.kind !== 'ok' || first.answer.value.status !== 401 || first.answer.value.isElsewhere)
      return first;
    this.#authorizer.forget(permission);
    const proof = await this.#authorizer.answer(permission, first.answer.value.headers, question.signal);
    // What gives tokens is at fault, not the registry.
    return proof.kind === 'ok' ? this.#send(question, proof.value) : { answer: proof, host: '' };
  }

  #send(question: Question, authorization: string | undefined): Promise<Sent> {
    const { method = 'GET', accept, maxBytes, expected, algorithm, signal, body, contentType } = question;
    return this.#transport.send({
      method,
      url: this.#urlOf(question),
      headers: { accept, ...(contentType !== undefined && { 'content-type': contentType }) },
      authorization,
      body,
      maxBytes,
      expected,
      algorithm,
      signal,
    });
  }

  #urlOf({ repository: { registry, repository }, path }: Question): URL {
    return path instanceof URL
      ? path
      : this.#transport.addressOf(apiHostOf(registry), `/v2/${repository}/${path}`);
  }
}

/** Whether to ask once more. Longer pauses are the caller's to make. */
function mayHelp({ method, signal }: Question, answer: Answer<Reply>): boolean {
  if (method === 'POST' || signal.aborted || answer.kind !== 'unreachable') return false;
  return (answer.retryAfterMs ?? 0) <= MAX_PAUSE_MS;
}

function isRefused(answer: Answer<Reply>): boolean {
  if (answer.kind === 'refused') return answer.by === 'Registry';
  return answer.kind === 'ok' && (answer.value.status === 401 || answer.value.status === 403);
}

function checked(answer: Answer<Reply>, { what, passes = [] }: Question): Answer<Reply> {
  if (answer.kind !== 'ok') return answer;
  const { status } = answer.value;
  return status === 200 || passes.includes(status) ? answer : failureOfReply(answer.value, what);
}

/** Shorter where there is no time. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await wait(ms, undefined, { signal }).catch(() => {});
}

// SPDX-License-Identifier: Apache-2.0
import { WEBHOOKS_NAME } from '#crds/v1alpha1/names';
import { setTimeout as delay } from 'node:timers/promises';
import type { KubeObject } from '#operator/core/object';
import type { Cache } from '#operator/runtime/cache';
import { clock } from '#operator/runtime/clock';
import type { Log } from '#operator/telemetry/log';
import { bundlesOf, choosePair, isTrusted, type OfferedPair, readPair } from './certificate.ts';
import type { AdmissionMetrics } from './metrics.ts';
import { MUTATING_CONFIGURATIONS, SECRETS, VALIDATING_CONFIGURATIONS } from '#operator/core/resources';
import { WebhookServer, type WebhookServerOptions } from './server.ts';

/** What serving needs besides the certificate. */
export interface ServingOptions {
  readonly cache: Cache;
  readonly namespace: string;
  readonly secretName: string;
  readonly server: Omit<WebhookServerOptions, 'pair'>;
  readonly metrics: AdmissionMetrics;
  readonly log: Log;
}

/** Certificates expire by themselves: nothing else tells. */
const LOOK_AGAIN_MS = 1000;

/** The server, begun when there is a certificate, and kept with the one that the API server trusts. */
export class Serving {
  readonly #options: ServingOptions;
  #server: WebhookServer | undefined;
  #starting: Promise<void> | undefined;
  #pair: OfferedPair | undefined;
  #offered: OfferedPair | undefined;
  #isTrusted = false;
  #isStopping = false;
  #timer: NodeJS.Timeout | undefined;

  /** Declares what it watches; nothing is served before `start`. */
  constructor(options: ServingOptions) {
    this.#options = options;
    const { cache, namespace, secretName } = options;
    const named = { namespace, fieldSelector: `metadata.name=${secretName}` };
    cache.watch({ resource: SECRETS, ...named }, ({ object }) => this.#offer(object));
    const fieldSelector = `metadata.name=${WEBHOOKS_NAME}`;
    for (const resource of [VALIDATING_CONFIGURATIONS, MUTATING_CONFIGURATIONS]) {
      cache.watch({ resource, fieldSelector }, () => this.#look());
    }
  }

  /** Serves from now on, as soon as there is what to serve with. */
  start(): void {
    this.#timer ??= setInterval(() => this.#look(), LOOK_AGAIN_MS);
    this.#look();
  }

  /** Whether requests are served by what the API server trusts. */
  get isReady(): boolean {
    return this.#server !== undefined && this.#isTrusted && !this.#isStopping;
  }

  /** Where it listens; undefined before it does. */
  get port(): number | undefined {
    return this.#server?.port;
  }

  /** Ends in order: whoever asks is sent elsewhere, and what is asked is answered. */
  async stop({ drainMs, graceMs }: { readonly drainMs: number; readonly graceMs: number }): Promise<void> {
    this.#isStopping = true;
    await this.#starting;
    this.#server?.drain();
    await delay(drainMs);
    clearInterval(this.#timer);
    await this.#server?.close(graceMs);
  }

  #offer(secret: KubeObject | undefined): void {
    // One that is gone takes nothing from what is served.
    if (secret === undefined) return;
    const pair = readPair(secret);
    if (typeof pair === 'string') {
      this.#options.log.error(
        { secret: secret.metadata.name, why: pair },
        'the certificate cannot be served',
      );
      return;
    }
    // The Secret also tells of what is served next: that is no other certificate yet.
    const isSame = pair.certificate === this.#offered?.certificate && pair.key === this.#offered.key;
    if (!isSame) this.#offered = pair;
    this.#look();
  }

  #look(): void {
    if (this.#timer === undefined) return;
    const now = clock.now();
    const bundles = this.#bundles();
    const pair = choosePair({ serving: this.#pair, offered: this.#offered, bundles, now });
    if (pair === undefined) return;
    if (pair !== this.#pair) this.#serve(pair);
    this.#isTrusted = isTrusted(pair.leaf, bundles, now);
    this.#options.metrics.certificateTrusted.set({}, this.#isTrusted ? 1 : 0);
  }

  #bundles(): readonly string[] {
    const { cache } = this.#options;
    const key = { name: WEBHOOKS_NAME };
    return [VALIDATING_CONFIGURATIONS, MUTATING_CONFIGURATIONS]
      .map((resource) => cache.get(resource, key))
      .flatMap((configuration) => (configuration === undefined ? [] : bundlesOf(configuration)));
  }

  #serve(pair: OfferedPair): void {
    const { log, metrics } = this.#options;
    this.#pair = pair;
    const { validToDate: expiresAt, serialNumber } = pair.leaf;
    metrics.certificateExpiry.set({}, expiresAt.getTime() / 1000);
    if (this.#server !== undefined) {
      this.#server.replacePair(pair);
      log.info({ expiresAt, serialNumber }, 'serving another certificate');
      return;
    }
    this.#starting ??= this.#begin();
  }

  async #begin(): Promise<void> {
    const { server, log } = this.#options;
    const pair = this.#pair;
    if (pair === undefined) return;
    this.#server = await WebhookServer.start({ ...server, pair });
    // Another one may have come while it began.
    if (this.#pair !== undefined && this.#pair !== pair) this.#server.replacePair(this.#pair);
    log.info({ serve: `${server.host}:${this.#server.port}`, expiresAt: pair.leaf.validToDate }, 'serving');
  }
}

// SPDX-License-Identifier: Apache-2.0
import { createPrivateKey, type X509Certificate } from 'node:crypto';
import { isValid, isVouchedFor, readBundle } from '#operator/core/certificates/bundle';
import type { KubeObject } from '#operator/core/object';
import type { ServedPair } from './server.ts';

/** A certificate that can be served, with what the Secret says vouches for it. */
export interface OfferedPair extends ServedPair {
  readonly leaf: X509Certificate;
}

/** What is known when it is to be decided what is served. */
export interface CertificateFacts {
  readonly serving: OfferedPair | undefined;
  readonly offered: OfferedPair | undefined;
  /** What each webhook of the configurations has the API server trust, in PEM. */
  readonly bundles: readonly string[];
  readonly now: Date;
}

/** The pair that a Secret of type kubernetes.io/tls holds; a sentence when it is none. */
export function readPair(secret: KubeObject): OfferedPair | string {
  const data = (secret['data'] ?? {}) as Readonly<Record<string, string | undefined>>;
  const [certificate, key] = [decode(data['tls.crt']), decode(data['tls.key'])];
  const [leaf] = readBundle(certificate);
  if (leaf === undefined) return 'tls.crt holds no certificate';
  try {
    return leaf.checkPrivateKey(createPrivateKey(key))
      ? { certificate, key, leaf }
      : 'tls.key is not the key of tls.crt';
  } catch {
    return 'tls.key holds no private key';
  }
}

/**
 * What is to be served: what the Secret offers as soon as the API server is told to trust it, and until then what is served
 * already, as long as that is valid. With nothing to go on with, what is offered is better than nothing.
 */
export function choosePair({ serving, offered, bundles, now }: CertificateFacts): OfferedPair | undefined {
  if (offered === undefined || serving === undefined) return offered ?? serving;
  if (isTrusted(offered.leaf, bundles, now)) return offered;
  return isValid(serving.leaf, now) && isTrusted(serving.leaf, bundles, now) ? serving : offered;
}

/** Whether every webhook has the API server trust `leaf`. Without any webhook nobody asks: then nothing is enforced. */
export function isTrusted(leaf: X509Certificate, bundles: readonly string[], now: Date): boolean {
  return (
    bundles.length > 0 &&
    isValid(leaf, now) &&
    bundles.every((bundle) => isVouchedFor(leaf, readBundle(bundle), now))
  );
}

/** What each webhook of a configuration has the API server trust, in PEM; empty where it says nothing. */
export function bundlesOf(configuration: KubeObject): readonly string[] {
  const webhooks = (configuration['webhooks'] ?? []) as readonly {
    readonly clientConfig?: { readonly caBundle?: string };
  }[];
  return webhooks.map(({ clientConfig }) => decode(clientConfig?.caBundle));
}

function decode(base64: string | undefined): string {
  return Buffer.from(base64 ?? '', 'base64').toString('utf8');
}

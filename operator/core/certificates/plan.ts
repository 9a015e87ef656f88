// SPDX-License-Identifier: Apache-2.0
import type { X509Certificate } from 'node:crypto';
import { ANNOTATIONS } from '#crds/v1alpha1/names';
import { toInstant } from '../conditions.ts';
import type { KubeObject, OwnerReference } from '../object.ts';
import { type Plan, type Result, statusOnly } from '../plan.ts';
import { isValid, isVouchedFor, readBundle, writeBundle } from './bundle.ts';

/** A certificate with its key and the authority that vouches for it, in PEM. */
export interface IssuedPair {
  readonly authority: string;
  readonly certificate: string;
  readonly key: string;
}

/** What certificates of webhooks are decided on. */
export interface CertificatesObserved {
  /** Both webhook configurations, as far as they are there; the first is whose plan this is. */
  readonly configurations: readonly KubeObject[];
  readonly secret: KubeObject | undefined;
  /** A new pair, where `dueRenewal` asked for one. */
  readonly fresh: IssuedPair | undefined;
}

/** What is chosen of them. */
export interface CertificateSettings {
  readonly namespace: string;
  readonly secretName: string;
  readonly validSeconds: number;
}

/** Part of its life that is left when a certificate is renewed. */
const RENEWED_BEFORE = 1 / 3;
/** How long every API server has had to learn what to trust, before it meets it: part of a life, and never more than a minute. */
const SETTLE = { share: 1 / 6, atMostMs: 60_000 };

/** What the Secret holds, as far as it can be used. */
interface Held {
  /** All that the API server is to trust. */
  readonly authorities: readonly X509Certificate[];
  readonly serving: Pair;
  /** What is to be served next. */
  readonly next: Pair | undefined;
  /** Since when every configuration trusts that. */
  readonly trustedAt: Date | undefined;
}

interface Pair {
  readonly leaf: X509Certificate;
  readonly certificate: string;
  readonly key: string;
}

/**
 * Whether a new pair is needed: `first` where nothing can be served, `next` where what is served ends some day, or does not answer to where
 * the API server looks for it.
 */
export function dueRenewal(
  { configurations, secret }: Pick<CertificatesObserved, 'configurations' | 'secret'>,
  settings: CertificateSettings,
  now: Date,
): 'first' | 'next' | undefined {
  const held = heldIn(secret, now);
  if (held === undefined) return 'first';
  const { leaf } = held.next ?? held.serving;
  const isDue = renewalMs(leaf, settings) <= now.getTime();
  const isElsewhere = !hostsOf(configurations).every((host) => answersTo(leaf, host));
  return isDue || isElsewhere ? 'next' : undefined;
}

/**
 * Brings what the API server trusts, and what is served, from one pair to the next so that at no moment something is served that is not
 * trusted: first both are trusted, then, when every API server has had the time to learn it, the other is served, and what is out of
 * date is trusted no more. Each step follows from what is there, so that it goes on wherever it was left.
 */
export function planCertificates(
  observed: CertificatesObserved,
  settings: CertificateSettings,
  now: Date,
): Plan<undefined> {
  const held = nextHeld(observed, settings, now);
  if (held === undefined) return { ...statusOnly(undefined), result: soon('for a certificate') };
  const owner = observed.configurations[0];
  const secret = owner === undefined ? [] : [desiredSecret(held, { observed, settings, owner })];
  const bundle = Buffer.from(writeBundle(held.authorities)).toString('base64');
  return {
    ...statusOnly(undefined),
    // What is trusted before what is served, whichever write fails.
    apply: [...secret, ...observed.configurations.map((one) => trusting(one, bundle))],
    result: comeAgain(held, settings, now),
  };
}

/** What the Secret is to hold from now on. */
function nextHeld(
  { configurations, secret, fresh }: CertificatesObserved,
  settings: CertificateSettings,
  now: Date,
): Held | undefined {
  const held = heldIn(secret, now);
  if (fresh !== undefined)
    return withFresh(held, fresh, held?.authorities ?? trustedNow(configurations, now));
  if (held?.next === undefined) return held;
  const { next } = held;
  const isTrusted = configurations.every((one) => trusts(one, next, now));
  if (!isTrusted) return { ...held, trustedAt: undefined };
  // It is written in whole seconds, and none may be lost.
  const trustedAt = held.trustedAt ?? new Date(Math.ceil(now.getTime() / 1000) * 1000);
  if (trustedAt.getTime() + settleMs(settings) > now.getTime()) return { ...held, trustedAt };
  return { authorities: held.authorities, serving: next, next: undefined, trustedAt: undefined };
}

function withFresh(
  held: Held | undefined,
  fresh: IssuedPair,
  trusted: readonly X509Certificate[],
): Held | undefined {
  const pair = pairOf(fresh.certificate, fresh.key);
  if (pair === undefined) return held;
  const authorities = [...trusted.slice(1 - MAX_AUTHORITIES), ...readBundle(fresh.authority)];
  return held === undefined
    ? { authorities, serving: pair, next: undefined, trustedAt: undefined }
    : { authorities, serving: held.serving, next: pair, trustedAt: undefined };
}

/** What every API server trusts already: where the Secret is lost, replicas still serve by it for a moment. */
function trustedNow(configurations: readonly KubeObject[], now: Date): readonly X509Certificate[] {
  const pems = configurations
    .flatMap(webhooksOf)
    .map(({ clientConfig }) => Buffer.from(clientConfig?.caBundle ?? '', 'base64').toString('utf8'));
  const found = pems.flatMap(readBundle).filter((one) => one.ca && isValid(one, now));
  return [...new Map(found.map((one) => [one.fingerprint256, one])).values()];
}

function heldIn(secret: KubeObject | undefined, now: Date): Held | undefined {
  const data = (secret?.['data'] ?? {}) as Readonly<Record<string, string | undefined>>;
  const text = (key: string) => Buffer.from(data[key] ?? '', 'base64').toString('utf8');
  const authorities = readBundle(text('ca.crt')).filter((one) => isValid(one, now));
  const usable = (pair: Pair | undefined) =>
    pair !== undefined && isVouchedFor(pair.leaf, authorities, now) && isValid(pair.leaf, now)
      ? pair
      : undefined;
  const serving = usable(pairOf(text('tls.crt'), text('tls.key')));
  const next = usable(pairOf(text('next.crt'), text('next.key')));
  if (serving === undefined) return undefined;
  const trustedAt = Date.parse(secret?.metadata.annotations?.[ANNOTATIONS.trustedAt] ?? '');
  return { authorities, serving, next, trustedAt: Number.isNaN(trustedAt) ? undefined : new Date(trustedAt) };
}

function pairOf(certificate: string, key: string): Pair | undefined {
  const [leaf] = readBundle(certificate);
  return leaf === undefined || key === '' ? undefined : { leaf, certificate, key };
}

function renewalMs({ validToDate }: X509Certificate, { validSeconds }: CertificateSettings): number {
  return validToDate.getTime() - validSeconds * 1000 * RENEWED_BEFORE;
}

function answersTo(leaf: X509Certificate, host: string): boolean {
  return (leaf.checkHost(host) ?? leaf.checkIP(host)) !== undefined;
}

/** Names and addresses by which the API server finds whom it asks, sorted. */
export function hostsOf(configurations: readonly KubeObject[]): readonly string[] {
  const hosts = configurations.flatMap(webhooksOf).map(({ clientConfig: { service, url } = {} }) => {
    if (service !== undefined) return `${service.name}.${service.namespace}.svc`;
    return url === undefined || !URL.canParse(url) ? '' : new URL(url).hostname.replace(/^\[|\]$/g, '');
  });
  return [...new Set(hosts.filter((host) => host !== ''))].toSorted();
}

interface Webhook {
  readonly name: string;
  readonly clientConfig?: {
    readonly caBundle?: string;
    readonly url?: string;
    readonly service?: { readonly name: string; readonly namespace: string };
  };
}

function webhooksOf(configuration: KubeObject): readonly Webhook[] {
  return (configuration['webhooks'] ?? []) as readonly Webhook[];
}

function trusts(configuration: KubeObject, { leaf }: Pair, now: Date): boolean {
  return webhooksOf(configuration).every(({ clientConfig }) =>
    isVouchedFor(leaf, readBundle(Buffer.from(clientConfig?.caBundle ?? '', 'base64').toString('utf8')), now),
  );
}

interface SecretFacts {
  readonly observed: CertificatesObserved;
  readonly settings: CertificateSettings;
  /** What it goes with. */
  readonly owner: KubeObject;
}

/** Written over the version that was decided on only. */
function desiredSecret(held: Held, { observed, settings, owner }: SecretFacts): KubeObject {
  const { namespace, secretName: name } = settings;
  const { serving, next, trustedAt, authorities } = held;
  const version = observed.secret?.metadata.resourceVersion;
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name,
      namespace,
      ...(version !== undefined && { resourceVersion: version }),
      ownerReferences: [ownerOf(owner)],
      ...(trustedAt !== undefined && { annotations: { [ANNOTATIONS.trustedAt]: toInstant(trustedAt) } }),
    },
    type: 'kubernetes.io/tls',
    data: {
      'ca.crt': base64(writeBundle(authorities)),
      'tls.crt': base64(serving.certificate),
      'tls.key': base64(serving.key),
      ...(next !== undefined && { 'next.crt': base64(next.certificate), 'next.key': base64(next.key) }),
    },
  };
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

function ownerOf({ apiVersion, kind, metadata }: KubeObject): OwnerReference {
  return { apiVersion, kind, name: metadata.name, uid: metadata.uid ?? '', controller: true };
}

/** Nothing of a configuration but what it trusts: the rest is the chart's. */
function trusting(configuration: KubeObject, caBundle: string): KubeObject {
  const { apiVersion, kind, metadata } = configuration;
  return {
    apiVersion,
    kind,
    metadata: { name: metadata.name },
    webhooks: webhooksOf(configuration).map(({ name }) => ({ name, clientConfig: { caBundle } })),
  };
}

function comeAgain(held: Held, settings: CertificateSettings, now: Date): Result {
  if (held.trustedAt !== undefined) {
    const afterMs = held.trustedAt.getTime() + settleMs(settings) - now.getTime();
    return { kind: 'requeueAfter', afterMs: Math.max(afterMs, 100), why: 'for every API server to trust it' };
  }
  const ends = held.authorities.map(({ validToDate }) => validToDate.getTime());
  const at = Math.min(renewalMs((held.next ?? held.serving).leaf, settings), ...ends);
  // Timers are no calendars: it is looked at once a day at least.
  const afterMs = Math.min(Math.max(at - now.getTime(), 100), DAY_MS);
  return { kind: 'requeueAfter', afterMs, why: 'to renew the certificate' };
}

const DAY_MS = 86_400_000;
/** That are trusted at one time; usually one, and two while a certificate is renewed. */
const MAX_AUTHORITIES = 8;

function settleMs({ validSeconds }: CertificateSettings): number {
  return Math.min(validSeconds * 1000 * SETTLE.share, SETTLE.atMostMs);
}

function soon(why: string): Result {
  return { kind: 'requeueAfter', afterMs: 1000, why };
}

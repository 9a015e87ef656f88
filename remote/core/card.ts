// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import type { RemoteAttempt } from '#crds/v1alpha1/remote-attempt';
import { type Failure, failure } from './failure.ts';
import { type Generation, generationOf, type ProtocolVersion } from './generation.ts';

/** Where an agent is spoken to, and how: the first that it knows. */
export interface Endpoint {
  readonly url: string;
  readonly generations: readonly [Generation, ...Generation[]];
}

const MAX_INTERFACES = 32;
const text = z.string().max(2048);

/** What is read of an agent card, of either generation. */
const card = z.object({
  supportedInterfaces: z
    .array(z.object({ url: text, protocolBinding: text, protocolVersion: text, tenant: text.optional() }))
    .max(MAX_INTERFACES)
    .optional(),
  url: text.optional(),
  protocolVersion: text.optional(),
  preferredTransport: text.optional(),
  additionalInterfaces: z
    .array(z.object({ url: text, transport: text }))
    .max(MAX_INTERFACES)
    .optional(),
});

interface Offer {
  readonly url: string;
  readonly binding: string;
  readonly version: ProtocolVersion | undefined;
  readonly tenant: string | undefined;
}

/** Where a card says that its agent is spoken to. */
export function endpointOf(attempt: RemoteAttempt, found: unknown): Endpoint | Failure {
  const { data } = card.safeParse(found);
  if (data === undefined) return failure('NotUnderstood', `${attempt.cardUrl}: it is no agent card`);
  const offers = offersOf(data).filter(({ binding }) => binding.toUpperCase() === 'JSONRPC');
  for (const version of attempt.protocolVersions) {
    const offer = offers.find((one) => one.version === version);
    if (offer !== undefined) return chosen(attempt, offer, version);
  }
  const wanted = attempt.protocolVersions.join(' or ');
  const seen = offersOf(data).map(({ binding, version = 'another version' }) => `${binding} ${version}`);
  const message = `${attempt.cardUrl}: the agent speaks ${seen.join(', ') || 'nothing'}; needed is A2A ${wanted} over JSONRPC`;
  return failure('NotUnderstood', message);
}

/** Where an agent without a card is spoken to. */
export function endpointWithoutCard({ url = '', protocolVersions }: RemoteAttempt): Endpoint {
  const [first = '1.0', ...others] = protocolVersions;
  return { url, generations: [generationOf(first), ...others.map((one) => generationOf(one))] };
}

/**
 * A card is found at the address that somebody has vouched for, and may name any other one. Credentials are for that host only; who means
 * another one says so.
 */
function chosen(
  { url, cardUrl = '' }: RemoteAttempt,
  offer: Offer,
  version: ProtocolVersion,
): Endpoint | Failure {
  const target = url ?? offer.url;
  const generations = [generationOf(version, offer.tenant)] as const;
  if (url !== undefined) return { url: target, generations };
  if (!URL.canParse(target) || new URL(target).origin !== new URL(cardUrl).origin) {
    const message = `${cardUrl}: the card names the address ${target}; allowed is one on the host of the card, as credentials are for that. If it is meant, write it as spec.remote.url`;
    return failure('NotUnderstood', message);
  }
  return { url: target, generations };
}

function offersOf(found: z.output<typeof card>): readonly Offer[] {
  const { supportedInterfaces = [], url, additionalInterfaces = [] } = found;
  const { preferredTransport = 'JSONRPC', protocolVersion = '0.3' } = found;
  const version = versionOf(protocolVersion);
  const main = url === undefined ? [] : [{ url, binding: preferredTransport, version, tenant: undefined }];
  return [
    ...supportedInterfaces.map((one) => ({
      url: one.url,
      binding: one.protocolBinding,
      version: versionOf(one.protocolVersion),
      tenant: one.tenant === '' ? undefined : one.tenant,
    })),
    ...main,
    ...additionalInterfaces.map((one) => ({
      url: one.url,
      binding: one.transport,
      version,
      tenant: undefined,
    })),
  ];
}

/** versionOf('0.3.0') -> '0.3' */
function versionOf(found: string): ProtocolVersion | undefined {
  if (/^1\.\d+(\.\d+)?$/.test(found)) return '1.0';
  return /^0\.3(\.\d+)?$/.test(found) ? '0.3' : undefined;
}

// SPDX-License-Identifier: Apache-2.0
import type { Weather } from './registry-front.ts';

/** What a registry does, and why nothing new is known then. */
export interface Outage {
  readonly weather: Weather;
  readonly reason: string;
  /** Of an image that is not signed it is not asked about: questions hang, and one is enough; or there is nothing to be spoilt. */
  readonly isOfSigned?: true;
}

/** Each is a row of the third table of docs/spec/v1alpha1/refused-images.md. */
export const OUTAGES: Readonly<Record<string, Outage>> = {
  'does not answer': { weather: 'down', reason: 'RegistryUnreachable' },
  'lets questions wait': { weather: 'silent', reason: 'RegistryUnreachable', isOfSigned: true },
  'begins to answer, and does not end': { weather: 'stuck', reason: 'RegistryUnreachable', isOfSigned: true },
  'asks to be asked later (429)': { weather: 'busy', reason: 'RegistryThrottled' },
  'is in trouble (503)': { weather: 'failing', reason: 'RegistryUnreachable' },
  'does not let NexusOS in (403)': { weather: 'closed', reason: 'RegistryRefused' },
  'is a page of somebody else (404, and not as registries say it)': {
    weather: 'parked',
    reason: 'RegistryUnreachable',
  },
  'gives other bytes than those of the digest': { weather: 'lying', reason: 'RegistryBroken' },
  'gives other bytes than those that were signed, or other signatures': {
    weather: 'forging',
    reason: 'RegistryBroken',
    isOfSigned: true,
  },
};

// SPDX-License-Identifier: Apache-2.0
import { generateKeyPairSync } from 'node:crypto';
import type { ExecutionContext } from 'ava';
import { parseAllDocuments, stringify } from 'yaml';
import { openDesk, type Ran } from './cli.ts';

/** A public key. */
export const PEM = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  .publicKey.export({ type: 'spki', format: 'pem' })
  .toString();
/** Parts of policies of the policy-controller: an authority by that key, a person, an authority by that person, images. */
export const KEY = { key: { data: PEM } };
export const PERSON = { issuer: 'https://issuer.example', subject: 'me@example.com' };
export const KEYLESS = { keyless: { url: 'https://fulcio.sigstore.dev', identities: [PERSON] } };
export const IMAGES = [{ glob: 'registry.example/team/**' }];

/** Fields of an object. */
export type Fields = Readonly<Record<string, unknown>>;

/** A document of the policy-controller, as somebody keeps it in a file. */
export function document(spec: Fields, kind = 'ClusterImagePolicy', version = 'v1beta1'): string {
  return stringify({
    apiVersion: `policy.sigstore.dev/${version}`,
    kind,
    metadata: { name: 'signed' },
    spec,
  });
}

/** A policy with these authorities. */
export function policy(authorities: readonly unknown[], more: Fields = {}): string {
  return document({ images: IMAGES, authorities, ...more });
}

/** What an import came to. */
export interface Imported {
  readonly ran: Ran;
  readonly objects: readonly { readonly kind: string; readonly spec: Fields }[];
}

/** Imports a text. */
export async function runImport(t: ExecutionContext, text: string, words = ''): Promise<Imported> {
  const desk = await openDesk(t);
  await desk.write({ 'in.yaml': text });
  const ran = await desk.nexusctl(`images import in.yaml${words === '' ? '' : ` ${words}`}`);
  const documents = ran.code === 0 ? parseAllDocuments(ran.out) : [];
  const objects = documents.map((one) => one.toJS() as Imported['objects'][number] | null);
  return { ran, objects: objects.filter((one) => one !== null) };
}

/** Bytes, as manifests have them. */
export function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

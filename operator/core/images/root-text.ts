// SPDX-License-Identifier: Apache-2.0
import type { TrustRootParts } from '#crds/v1alpha1/trust-root-parts';
import type { TrustRootSpec } from '#crds/v1alpha1/trust-root';
import { defined } from '../object.ts';

/** Says of a text that it is no `trusted_root.json`, but parts of one in PEM. Nobody else writes it. */
export const PARTS_TYPE = 'application/vnd.nexusos.trust-root-parts+json';

/** The lists of parts, in the order in which they are told. */
export const PART_LISTS = [
  'certificateAuthorities',
  'transparencyLogs',
  'certificateLogs',
  'timestampAuthorities',
] as const satisfies readonly (keyof TrustRootParts)[];

/** One part with its text; without `pem`, what it names is not there. */
export interface RootPart {
  /** Where its text is from. */
  readonly from: 'pem' | 'configMapRef';
  readonly pem?: string;
  /** How what is not there is called. */
  readonly missing?: string;
  readonly name?: string;
  readonly url?: string;
  readonly api?: 'V1' | 'V2';
  readonly validFrom?: string;
  readonly validUntil?: string;
}

/** Parts with their texts, as they are read. */
export type RootPartLists = Partial<Readonly<Record<(typeof PART_LISTS)[number], readonly RootPart[]>>>;

/** Finds the text at a key of a ConfigMap of the platform; undefined where there is none. */
export type FindText = (at: { readonly name: string; readonly key: string }) => string | undefined;

/**
 * The text that a TrustRoot stands for: a `trusted_root.json`, or its parts with all that they name. Undefined where
 * there is nothing to be read.
 */
export function rootText(
  { trustedRoot, configMapRef, parts }: TrustRootSpec,
  find: FindText,
): string | undefined {
  if (parts !== undefined) return JSON.stringify({ mediaType: PARTS_TYPE, ...withTexts(parts, find) });
  return configMapRef === undefined ? trustedRoot : find(configMapRef);
}

function withTexts(parts: TrustRootParts, find: FindText): RootPartLists {
  const lists = PART_LISTS.flatMap((list) => {
    const entries = parts[list] as readonly Entry[] | undefined;
    return entries === undefined ? [] : [[list, entries.map((one) => withText(one, find))] as const];
  });
  return Object.fromEntries(lists);
}

type Entry = Omit<RootPart, 'missing' | 'from'> & {
  readonly configMapRef?: { readonly name: string; readonly key: string };
};

function withText({ configMapRef, pem, ...rest }: Entry, find: FindText): RootPart {
  const text = configMapRef === undefined ? pem : find(configMapRef);
  const missing =
    text === undefined && configMapRef !== undefined
      ? `no key ${configMapRef.key} in a ConfigMap ${configMapRef.name}`
      : undefined;
  const from = configMapRef === undefined ? 'pem' : 'configMapRef';
  return { ...rest, from, ...defined({ pem: text, missing }) };
}

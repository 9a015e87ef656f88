// SPDX-License-Identifier: Apache-2.0
import { createHash, type KeyObject, X509Certificate } from 'node:crypto';
import { PART_LISTS, type RootPart, type RootPartLists } from '../core/images/root-text.ts';
import type { Document } from '../core/supply-chain/documents.ts';
import { quote } from '../core/supply-chain/judgement.ts';
import { isTrustedKey, readPublicKey } from './keys.ts';
import type { TrustRootProblem } from './trust-root.ts';

/** A `trusted_root.json`, made of parts in PEM. */
export type RootDocument = Readonly<Record<string, unknown>>;

type List = (typeof PART_LISTS)[number];

/** Which list of a `trusted_root.json` a list of parts becomes. */
const LIST_OF: Readonly<Record<List, string>> = {
  certificateAuthorities: 'certificateAuthorities',
  transparencyLogs: 'tlogs',
  certificateLogs: 'ctlogs',
  timestampAuthorities: 'timestampAuthorities',
};

const MAX_CERTIFICATES = 8;
const MAX_PARTS = 64;
const TIME_STAMPING = '1.3.6.1.5.5.7.3.8';

/** What is wrong with a part; thrown within this file alone, and told with the field that it is of. */
class PartProblem extends Error {
  readonly problem: Omit<TrustRootProblem, 'field'>;
  readonly at: string;

  constructor(at: string, problem: Omit<TrustRootProblem, 'field'>) {
    super(problem.found);
    this.at = at;
    this.problem = problem;
  }
}

/** Makes a `trusted_root.json` of parts; or says which part is none, what was found, and what would pass. */
export function rootOfParts(document: Document): RootDocument | TrustRootProblem {
  const lists = document as RootPartLists;
  const made: Record<string, readonly object[]> = {};
  for (const list of PART_LISTS) {
    const parts = lists[list] ?? [];
    if (parts.length > MAX_PARTS) {
      return { field: `parts.${list}`, found: `${parts.length} entries`, wanted: `at most ${MAX_PARTS}` };
    }
    const entries: object[] = [];
    for (const [index, part] of parts.entries()) {
      const entry = entryOrProblem(list, part);
      if (entry instanceof PartProblem) {
        return { field: `parts.${list}[${index}].${entry.at}`, ...entry.problem };
      }
      entries.push(entry);
    }
    made[LIST_OF[list]] = entries;
  }
  return { mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1', ...made };
}

/** Whether parts could be made a root of. */
export function isRootDocument(made: RootDocument | TrustRootProblem): made is RootDocument {
  return 'mediaType' in made;
}

function entryOrProblem(list: List, part: RootPart): object | PartProblem {
  try {
    return list === 'transparencyLogs' || list === 'certificateLogs'
      ? logOf(part)
      : authorityOf(part, list === 'timestampAuthorities');
  } catch (error) {
    if (error instanceof PartProblem) return error;
    throw error;
  }
}

function textOf({ from, pem, missing }: RootPart, wanted: string): string {
  if (pem !== undefined) return pem;
  throw new PartProblem(from, { found: missing ?? 'nothing', wanted, isMissing: true });
}

function authorityOf(part: RootPart, isForTime: boolean): object {
  const wanted = isForTime
    ? 'certificates in PEM: the one that signs timestamps, then those up to the root'
    : 'certificates in PEM: from the one that issues up to the root';
  const chain = chainOf(part, wanted);
  const problem = orderProblem(chain) ?? (isForTime ? timeProblem(chain) : issuerProblem(chain));
  if (problem !== undefined) throw new PartProblem(part.from, { found: problem, wanted });
  const name = part.name ?? chain.at(-1)?.subject.replaceAll('\n', ', ') ?? '';
  return {
    subject: { organization: '', commonName: name },
    certChain: { certificates: chain.map(({ raw }) => ({ rawBytes: raw.toString('base64') })) },
    validFor: validityOf(part, chain[0]?.validFromDate.toISOString()),
  };
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]*-----END CERTIFICATE-----/g;

function chainOf(part: RootPart, wanted: string): readonly X509Certificate[] {
  const text = textOf(part, wanted);
  const refused = (found: string) => new PartProblem(part.from, { found, wanted });
  const blocks = text.match(CERTIFICATE) ?? [];
  if (blocks.length === 0) throw refused(`no certificate${labelIn(text)}`);
  if (blocks.length > MAX_CERTIFICATES) {
    throw refused(`${blocks.length} certificates, more than ${MAX_CERTIFICATES}`);
  }
  return blocks.map((block, index) => {
    try {
      return new X509Certificate(block);
    } catch {
      throw refused(`certificate ${index + 1}, which cannot be read`);
    }
  });
}

/** What else somebody may have put there by mistake. */
function labelIn(text: string): string {
  const label = /-----BEGIN ([A-Z0-9 ]{1,40})-----/.exec(text)?.[1];
  return label === undefined ? '' : `, but a ${label}`;
}

function orderProblem(chain: readonly X509Certificate[]): string | undefined {
  for (const [index, one] of chain.entries()) {
    const issuer = chain[index + 1] ?? one;
    if (one.checkIssued(issuer) && one.verify(issuer.publicKey)) continue;
    return issuer === one
      ? `no root at the end: certificate ${index + 1} was not issued by itself`
      : `certificate ${index + 1}, which was not issued by certificate ${index + 2}`;
  }
  return undefined;
}

function issuerProblem(chain: readonly X509Certificate[]): string | undefined {
  const index = chain.findIndex(({ ca }) => !ca);
  return index === -1 ? undefined : `certificate ${index + 1}, which may not issue others`;
}

function timeProblem(chain: readonly X509Certificate[]): string | undefined {
  const [signer, ...issuers] = chain;
  if (signer?.keyUsage?.includes(TIME_STAMPING) !== true) {
    return 'certificate 1, which is not for timestamps';
  }
  return issuerProblem(issuers) === undefined ? undefined : 'an issuer which may not issue others';
}

function validityOf({ validFrom, validUntil }: RootPart, beginning: string | undefined): object {
  const start = validFrom ?? beginning;
  if (validUntil !== undefined && start !== undefined && Date.parse(validUntil) <= Date.parse(start)) {
    throw new PartProblem('validUntil', { found: validUntil, wanted: `a time after ${start}` });
  }
  return { ...(start !== undefined && { start }), ...(validUntil !== undefined && { end: validUntil }) };
}

function logOf(part: RootPart): object {
  const wanted = 'a public key in PEM: ECDSA P-256, P-384 or P-521, RSA of 2048 to 8192 bits, or Ed25519';
  const read = readPublicKey(textOf(part, wanted));
  if (!isTrustedKey(read)) throw new PartProblem(part.from, { found: read.found, wanted });
  if (part.validFrom === undefined) {
    throw new PartProblem('validFrom', { found: 'nothing', wanted: 'since when the log is trusted' });
  }
  const { key } = read;
  const isRsa = key.asymmetricKeyType === 'rsa' || key.asymmetricKeyType === 'rsa-pss';
  // The library reads RSA keys of logs in their older form.
  const rawBytes = key.export({ type: isRsa ? 'pkcs1' : 'spki', format: 'der' }).toString('base64');
  return {
    baseUrl: baseUrlOf(part),
    hashAlgorithm: 'SHA2_256',
    publicKey: { rawBytes, keyDetails: detailsOf(key), validFor: validityOf(part, undefined) },
    logId: { keyId: logIdOf(part, key).toString('base64') },
  };
}

function baseUrlOf({ url = '' }: RootPart): string {
  if (URL.canParse(url)) return url;
  throw new PartProblem('url', { found: quote(url), wanted: 'an address, such as https://rekor.example' });
}

const CURVES: Readonly<Record<string, string>> = {
  prime256v1: 'PKIX_ECDSA_P256_SHA_256',
  secp384r1: 'PKIX_ECDSA_P384_SHA_384',
  secp521r1: 'PKIX_ECDSA_P521_SHA_512',
};

function detailsOf({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): string {
  if (asymmetricKeyType === 'ed25519') return 'PKIX_ED25519';
  return CURVES[asymmetricKeyDetails?.namedCurve ?? ''] ?? 'PKIX_RSA_PKCS1V15_2048_SHA256';
}

const ED25519_NOTE = 1;
const RAW_ED25519_BYTES = 32;

/** The id of a log: the hash of its key. A log of tiles with an Ed25519 key is known by the hash of its name and key, as signed notes are. */
function logIdOf({ api, url = '' }: RootPart, key: KeyObject): Buffer {
  const der = key.export({ type: 'spki', format: 'der' });
  if (api !== 'V2' || key.asymmetricKeyType !== 'ed25519') return hash(der);
  const origin = url.replace(/^[a-z][a-z0-9+.-]*:\/\//, '').replace(/\/+$/, '');
  return hash(
    Buffer.concat([Buffer.from(`${origin}\n`), Buffer.of(ED25519_NOTE), der.subarray(-RAW_ED25519_BYTES)]),
  );
}

function hash(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}

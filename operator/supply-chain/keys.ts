// SPDX-License-Identifier: Apache-2.0
import { createHash, createPublicKey, constants, type KeyObject, verify } from 'node:crypto';
import { ed25519ph } from '@noble/curves/ed25519.js';

/** A public key that a policy trusts. */
export interface TrustedKey {
  /** SHA-256 of its DER form, in hex: what revocation lists name. */
  readonly fingerprint: string;
  /** The same in base64, as bundles hint at the key. */
  readonly hint: string;
  readonly key: KeyObject;
}

/** A key that is not taken: what was found, and what would be. */
export interface KeyProblem {
  readonly found: string;
  readonly wanted: string;
}

const WANTED = 'a PEM public key: ECDSA P-256, P-384 or P-521, RSA of 2048 to 8192 bits, or Ed25519';
const MAX_PEM = 16_384;
const MIN_RSA_BITS = 2048;
const MAX_RSA_BITS = 8192;

/** Hashes that signers use with a curve, the one of the newer form first; and the length of a coordinate. */
const CURVES: Readonly<Record<string, { readonly hashes: readonly string[]; readonly bytes: number }>> = {
  prime256v1: { hashes: ['sha256'], bytes: 32 },
  secp384r1: { hashes: ['sha384', 'sha256'], bytes: 48 },
  secp521r1: { hashes: ['sha512', 'sha256'], bytes: 66 },
};

const RSA_HASHES = ['sha256', 'sha384', 'sha512'] as const;

/** Reads a PEM public key; says what was found where it is none that is taken. */
export function readPublicKey(pem: string): TrustedKey | KeyProblem {
  const label = /-----BEGIN ([A-Z0-9 ]{1,40})-----/.exec(pem.slice(0, MAX_PEM))?.[1];
  if (pem.length > MAX_PEM) return { found: `${pem.length} characters`, wanted: WANTED };
  if (label === undefined) return { found: 'no PEM block', wanted: WANTED };
  if (label !== 'PUBLIC KEY' && label !== 'RSA PUBLIC KEY') return { found: label, wanted: WANTED };
  try {
    const key = createPublicKey(pem);
    const problem = kindProblem(key);
    return problem === undefined ? trustedKey(key) : { found: problem, wanted: WANTED };
  } catch {
    return { found: `a ${label} that cannot be read`, wanted: WANTED };
  }
}

/** Whether a key was read. */
export function isTrustedKey(read: TrustedKey | KeyProblem): read is TrustedKey {
  return 'fingerprint' in read;
}

/** A key as policies know it. */
export function trustedKey(key: KeyObject): TrustedKey {
  const digest = createHash('sha256').update(spki(key)).digest();
  return { fingerprint: digest.toString('hex'), hint: digest.toString('base64'), key };
}

function spki(key: KeyObject): Buffer {
  return key.export({ type: 'spki', format: 'der' });
}

/** What is wrong with the kind of a key; undefined where nothing is. */
function kindProblem(key: KeyObject): string | undefined {
  switch (key.asymmetricKeyType) {
    case 'ed25519':
      return undefined;
    case 'ec':
      return curveProblem(key.asymmetricKeyDetails?.namedCurve ?? 'unknown');
    case 'rsa':
    case 'rsa-pss':
      return bitsProblem(key.asymmetricKeyDetails?.modulusLength ?? 0);
    default:
      return `a key of type ${key.asymmetricKeyType}`;
  }
}

function curveProblem(curve: string): string | undefined {
  return Object.hasOwn(CURVES, curve) ? undefined : `an ECDSA key on ${curve}`;
}

function bitsProblem(bits: number): string | undefined {
  return bits >= MIN_RSA_BITS && bits <= MAX_RSA_BITS ? undefined : `an RSA key of ${bits} bits`;
}

/** In how many forms a signature is held against a key at most: each hashes the content again. */
export function formsOf(key: KeyObject): number {
  switch (key.asymmetricKeyType) {
    case 'ec':
      return 2 * (CURVES[key.asymmetricKeyDetails?.namedCurve ?? '']?.hashes.length ?? 1);
    case 'ed25519':
      return 2;
    default:
      return 2 * RSA_HASHES.length;
  }
}

/** Whether `signature` is one by `key` over `data`, in any of the forms that signers write. Never throws. */
export function isSignedBy(key: KeyObject, data: Buffer, signature: Buffer): boolean {
  if (kindProblem(key) !== undefined) return false;
  try {
    if (key.asymmetricKeyType === 'ec') return isEcdsa(key, data, signature);
    if (key.asymmetricKeyType === 'ed25519') return isEdwards(key, data, signature);
    return isRsa(key, data, signature);
  } catch {
    return false;
  }
}

function isEcdsa(key: KeyObject, data: Buffer, signature: Buffer): boolean {
  const curve = CURVES[key.asymmetricKeyDetails?.namedCurve ?? ''];
  if (curve === undefined) return false;
  // Some signers write both numbers side by side, without DER.
  const isRaw = signature.length === 2 * curve.bytes;
  const encodings = isRaw ? (['ieee-p1363', 'der'] as const) : (['der'] as const);
  return curve.hashes.some((hash) =>
    encodings.some((dsaEncoding) => verify(hash, data, { key, dsaEncoding }, signature)),
  );
}

function isRsa(key: KeyObject, data: Buffer, signature: Buffer): boolean {
  const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_AUTO };
  const paddings = key.asymmetricKeyType === 'rsa-pss' ? [pss] : [{}, pss];
  return RSA_HASHES.some((hash) =>
    paddings.some((padding) => isSignedWith(hash, { data, signature }, { key, ...padding })),
  );
}

/** A key that is bound to another hash throws: that is a no like others. */
function isSignedWith(
  hash: string,
  what: { readonly data: Buffer; readonly signature: Buffer },
  key: { readonly key: KeyObject },
): boolean {
  try {
    return verify(hash, what.data, key, what.signature);
  } catch {
    return false;
  }
}

/** Node has no Ed25519ph, which is what bundles of Ed25519 keys are signed with. */
function isEdwards(key: KeyObject, data: Buffer, signature: Buffer): boolean {
  if (signature.length !== 64) return false;
  if (verify(null, data, key, signature)) return true;
  // The raw point is the end of its DER form.
  return ed25519ph.verify(signature, data, spki(key).subarray(-32), { zip215: false });
}

// SPDX-License-Identifier: Apache-2.0
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { type Builtins, ofTexts } from './builtin.ts';

const HASHES = ['md5', 'sha1', 'sha256'] as const;
const HMACS = ['md5', 'sha1', 'sha256', 'sha512'] as const;

/** Digests of texts, in hexadecimal. */
export const HASH_BUILTINS: Builtins = {
  ...Object.fromEntries(
    HASHES.map((name) => [`crypto.${name}`, ofTexts((text) => createHash(name).update(text).digest('hex'))]),
  ),
  ...Object.fromEntries(
    HMACS.map((name) => [
      `crypto.hmac.${name}`,
      ofTexts((text, key) => createHmac(name, key).update(text).digest('hex')),
    ]),
  ),
  'crypto.hmac.equal': ofTexts((a, b) => {
    const [one, other] = [Buffer.from(a), Buffer.from(b)];
    return one.length === other.length && timingSafeEqual(one, other);
  }),
};

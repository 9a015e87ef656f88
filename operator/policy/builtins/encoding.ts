// SPDX-License-Identifier: Apache-2.0
import { compareValues, RegoObject, type Value } from '../values/value.ts';
import { readValue } from '../values/read.ts';
import { type Builtins, ofTexts, textsOf } from './builtin.ts';

/** Texts within texts: hexadecimal digits, queries of addresses, tokens. */
export const ENCODING_BUILTINS: Builtins = {
  'hex.encode': ofTexts((text) => Buffer.from(text).toString('hex')),
  'hex.decode': ofTexts((text) =>
    /^(?:[0-9a-f]{2})*$/i.test(text) ? Buffer.from(text, 'hex').toString() : undefined,
  ),
  'base64url.encode_no_pad': ofTexts((text) => Buffer.from(text).toString('base64url')),
  'urlquery.encode': ofTexts(encodeQuery),
  'urlquery.decode': ofTexts(decodeQuery),
  'urlquery.encode_object': ([object]) => (object instanceof RegoObject ? encodeObject(object) : undefined),
  'urlquery.decode_object': ofTexts(decodeObject),
  'io.jwt.decode': ofTexts((token) => decodeToken(token, 0)),
};

function encodeQuery(text: string): string {
  return Array.from(new TextEncoder().encode(text), encodeByte).join('');
}

/** All but letters, digits and `-_.~` is written as its number; a space as a plus. */
function encodeByte(byte: number): string {
  const character = String.fromCharCode(byte);
  if (/[A-Za-z0-9_.~-]/.test(character)) return character;
  return character === ' ' ? '+' : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
}

/** Undefined where a percent sign is without its two digits. */
function decodeQuery(text: string): string | undefined {
  if (/%(?![0-9a-f]{2})/i.test(text)) return undefined;
  const bytes = Buffer.from(text.replaceAll('+', ' '));
  const decoded: number[] = [];
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at] ?? 0;
    if (byte !== 0x25) decoded.push(byte);
    else {
      decoded.push(Number.parseInt(bytes.toString('latin1', at + 1, at + 3), 16));
      at += 2;
    }
  }
  return Buffer.from(decoded).toString();
}

function encodeObject(object: RegoObject): string | undefined {
  const pairs: string[] = [];
  for (const [key, value] of object.entries.toSorted(([a], [b]) => compareValues(a, b))) {
    const values = typeof value === 'string' ? [value] : textsOf(value);
    if (values === undefined || typeof key !== 'string') return undefined;
    pairs.push(...values.map((one) => `${encodeQuery(key)}=${encodeQuery(one)}`));
  }
  return pairs.join('&');
}

function decodeObject(query: string): Value | undefined {
  const found = new Map<string, string[]>();
  for (const pair of query.split('&').filter((one) => one !== '')) {
    if (pair.includes(';')) return undefined;
    const equals = pair.indexOf('=');
    const key = decodeQuery(equals === -1 ? pair : pair.slice(0, equals));
    const value = decodeQuery(equals === -1 ? '' : pair.slice(equals + 1));
    if (key === undefined || value === undefined) return undefined;
    found.set(key, [...(found.get(key) ?? []), value]);
  }
  return new RegoObject([...found]);
}

/** A token may have another in it. */
const MAX_TOKEN_DEPTH = 16;

/** Header, payload and signature of a token, of which nothing is checked. */
function decodeToken(token: string, depth: number): Value | undefined {
  const [header, payload, signature, ...more] = token.split('.').map(decodeBase64Url);
  if (header === undefined || payload === undefined || signature === undefined || more.length > 0)
    return undefined;
  const head = parseObject(header);
  if (head === undefined) return undefined;
  if (head.get('cty') === 'JWT') {
    return depth < MAX_TOKEN_DEPTH ? decodeToken(trimQuotes(payload.toString()), depth + 1) : undefined;
  }
  const body = parseObject(payload);
  return body === undefined ? undefined : [head, body, signature.toString('hex')];
}

function trimQuotes(text: string): string {
  return text.replace(/^["']+|["']+$/g, '');
}

function decodeBase64Url(text: string): Buffer | undefined {
  return /^[A-Za-z0-9_-]*={0,2}$/.test(text) ? Buffer.from(text, 'base64url') : undefined;
}

function parseObject(bytes: Buffer): RegoObject | undefined {
  try {
    const text = bytes.toString();
    JSON.parse(text);
    const value = readValue(text);
    return value instanceof RegoObject ? value : undefined;
  } catch {
    return undefined;
  }
}

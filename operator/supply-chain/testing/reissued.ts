// SPDX-License-Identifier: Apache-2.0
import { type KeyObject, sign } from 'node:crypto';
import { X509Certificate } from '@sigstore/core';
import type { SignedItem } from '../signed-item.ts';

/** Extended key usages, as they are encoded: to sign code, and to be a server. */
const CODE_SIGNING = Buffer.from('06082b06010505070303', 'hex');
const SERVER = Buffer.from('06082b06010505070301', 'hex');

/** An item by a certificate of the same holder and the same authority, whose key is `authority`: one for servers. */
export function forServers(item: SignedItem, authority: KeyObject): SignedItem {
  if (item.signer.kind !== 'certificate') throw new Error('signed by a key');
  const { content, algorithm } = partsOf(item.signer.der);
  const at = content.indexOf(CODE_SIGNING);
  if (at === -1) throw new Error('not for signing code');
  const changed = Buffer.from(content);
  SERVER.copy(changed, at);
  const signature = Buffer.concat([Buffer.of(0), sign('sha384', changed, authority)]);
  const der = tagged(0x30, Buffer.concat([changed, algorithm, tagged(0x03, signature)]));
  return { ...item, signer: { kind: 'certificate', der, leaf: X509Certificate.parse(der) } };
}

/** What a certificate says, and by what algorithm that is signed: the first two parts of three. */
function partsOf(der: Buffer): { readonly content: Buffer; readonly algorithm: Buffer } {
  const content = elementAt(der, der.length - elementAt(der, 0).inside).bytes;
  return { content, algorithm: elementAt(der, der.length - elementAt(der, 0).inside + content.length).bytes };
}

/** An element of DER with its header; how much of it is inside. */
function elementAt(der: Buffer, at: number): { readonly bytes: Buffer; readonly inside: number } {
  const first = der.readUInt8(at + 1);
  const more = first < 0x80 ? 0 : first & 0x7f;
  const inside = more === 0 ? first : der.readUIntBE(at + 2, more);
  return { bytes: der.subarray(at, at + 2 + more + inside), inside };
}

function tagged(tag: number, inside: Buffer): Buffer<ArrayBuffer> {
  const { length } = inside;
  const header = length < 0x80 ? Buffer.of(tag, length) : Buffer.of(tag, 0x82, length >> 8, length & 0xff);
  return Buffer.concat([header, inside]);
}

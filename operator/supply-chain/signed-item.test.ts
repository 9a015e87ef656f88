// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { readClassicAttestation } from './classic.ts';
import { readBundle, type SignedItem } from './signed-item.ts';

const ARTIFACT = Buffer.from('{"schemaVersion":2}');
const TYPE = 'application/vnd.in-toto+json';
const SIGNATURE = Buffer.from('a signature').toString('base64');
const MESSAGE = {
  messageDigest: { algorithm: 'SHA2_256', digest: Buffer.alloc(32, 1).toString('base64') },
  signature: SIGNATURE,
};

function envelope(payload: unknown, count = 1): object {
  const signatures = Array.from({ length: count }, () => ({ sig: SIGNATURE }));
  return { payloadType: TYPE, payload, signatures };
}

function bundle(content: object) {
  const verificationMaterial = { publicKey: { hint: 'x' }, tlogEntries: [] };
  const mediaType = 'application/vnd.dev.sigstore.bundle.v0.3+json';
  return readBundle(Buffer.from(JSON.stringify({ mediaType, verificationMaterial, ...content })), ARTIFACT);
}

function classic(content: object) {
  return readClassicAttestation(Buffer.from(JSON.stringify(content)), {});
}

const FORMS: Readonly<Record<string, (content: object) => ReturnType<typeof readBundle>>> = {
  'a bundle': (content) => bundle({ dsseEnvelope: content }),
  'an envelope': classic,
};

function itemsOf(read: ReturnType<typeof readBundle>): readonly SignedItem[] {
  if (read.kind !== 'verified') throw new Error(JSON.stringify(read));
  return read.value;
}

for (const [name, read] of Object.entries(FORMS)) {
  test(`${name}: what is signed is the payload, with its type and lengths before it`, (t) => {
    const payload = Buffer.from('{"a":"é"}');
    for (const count of [1, 3]) {
      const items = itemsOf(read(envelope(payload.toString('base64'), count)));
      t.is(items.length, count);
      for (const item of items) {
        t.true(payload.equals(item.payload));
        const head = Buffer.from(`DSSEv1 ${TYPE.length} ${TYPE} ${payload.length} `);
        t.true(Buffer.concat([head, payload]).equals(item.signedBytes));
        t.is(item.signature.toString(), 'a signature');
      }
    }
  });

  test.serial(`${name}: a large payload is copied byte by byte by nobody`, (t) => {
    const payload = Buffer.alloc(4 << 20, 'x');
    const content = envelope(payload.toString('base64'));
    const lengths: number[] = [];
    const original = Uint8Array.from.bind(Uint8Array) as (
      source: ArrayLike<number>,
    ) => Uint8Array<ArrayBuffer>;
    const counting = (source: ArrayLike<number>) => {
      lengths.push(source.length);
      return original(source);
    };
    Uint8Array.from = counting as typeof Uint8Array.from;
    try {
      t.true(payload.equals(itemsOf(read(content))[0]?.payload ?? Buffer.alloc(0)));
    } finally {
      Uint8Array.from = original as typeof Uint8Array.from;
    }
    t.true(lengths.length > 0, 'the library is asked');
    t.true(Math.max(...lengths) < 1000, `${Math.max(...lengths)} bytes`);
  });

  for (const odd of [7, ['AA=='], { a: 1 }, true]) {
    test(`${name}: a payload that is no text is refused: ${JSON.stringify(odd)}`, (t) => {
      t.like(read(envelope(odd)), { kind: 'refused', reason: 'Malformed' });
    });
  }
}

test('a bundle without a payload is refused', (t) => {
  for (const payload of ['', null, undefined]) {
    t.like(bundle({ dsseEnvelope: envelope(payload) }), { kind: 'refused', reason: 'Malformed' });
  }
});

test('a bare signature is over the artifact, whatever envelope is beside it', (t) => {
  const beside = envelope(Buffer.from('something else').toString('base64'));
  for (const content of [
    { messageSignature: MESSAGE },
    { messageSignature: MESSAGE, dsseEnvelope: beside },
  ]) {
    const [item] = itemsOf(bundle(content));
    t.is(item?.form, 'message');
    t.true(ARTIFACT.equals(item?.signedBytes ?? Buffer.alloc(0)));
    t.true(ARTIFACT.equals(item?.payload ?? Buffer.alloc(0)));
  }
});

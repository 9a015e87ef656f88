// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import * as fc from 'fast-check';
import { asDocument, LARGE, readDocument } from '../core/supply-chain/documents.ts';
import { payloadApart, readSignedDocument } from './payload-apart.ts';

const LONG = 'QUJD'.repeat(1 << 15);

/** What an envelope comes to: the payload, and all else of it. */
function read(text: string): unknown {
  const signed = readSignedDocument(Buffer.from(text), 'the envelope', LARGE);
  if (signed.kind !== 'verified') return signed;
  const { document, apart } = signed.value;
  return told(document, (envelope) => payloadApart(envelope, apart));
}

/** The same, where all of it is parsed at once. */
function plain(text: string): unknown {
  const document = readDocument(Buffer.from(text), 'the envelope', LARGE);
  return document.kind === 'verified'
    ? told(document.value, (envelope) => payloadApart(envelope, undefined))
    : document;
}

function told(
  document: object,
  apart: (envelope: Record<string, unknown>) => { rest: object; payload: Buffer },
): unknown {
  const outer = document as Record<string, unknown>;
  const inner = asDocument(outer['dsseEnvelope']);
  try {
    const { rest, payload } = apart(inner ?? outer);
    return {
      rest: inner === undefined ? rest : { ...outer, dsseEnvelope: rest },
      payload: payload.toString('hex'),
    };
  } catch (error) {
    return String(error);
  }
}

/** Whether the payload was left where it is. */
function isApart(text: string): boolean {
  const signed = readSignedDocument(Buffer.from(text), 'the envelope', LARGE);
  return signed.kind === 'verified' && signed.value.apart !== undefined;
}

const bundle = (payload: unknown, more: object = {}) =>
  JSON.stringify({
    mediaType: 'm',
    ...more,
    dsseEnvelope: { payloadType: 't', payload, signatures: [{ sig: 'AA==' }] },
  });

const apart: Readonly<Record<string, string>> = {
  'of a bundle': bundle(LONG),
  'of an envelope': JSON.stringify({ payload: LONG, signatures: [{ sig: 'AA==' }] }),
  'with one letter of padding': bundle(`${LONG}QUI=`),
  'with two letters of padding': bundle(`${LONG}QQ==`),
  'in letters for addresses': bundle(`${LONG}-_-_`),
  'beside texts that are escaped': bundle(LONG, { note: 'a\n"b"\\' }),
};

for (const [title, text] of Object.entries(apart)) {
  test(`a long payload is left where it is, and the same as if it were parsed: ${title}`, (t) => {
    t.true(isApart(text));
    t.deepEqual(read(text), plain(text));
  });
}

const whole: Readonly<Record<string, string>> = {
  'a short payload': bundle('QUJD'),
  'no payload': bundle(undefined),
  'with spaces': bundle(`${LONG} ${LONG}`),
  'with something escaped': bundle(`${LONG}AA`).replace(`${LONG}AA`, `${LONG}\\u0041A`),
  'with a line that ends': bundle(LONG).replace(LONG, `${LONG}\n${LONG}`),
  'with letters of others': bundle(`${LONG}éé`),
  'with padding in it': bundle(`QQ==${LONG}`),
  'with three letters of padding': bundle(`${LONG}Q===`),
  'without its padding': bundle(`${LONG}QQ`),
  'with one letter too many': bundle(`${LONG}Q`),
  'a long text that is no payload': bundle('QUJD', { other: LONG }),
  'a long name': JSON.stringify({ [LONG]: 1, payload: 'QUJD' }),
  'a long text first, with the payload behind it': bundle(LONG, { other: LONG }),
  'two of them, the first long': `{"payload":"${LONG}","payload":"QUJD"}`,
  'one that an escaped quote is in': `{"payload":"\\"${LONG}"}`,
  'a text that goes on behind it': `{"payload":"x"${LONG}"y"}`,
  'a long text that nobody ends': `{"payload":"${LONG}`,
  'letters that stand for themselves': `{"a":"b" ${LONG} ,"payload":""}`,
};

for (const [title, text] of Object.entries(whole)) {
  test(`what is not as clear is parsed as it is: ${title}`, (t) => {
    t.false(isApart(text));
    t.deepEqual(read(text), plain(text));
  });
}

test('two payloads, of which the last counts', (t) => {
  const text = `{"payload":"QUJD","payload":"${LONG}"}`;
  t.deepEqual(read(text), plain(text));
});

test('a document that is cut, or spoilt in any place, is read as if all of it were parsed', (t) => {
  const text = bundle(LONG, { note: 'a\n"b"' });
  const bytes = Buffer.from(text);
  const edges = [0, text.indexOf(LONG), text.indexOf(LONG) + LONG.length, text.length];
  const near = fc
    .tuple(fc.constantFrom(...edges), fc.integer({ min: -40, max: 40 }))
    .map(([edge, by]) => edge + by);
  const places = fc.oneof(near, fc.nat(text.length)).filter((place) => place >= 0 && place < text.length);
  const letters = fc.constantFrom(...'"\\ =A-{}[]:,\n\u007f'.split(''));
  fc.assert(
    fc.property(places, letters, fc.boolean(), (place, letter, isCut) => {
      const spoilt = Buffer.from(isCut ? bytes.subarray(0, place) : bytes);
      if (!isCut) spoilt.write(letter, place, 'latin1');
      t.deepEqual(read(spoilt.toString('latin1')), plain(spoilt.toString('latin1')));
    }),
    { numRuns: 300 },
  );
});

test.serial('of a large payload nothing is parsed', (t) => {
  const text = bundle(LONG.repeat(16));
  const lengths: number[] = [];
  const parse = JSON.parse.bind(JSON);
  JSON.parse = (json: string) => {
    lengths.push(json.length);
    return parse(json) as unknown;
  };
  try {
    t.true(isApart(text));
  } finally {
    JSON.parse = parse;
  }
  t.deepEqual(lengths, [bundle('').length + 36]);
});

test('what is too large or too deep is told before anything is read', (t) => {
  const deep = `{"a":${'['.repeat(70)}${']'.repeat(70)},"payload":"${LONG}"}`;
  t.like(read(deep), { kind: 'refused', reason: 'TooLarge' });
  t.like(readSignedDocument(Buffer.from(bundle(LONG)), 'the bundle', { maxBytes: 100, maxDepth: 3 }), {
    kind: 'refused',
    reason: 'TooLarge',
  });
});

// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import * as fc from 'fast-check';
import { processorMs } from '#hack/tools/processor-time';
import { looksLikeXml, readableXml, XML_LIMITS, type XmlExtent, xmlExtentOf } from './xml-extent.ts';

const cases: Readonly<Record<string, Omit<XmlExtent, 'declares'>>> = {
  '<a/>': { values: 1, depth: 1 },
  '<a b="1"><c/></a>': { values: 3, depth: 2 },
  '<a><b/><b/><b><c/></b></a>': { values: 5, depth: 3 },
  '<a b="<>/=" c=\'"\'/>': { values: 3, depth: 1 },
  '<a><!-- <b><c><d> --></a>': { values: 2, depth: 1 },
  '<a><![CDATA[<b><c><d>]]></a>': { values: 2, depth: 1 },
  '<?xml version="1.0"?><a/>': { values: 2, depth: 1 },
  '<a>x > y = z</a>': { values: 1, depth: 1 },
  '<a><a><a>': { values: 3, depth: 3 },
  '</a></a><b>': { values: 1, depth: 0 },
  '<a b="no end': { values: 2, depth: 1 },
  '<!-- no end <a>': { values: 1, depth: 0 },
  'no markup': { values: 0, depth: 0 },
  '': { values: 0, depth: 0 },
};

for (const [text, want] of Object.entries(cases)) {
  test(`counted without being read: ${text}`, (t) => {
    t.deepEqual(xmlExtentOf(text), { ...want, declares: false });
  });
}

for (const text of ['<!DOCTYPE a><a/>', '<a><!ENTITY b "c"></a>', '<!doctype a>', ' <?xml?><!DOCTYPE']) {
  test(`a declaration is seen: ${text}`, (t) => t.true(xmlExtentOf(text).declares));
}

interface Node {
  readonly attributes: readonly string[];
  readonly inside: readonly (Node | string)[];
}

const node = fc.letrec<{ node: Node }>((tie) => ({
  node: fc.record({
    attributes: fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'x:d'), { maxLength: 3 }),
    inside: fc.array(
      fc.oneof(
        { depthSize: 'small', maxDepth: 6 },
        fc.constantFrom('', 'text', '=">', '<!-- <a b="1"> -->', '<![CDATA[</a><b>]]>', '<?go <b> ?>'),
        tie('node'),
      ),
      { maxLength: 4 },
    ),
  }),
})).node;

const VALUES = ['', '<', '"', "it's", '/>', '=', '>'];

function written(one: Node | string): string {
  if (typeof one === 'string') return one;
  const attributes = one.attributes.map((name, index) => {
    const value = VALUES[(index + one.inside.length) % VALUES.length] ?? '';
    return value.includes('"') ? ` ${name}='${value}'` : ` ${name} = "${value}"`;
  });
  return one.inside.length === 0
    ? `<e${attributes.join('')} />`
    : `<e${attributes.join('')}>${one.inside.map(written).join('')}</e >`;
}

function countOf(one: Node | string): { readonly values: number; readonly depth: number } {
  if (typeof one === 'string') return { values: one.startsWith('<') ? 1 : 0, depth: 0 };
  const parts = one.inside.map(countOf);
  return {
    values: 1 + one.attributes.length + parts.reduce((sum, { values }) => sum + values, 0),
    depth: 1 + Math.max(0, ...parts.map(({ depth }) => depth)),
  };
}

test('whatever is written as XML, just as much of it is counted', (t) => {
  fc.assert(
    fc.property(node, (one) => {
      t.deepEqual(xmlExtentOf(written(one)), { ...countOf(one), declares: false }, written(one));
    }),
    { numRuns: 1000 },
  );
});

test('counting takes time by the number of letters, whatever they are', (t) => {
  const parts = [
    '<',
    '<a',
    '<a b="',
    '<!--',
    '<![CDATA[',
    '<?',
    '</',
    '=',
    '"',
    '<a>',
    '<a b="c"/>',
    "<a b='\"'>",
  ];
  for (const part of parts) {
    const text = part.repeat((4 << 20) / part.length);
    const tookMs = processorMs(() => xmlExtentOf(text));
    t.true(tookMs < 2000, `${part}: ${tookMs} ms`);
  }
});

const LIMITS = { maxLength: 200, maxDepth: 3, maxValues: 5 };

const refused: Readonly<
  Record<string, { readonly xml: string; readonly reason: string; readonly says: RegExp }>
> = {
  'too long': {
    xml: `<a>${'x'.repeat(200)}</a>`,
    reason: 'TooLarge',
    says: /the text has 207 letters; 200 are allowed/,
  },
  'too deep': { xml: '<a><a><a><a/></a></a></a>', reason: 'TooLarge', says: /nested deeper than 3/ },
  'too many elements': {
    xml: `<a>${'<b/>'.repeat(5)}</a>`,
    reason: 'TooLarge',
    says: /has 6 values; 5 are allowed/,
  },
  'too many attributes': { xml: '<a b="" c="" d="" e="" f=""/>', reason: 'TooLarge', says: /has 6 values/ },
  'a document type': {
    xml: '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
    reason: 'Malformed',
    says: /<!DOCTYPE/,
  },
  'another encoding': {
    xml: '<?xml version="1.0" encoding="UTF-16"?><a/>',
    reason: 'Malformed',
    says: /says that it is in UTF-16; wanted is UTF-8/,
  },
  'another encoding, after a mark': {
    xml: '\uFEFF<?xml version="1.0" encoding = \'latin1\' ?><a/>',
    reason: 'Malformed',
    says: /is in latin1/,
  },
};

for (const [title, { xml, reason, says }] of Object.entries(refused)) {
  test(`not given to a parser: ${title}`, (t) => {
    const read = readableXml(xml, 'the text', LIMITS);
    if (read.kind === 'verified') throw new Error('it was given');
    t.is<string, string>(read.reason, reason);
    t.regex(read.message, says);
  });
}

test('given to a parser: UTF-8, said or not', (t) => {
  for (const xml of [
    '<a/>',
    '\uFEFF<a/>',
    '<?xml version="1.0" encoding="utf-8"?><a/>',
    "<?xml version='1.0'?><a/>",
  ])
    t.is(readableXml(xml, 'the text').kind, 'verified', xml);
  t.true(XML_LIMITS.maxValues >= 500_000);
});

test('XML is told by how it begins', (t) => {
  for (const text of ['<a/>', '\uFEFF<?xml?>', '\n <a>']) t.true(looksLikeXml(text), text);
  for (const text of ['', '{"a":"<"}', 'SPDXVersion: SPDX-2.3', '\uFFFD\uFFFD<\0a\0'])
    t.false(looksLikeXml(text), text);
});

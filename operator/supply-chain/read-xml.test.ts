// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import * as fc from 'fast-check';
import { cycloneDx, cycloneDxXml } from '#hack/sigstore/predicates';
import type { Document } from '../core/supply-chain/documents.ts';
import type { Sbom } from '../core/supply-chain/bill.ts';
import { readSbom } from '../core/supply-chain/sbom.ts';
import { readVex } from '../core/supply-chain/vex.ts';
import { readCycloneDxXml } from './read-xml.ts';
import { schemaProblem } from './sbom-schema.ts';
import { type BomOf, jsonOf, type PartOf, xmlOf } from './testing/xml-of-bom.ts';

const IMAGE = `sha256:${'1'.repeat(64)}`;
const VERSIONS = ['1.4', '1.5', '1.6', '1.7'] as const;

async function documentOf(xml: string): Promise<Document> {
  const read = await readCycloneDxXml(xml);
  if (read.kind !== 'verified') throw new Error(`${read.reason}: ${read.message}`);
  return read.value;
}

/** All that policies are told of it, whichever form it came in. */
function factsOf(document: Document): { readonly sbom: Sbom; readonly said: unknown } {
  const read = readSbom(document);
  if (read.kind !== 'verified') throw new Error(read.message);
  const said = readVex(document, IMAGE);
  if (said.kind !== 'verified') throw new Error(said.message);
  return { sbom: read.value, said: said.value };
}

const rich = (specVersion: string): BomOf => ({
  specVersion,
  components: [
    {
      ref: 'a&"b"',
      name: 'left <pad>',
      purl: 'pkg:npm/%40scope/left@1.0.0?arch=amd64&os=linux',
      licences: [{ id: 'MIT' }, { name: 'Ours & theirs' }],
      parts: [
        {
          ref: 'inner',
          name: 'inner',
          purl: 'pkg:npm/inner@2',
          licences: [{ expression: 'MIT OR Apache-2.0' }],
        },
        { ref: 'bare', name: 'bare', licences: [] },
      ],
    },
    { ref: 'ünïcode-名', name: '名前 😀', purl: 'pkg:pypi/name@3', licences: [{ id: 'GPL-3.0-only' }] },
  ],
  vulnerabilities: [
    {
      id: 'CVE-2026-0001',
      state: 'not_affected',
      affects: ['inner'],
      ...(specVersion !== '1.4' && { lastUpdated: '2026-02-01T00:00:00Z' }),
    },
    { id: 'CVE-2026-0002', state: 'exploitable', affects: ['inner'] },
    { id: 'CVE-2026-0003', state: 'false_positive', affects: ['a&"b"', 'nobody'] },
    { id: 'CVE-2026-0004', state: 'resolved', affects: [] },
  ],
});

for (const version of VERSIONS) {
  test(`the same bill of materials says the same in JSON and in XML: CycloneDX ${version}`, async (t) => {
    const json = jsonOf(rich(version)) as Document;
    t.is(schemaProblem(json), undefined);
    const facts = factsOf(await documentOf(xmlOf(rich(version))));
    t.deepEqual(facts, factsOf(json));
    t.is(facts.sbom.components.length, 4);
    t.is(facts.sbom.format, `CycloneDX ${version}`);
    const made = { place: 0, saidAtMs: Date.parse('2026-01-01T00:00:00Z') };
    // Before 1.5 an analysis has no time of its own.
    const updated = version === '1.4' ? made : { place: 0, saidAtMs: Date.parse('2026-02-01T00:00:00Z') };
    t.deepEqual(facts.said, [
      { vulnerability: 'CVE-2026-0001', purls: ['pkg:npm/inner@2'], excludes: true, ...updated },
      { vulnerability: 'CVE-2026-0002', purls: ['pkg:npm/inner@2'], excludes: false, ...made },
      {
        vulnerability: 'CVE-2026-0003',
        purls: ['pkg:npm/%40scope/left@1.0.0?arch=amd64&os=linux'],
        excludes: true,
        ...made,
      },
      { vulnerability: 'CVE-2026-0004', purls: [], excludes: true, ...made },
    ]);
    t.deepEqual(
      factsOf(await documentOf(cycloneDxXml('MIT', version))),
      factsOf(cycloneDx('MIT', version) as Document),
    );
  });
}

test('what is taken back is known by the ids that it refers to, in XML as well', async (t) => {
  const xml = `<?xml version="1.0"?>
<bom xmlns="http://cyclonedx.org/schema/bom/1.6" version="1">
  <vulnerabilities><vulnerability>
    <references>
      <reference><id>CVE-2026-0007</id><source><name>x</name></source></reference>
      <reference><id>GHSA-7</id><source><name>x</name></source></reference>
    </references>
    <analysis><state>exploitable</state></analysis>
  </vulnerability></vulnerabilities>
</bom>`;
  const { said } = factsOf(await documentOf(xml));
  t.deepEqual(said, [
    { vulnerability: 'CVE-2026-0007', purls: [], excludes: false, place: 0 },
    { vulnerability: 'GHSA-7', purls: [], excludes: false, place: 0 },
  ]);
});

const text = fc.string({
  unit: fc.constantFrom('a', 'B', '7', '&', '<', '>', '"', "'", ']]>', 'é', '名', '😀'),
  minLength: 1,
  maxLength: 6,
});
const licence = fc.oneof(
  fc.constantFrom({ id: 'MIT' }, { id: 'GPL-2.0-only' }),
  text.map((name) => ({ name })),
);
const part = fc.letrec<{ part: PartOf }>((tie) => ({
  part: fc.record({
    ref: fc.uuid(),
    name: text,
    purl: fc.option(fc.constantFrom('pkg:npm/a@1', 'pkg:npm/b@2?x=1&y=2'), { nil: undefined }),
    // By the schema, an expression is there by itself.
    licences: fc.oneof(
      fc.array(licence, { maxLength: 2 }),
      fc.constant([{ expression: 'MIT AND (ISC OR 0BSD)' }]),
    ),
    parts: fc.oneof({ maxDepth: 2 }, fc.constant([]), fc.array(tie('part'), { minLength: 1, maxLength: 2 })),
  }) as fc.Arbitrary<PartOf>,
})).part;

test('whatever is in a bill of materials, it says the same in both forms', async (t) => {
  t.timeout(240_000);
  const bom = fc.record({
    specVersion: fc.constantFrom(...VERSIONS),
    components: fc.uniqueArray(part, { minLength: 1, maxLength: 3, selector: ({ ref }) => ref }),
    vulnerabilities: fc.uniqueArray(
      fc.record({
        id: fc.constantFrom('CVE-1', 'CVE-2'),
        state: fc.constantFrom('not_affected', 'exploitable', 'resolved'),
        affects: fc.uniqueArray(fc.constantFrom('app', 'x', `pkg:oci/app@${IMAGE}`), { maxLength: 2 }),
      }),
      { maxLength: 2, selector: ({ id }) => id },
    ),
  });
  await fc.assert(
    fc.asyncProperty(bom, async (one) => {
      t.deepEqual(factsOf(await documentOf(xmlOf(one))), factsOf(jsonOf(one) as Document), xmlOf(one));
    }),
    { numRuns: 25 },
  );
});

test('details of an expression, which 1.7 has as an attribute in XML', async (t) => {
  const xml = cycloneDxXml('MIT', '1.7').replace(
    '<license><id>MIT</id></license>',
    '<expression-detailed expression="MIT OR ISC"><details license-identifier="MIT"><url>https://x.example</url></details></expression-detailed>',
  );
  const { sbom } = factsOf(await documentOf(xml));
  t.deepEqual(
    sbom.components
      .map(({ name, licences }) => [name, ...licences].join(' '))
      .toSorted((one, other) => one.localeCompare(other)),
    ['left Apache-2.0', 'right MIT OR ISC'],
  );
});

/** The inside of a bill of materials in 1.6. */
const bom = (inside: string, attributes = ''): string =>
  `<bom xmlns="http://cyclonedx.org/schema/bom/1.6" version="1" ${attributes}>${inside}</bom>`;
const components = (inside: string, attributes = ''): string =>
  bom(`<components>${inside}</components>`, attributes);
const component = (inside: string, attributes = ''): string =>
  `<component type="library" ${attributes}>${inside}</component>`;
const XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"';

interface Unread {
  readonly xml: string | (() => string);
  readonly reason: string;
  readonly says: RegExp;
}

const unread: Readonly<Record<string, Unread>> = {
  'a licence that is none': {
    xml: cycloneDxXml('Free-For-All'),
    reason: 'SbomInvalid',
    says: /no CycloneDX 1\.6: line \d+: Element 'id': \[facet 'enumeration'\] The value 'Free-For-All' is none of those that are allowed$/,
  },
  'no name': {
    xml: components(component('')),
    reason: 'SbomInvalid',
    says: /Element 'component': Missing child/,
  },
  'an element of nobody': {
    xml: components(component('<name>a</name><licence>MIT</licence>')),
    reason: 'SbomInvalid',
    says: /Element 'licence': This element is not expected/,
  },
  'a licence beside the list': {
    xml: components(component('<name>a</name><license><id>MIT</id></license>')),
    reason: 'SbomInvalid',
    says: /Element 'license': This element is not expected/,
  },
  'a component beside the list': {
    xml: bom(component('<name>a</name>')),
    reason: 'SbomInvalid',
    says: /Element 'component': This element is not expected/,
  },
  'a field of a later version': {
    xml: cycloneDxXml('MIT', '1.4').replace('<purl>', '<cryptoProperties/><purl>'),
    reason: 'SbomInvalid',
    says: /is no CycloneDX 1\.4: .*cryptoProperties/,
  },
  'one reference twice': {
    xml: components(component('<name>a</name>', 'bom-ref="x"') + component('<name>b</name>', 'bom-ref="x"')),
    reason: 'SbomInvalid',
    says: /Duplicate key-sequence \['x'\]/,
  },
  'a type that is none': {
    xml: components(
      component('<name>a</name>', `xsi:type="xs:string" ${XSI} xmlns:xs="http://www.w3.org/2001/XMLSchema"`),
    ),
    reason: 'SbomInvalid',
    says: /component/,
  },
  'another namespace': {
    xml: '<bom xmlns="http://cyclonedx.org/schema/bom/1.6/"/>',
    reason: 'Unsupported',
    says: /<bom xmlns="http:\/\/cyclonedx\.org\/schema\/bom\/1\.6\/">"; of XML, bom of/,
  },
  'a namespace that looks alike': {
    xml: '<bom xmlns="http://cyclonedx.org/schema/bom/1.\u{1d7e8}"/>',
    reason: 'Malformed',
    says: /bom\/1\.\\u\{d835\}\\u\{dfe8\}' is not a valid URI/,
  },
  'no namespace': { xml: '<bom/>', reason: 'Unsupported', says: /<bom xmlns="">/ },
  'a version before': {
    xml: cycloneDxXml('MIT', '1.3'),
    reason: 'Unsupported',
    says: /bom\/1\.4 to 1\.7 is read/,
  },
  'a part of one': {
    xml: '<components xmlns="http://cyclonedx.org/schema/bom/1.6"/>',
    reason: 'Unsupported',
    says: /<components /,
  },
  'something else': {
    xml: '<html xmlns="http://www.w3.org/1999/xhtml"/>',
    reason: 'Unsupported',
    says: /<html /,
  },
  'no end': { xml: '<bom>', reason: 'Malformed', says: /is no XML: line 1: / },
  'two roots': { xml: `${bom('')}${bom('')}`, reason: 'Malformed', says: /is no XML: line 1: Extra content/ },
  'words of terminals': {
    xml: '<a>\u{1b}[31m</a>',
    reason: 'Malformed',
    says: /is no XML: line 1: [\x20-\x7e]+$/,
  },
  'a billion laughs': {
    xml: `<!DOCTYPE bom [<!ENTITY a "${'x'.repeat(1000)}"><!ENTITY b "${'&a;'.repeat(1000)}"><!ENTITY c "${'&b;'.repeat(1000)}">]>${components(component('<name>&c;</name>'))}`,
    reason: 'Malformed',
    says: /has a declaration \(<!DOCTYPE\)/,
  },
  'a file of the machine': {
    xml: `<?xml version="1.0"?><!DOCTYPE bom [<!ENTITY a SYSTEM "file:///etc/passwd">]>${components(component('<name>&a;</name>'))}`,
    reason: 'Malformed',
    says: /<!DOCTYPE/,
  },
  'an entity that nobody declares': {
    xml: components(component('<name>&a;</name>')),
    reason: 'Malformed',
    says: /Entity 'a' not defined/,
  },
  'nested deeply': {
    xml: bom('<components><component type="library"><name>a</name>'.repeat(40)),
    reason: 'TooLarge',
    says: /nested deeper than 64/,
  },
  'a million attributes': {
    xml: () =>
      components(
        component('<name>a</name>', Array.from({ length: 1_000_000 }, (_, one) => `a${one}=""`).join(' ')),
      ),
    reason: 'TooLarge',
    says: /has 10000\d\d values; 500000 are allowed/,
  },
  'a million elements': {
    xml: () => bom('<a/>'.repeat(1_000_000)),
    reason: 'TooLarge',
    says: /has 1000003 values/,
  },
  'a text that is longer than is read': {
    xml: () => components(component(`<name>${'x'.repeat(11 << 20)}</name>`)),
    reason: 'TooLarge',
    says: /more than is read in XML: line 1: Resource limit exceeded/,
  },
  'longer than may be': {
    xml: () => bom(' '.repeat(17 << 20)),
    reason: 'TooLarge',
    says: /letters; 16777216 are allowed in XML/,
  },
  'UTF-16, as it says': {
    xml: cycloneDxXml().replace('UTF-8', 'UTF-16'),
    reason: 'Malformed',
    says: /says that it is in UTF-16; wanted is UTF-8/,
  },
  'letters of UTF-16': { xml: '<\0b\0o\0m\0/\0>\0', reason: 'Malformed', says: /is no XML/ },
  'an encoding in which markup is hidden': {
    xml: '<?xml version="1.0" encoding="UTF-7"?>+ADwAIQ-DOCTYPE bom+AD4-<bom/>',
    reason: 'Malformed',
    says: /is in UTF-7/,
  },
};

for (const [title, { xml, reason, says }] of Object.entries(unread)) {
  test(`not taken for a bill of materials: ${title}`, async (t) => {
    const read = await readCycloneDxXml(typeof xml === 'string' ? xml : xml());
    if (read.kind === 'verified') throw new Error(JSON.stringify(read.value).slice(0, 300));
    t.is<string, string>(read.reason, reason, read.message);
    t.regex(read.message, says);
    t.true(read.message.length < 500, String(read.message.length));
  });
}

test('nothing is read but what is in the document: schemas that it names are not looked for', async (t) => {
  const named =
    'xsi:schemaLocation="http://cyclonedx.org/schema/bom/1.6 /dev/stdin urn:x file:///etc/passwd"';
  const xml = components(component('<name>a</name>'), `${XSI} ${named}`);
  t.is(factsOf(await documentOf(xml)).sbom.components.length, 1);
  const included = `<x:include xmlns:x="http://www.w3.org/2001/XInclude" href="file:///etc/passwd" parse="text"/>`;
  const { sbom } = factsOf(await documentOf(components(component(`<name>a</name>${included}`))));
  t.deepEqual(sbom.components, [{ name: 'a', purl: '', licences: [] }]);
});

test('a document that spoils what read it spoils nothing for the next', async (t) => {
  const bad = components(
    component('<name>a</name><licenses><license><id>Nope</id></license></licenses>').repeat(5000),
  );
  const reads = await Promise.all(
    [bad, cycloneDxXml(), '<bom', cycloneDxXml('ISC'), bad].map(readCycloneDxXml),
  );
  t.deepEqual(
    reads.map(({ kind }) => kind),
    ['refused', 'verified', 'refused', 'verified', 'refused'],
  );
});

// SPDX-License-Identifier: Apache-2.0

/** What is in a bill of materials, by what either form calls it. */
export interface BomOf {
  readonly specVersion: string;
  readonly components: readonly PartOf[];
  readonly vulnerabilities: readonly {
    readonly id: string;
    readonly state: string;
    readonly affects: readonly string[];
    readonly lastUpdated?: string;
  }[];
}

/** A component of it. */
export interface PartOf {
  readonly ref: string;
  readonly name: string;
  readonly purl?: string;
  readonly licences: readonly (
    | { readonly id: string }
    | { readonly name: string }
    | { readonly expression: string }
  )[];
  readonly parts?: readonly PartOf[];
}

/** When all of them were made. */
const MADE = '2026-01-01T00:00:00Z';

/** Written in JSON. */
export function jsonOf({ specVersion, components, vulnerabilities }: BomOf): object {
  const part = ({ ref, name, purl, licences, parts }: PartOf): object => ({
    type: 'library',
    'bom-ref': ref,
    name,
    version: '1.0',
    hashes: [{ alg: 'SHA-256', content: 'a'.repeat(64) }],
    licenses: licences.map((one) => ('expression' in one ? one : { license: one })),
    ...(purl !== undefined && { purl }),
    ...(parts !== undefined && { components: parts.map(part) }),
  });
  return {
    bomFormat: 'CycloneDX',
    specVersion,
    version: 1,
    metadata: { timestamp: MADE, component: { type: 'container', name: 'app', 'bom-ref': 'app' } },
    components: components.map(part),
    vulnerabilities: vulnerabilities.map(({ id, state, affects, lastUpdated }) => ({
      id,
      ratings: [{ score: 9.8, severity: 'critical', method: 'CVSSv31' }],
      analysis: {
        state,
        justification: 'code_not_reachable',
        ...(lastUpdated !== undefined && { lastUpdated }),
      },
      affects: affects.map((ref) => ({ ref })),
    })),
  };
}

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

function list(name: string, items: readonly string[]): string {
  return items.length === 0 ? '' : `<c:${name}>\n${items.join('\n')}</c:${name}>`;
}

/** Written in XML, with all that does not matter: prefixes, comments, line breaks, and what is of others. */
export function xmlOf({ specVersion, components, vulnerabilities }: BomOf): string {
  const part = ({ ref, name, purl, licences, parts }: PartOf): string => `<!-- ${escaped(ref)} -->
<c:component type="library" bom-ref="${escaped(ref)}" o:name="other">
  <c:name>${escaped(name)}</c:name><c:version><![CDATA[1.0]]></c:version>
  <c:hashes><c:hash alg="SHA-256">${'a'.repeat(64)}</c:hash></c:hashes>
  ${list('licenses', licences.map(licenceOf))}
  ${purl === undefined ? '' : `<c:purl>\n    ${escaped(purl)}\n  </c:purl>`}
  ${list('components', (parts ?? []).map(part))}
  <o:purl>pkg:npm/other@1</o:purl>
</c:component>`;
  const found = vulnerabilities.map(
    ({ id, state, affects, lastUpdated }) => `<c:vulnerability>
  <c:id>${escaped(id)}</c:id>
  <c:ratings><c:rating><c:score>9.8</c:score><c:severity>critical</c:severity><c:method>CVSSv31</c:method></c:rating></c:ratings>
  <c:analysis><c:state>${state}</c:state><c:justification>code_not_reachable</c:justification>
  ${lastUpdated === undefined ? '' : `<c:lastUpdated>${lastUpdated}</c:lastUpdated>`}</c:analysis>
  ${list(
    'affects',
    affects.map((ref) => `<c:target><c:ref>${escaped(ref)}</c:ref></c:target>`),
  )}
</c:vulnerability>`,
  );
  return `<?xml version="1.0" encoding="UTF-8"?>
<c:bom xmlns:c="http://cyclonedx.org/schema/bom/${specVersion}" xmlns:o="urn:other" version="1">
<c:metadata><c:timestamp>${MADE}</c:timestamp><c:component type="container" bom-ref="app"><c:name>app</c:name></c:component></c:metadata>
<c:components>${components.map(part).join('')}</c:components>
${list('vulnerabilities', found)}
<o:components><c:component type="library"><c:name>none</c:name></c:component></o:components>
</c:bom>`;
}

function licenceOf(one: PartOf['licences'][number]): string {
  if ('expression' in one) return `<c:expression>${escaped(one.expression)}</c:expression>`;
  const what = 'id' in one ? `<c:id>${one.id}</c:id>` : `<c:name>${escaped(one.name)}</c:name>`;
  return `<c:license>${what}</c:license>`;
}

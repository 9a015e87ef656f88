// SPDX-License-Identifier: Apache-2.0
import { asCycloneDxJson, cycloneDxVersion } from '../core/supply-chain/cyclonedx-xml.ts';
import type { Document } from '../core/supply-chain/documents.ts';
import { type Judgement, quote, refuse, type Refused } from '../core/supply-chain/judgement.ts';
import { readableXml } from '../core/supply-chain/xml-extent.ts';
import { type XmlFault, XmlSandbox } from './xml-sandbox.ts';

const WHAT = 'the bill of materials';

/** Schemas, by the version that they are of. */
const SCHEMAS: ReadonlyMap<string, string> = new Map(
  ['1.4', '1.5', '1.6', '1.7'].map((version) => [version, `bom-${version}.SNAPSHOT.xsd`]),
);

/** Reads a bill of materials in XML, CycloneDX 1.4 to 1.7, held against its schema: as the same would be in JSON. */
export async function readCycloneDxXml(xml: string): Promise<Judgement<Document>> {
  const readable = readableXml(xml, WHAT);
  if (readable.kind !== 'verified') return readable;
  const sandbox = await XmlSandbox.create();
  const fault = sandbox.parse(xml);
  if (fault !== undefined) return unreadXml(fault);
  const { element, namespace } = sandbox.root();
  const version = cycloneDxVersion(namespace) ?? '';
  const schema = SCHEMAS.get(version);
  if (schema === undefined || element.name !== 'bom') return otherXml(element.name, namespace);
  const misfit = sandbox.validate(schema);
  if (misfit?.isLimit === true) return unreadXml(misfit);
  if (misfit !== undefined)
    return refuse('SbomInvalid', `${WHAT} is no CycloneDX ${version}: ${wordsOf(misfit)}`);
  return { kind: 'verified', value: asCycloneDxJson(element, version) };
}

function unreadXml(fault: XmlFault): Refused {
  return fault.isLimit
    ? refuse('TooLarge', `${WHAT} is more than is read in XML: ${wordsOf(fault)}`)
    : refuse('Malformed', `${WHAT} is no XML: ${wordsOf(fault)}`);
}

function otherXml(name: string, namespace: string): Refused {
  const found = `<${name} xmlns=${JSON.stringify(namespace)}>`;
  return refuse(
    'Unsupported',
    `${WHAT} is ${quote(found)}; of XML, bom of http://cyclonedx.org/schema/bom/1.4 to 1.7 is read`,
  );
}

/** Without the namespaces of names, and without the hundreds of values that were allowed. */
function wordsOf({ line, message }: XmlFault): string {
  const short = message
    .replaceAll(/\{http[^}\s]{0,200}\}/g, '')
    .replace(/ is not an element of the set \{[^]*$/, ' is none of those that are allowed')
    .trim();
  return `line ${line}: ${quote(short).slice(1, -1)}`;
}

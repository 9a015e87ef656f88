// SPDX-License-Identifier: Apache-2.0
import type { Document } from './documents.ts';

/** An element of a text in XML, of which what is asked for is read, and nothing else. */
export interface XmlElement {
  /** Without a prefix. */
  readonly name: string;
  /** The value of an attribute that has no namespace; undefined where there is none. */
  readonly attribute: (name: string) => string | undefined;
  /** All text that is directly in it, as it was written. */
  readonly text: () => string;
  /** Elements that are directly in it and of its own namespace: what others put beside them says nothing here. */
  readonly children: () => readonly XmlElement[];
}

const NAMESPACE = 'http://cyclonedx.org/schema/bom/';

/** The version of CycloneDX that a namespace is of; undefined of any other namespace. */
export function cycloneDxVersion(namespace: string): string | undefined {
  return namespace.startsWith(NAMESPACE) ? namespace.slice(NAMESPACE.length) : undefined;
}

/** Whether a text in XML says at its beginning that it is a bill of materials in CycloneDX. */
export function saysCycloneDx(xml: string): boolean {
  return xml.slice(0, 4096).includes(NAMESPACE);
}

/**
 * What is read of a bill of materials, as it is in JSON: components with their licences, and what was found out about vulnerabilities. That all is as
 * the schema says is for others.
 */
export function asCycloneDxJson(bom: XmlElement, specVersion: string): Document {
  const metadata = child(bom, 'metadata');
  return {
    bomFormat: 'CycloneDX',
    specVersion,
    ...(metadata !== undefined && { metadata: metadataOf(metadata) }),
    ...componentsOf(bom),
    vulnerabilities: listed(bom, 'vulnerabilities', 'vulnerability').map(vulnerabilityOf),
  };
}

function metadataOf(metadata: XmlElement): Document {
  const main = child(metadata, 'component');
  return present({
    timestamp: trimmed(child(metadata, 'timestamp')),
    component: main === undefined ? undefined : componentOf(main),
  });
}

function child(element: XmlElement | undefined, name: string): XmlElement | undefined {
  return element?.children().find((one) => one.name === name);
}

function listed(element: XmlElement | undefined, list: string, item: string): readonly XmlElement[] {
  return (child(element, list)?.children() ?? []).filter((one) => one.name === item);
}

/** Each field that is there. */
function present(fields: Readonly<Record<string, unknown>>): Document {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function componentsOf(element: XmlElement): { readonly components?: readonly Document[] } {
  const components = listed(element, 'components', 'component').map(componentOf);
  return components.length === 0 ? {} : { components };
}

function componentOf(component: XmlElement): Document {
  const licences = child(component, 'licenses')?.children();
  return present({
    type: component.attribute('type'),
    'bom-ref': component.attribute('bom-ref'),
    name: onOneLine(child(component, 'name')),
    version: onOneLine(child(component, 'version')),
    purl: trimmed(child(component, 'purl')),
    licenses: licences?.map(licenceOf),
    ...componentsOf(component),
  });
}

/** Expressions with details have the expression as an attribute. */
function licenceOf(choice: XmlElement): Document {
  switch (choice.name) {
    case 'license':
      return {
        license: present({
          id: child(choice, 'id')?.text(),
          name: onOneLine(child(choice, 'name')),
        }),
      };
    case 'expression':
      return { expression: onOneLine(choice) };
    default:
      return present({ expression: choice.attribute('expression') });
  }
}

function vulnerabilityOf(vulnerability: XmlElement): Document {
  const affects = listed(vulnerability, 'affects', 'target');
  const references = listed(vulnerability, 'references', 'reference');
  return present({
    id: onOneLine(child(vulnerability, 'id')),
    references: references.length === 0 ? undefined : references.map(referenceOf),
    analysis: analysisOf(child(vulnerability, 'analysis')),
    affects: affects.length === 0 ? undefined : affects.map((one) => ({ ref: child(one, 'ref')?.text() })),
  });
}

function referenceOf(reference: XmlElement): Document {
  return present({ id: onOneLine(child(reference, 'id')) });
}

function analysisOf(analysis: XmlElement | undefined): Document | undefined {
  if (analysis === undefined) return undefined;
  return present({
    state: child(analysis, 'state')?.text(),
    firstIssued: trimmed(child(analysis, 'firstIssued')),
    lastUpdated: trimmed(child(analysis, 'lastUpdated')),
  });
}

/** By the schema, line breaks in it are spaces. */
function onOneLine(element: XmlElement | undefined): string | undefined {
  return element?.text().replaceAll(/[\t\n\r]/g, ' ');
}

/** By the schema, spaces around it are none of it. */
function trimmed(element: XmlElement | undefined): string | undefined {
  return element?.text().trim();
}

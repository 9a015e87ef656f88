// SPDX-License-Identifier: Apache-2.0
import { type KeyObject, sign } from 'node:crypto';

const PAYLOAD_TYPE = 'application/vnd.in-toto+json';

/** What is stated of an image. */
export interface Stated {
  /** Its digest, with `sha256:`. */
  readonly image: string;
  readonly predicateType: string;
  readonly predicate: unknown;
}

/** A statement in an envelope that a key has signed, as `cosign attest --key` attaches it. */
export function attestedBy(key: KeyObject, { image, predicateType, predicate }: Stated): Buffer {
  const statement = {
    _type: 'https://in-toto.io/Statement/v1',
    predicateType,
    subject: [{ digest: { sha256: image.replace('sha256:', '') } }],
    predicate,
  };
  const payload = Buffer.from(JSON.stringify(statement));
  // What DSSE has signed: lengths in bytes before each part.
  const head = Buffer.from(`DSSEv1 ${PAYLOAD_TYPE.length} ${PAYLOAD_TYPE} ${payload.length} `);
  const sig = sign('sha256', Buffer.concat([head, payload]), key).toString('base64');
  const envelope = { payloadType: PAYLOAD_TYPE, payload: payload.toString('base64'), signatures: [{ sig }] };
  return Buffer.from(JSON.stringify(envelope));
}

/** Provenance as a builder of level 3 states it. */
export function provenance(
  builder = 'https://builder.example/v1',
  source = 'https://git.example/team/app',
): object {
  return {
    buildDefinition: {
      buildType: 'https://builder.example/container/v1',
      externalParameters: { source: `git+${source}.git@refs/heads/main` },
      internalParameters: {},
      resolvedDependencies: [{ uri: `git+${source}.git@refs/heads/main`, digest: { sha1: 'a'.repeat(40) } }],
    },
    runDetails: { builder: { id: builder }, metadata: { invocationId: 'one' } },
  };
}

/** A bill of materials of two components. */
export function cycloneDx(licence = 'MIT', specVersion = '1.6'): object {
  return {
    bomFormat: 'CycloneDX',
    specVersion,
    version: 1,
    components: [
      {
        type: 'library',
        name: 'left',
        version: '1.0.0',
        purl: 'pkg:npm/left@1.0.0',
        licenses: [{ license: { id: 'Apache-2.0' } }],
      },
      {
        type: 'library',
        name: 'right',
        version: '2.0.0',
        purl: 'pkg:npm/right@2.0.0',
        licenses: [{ license: { id: licence } }],
      },
    ],
  };
}

function component(name: string, version: string, id: string): string {
  return `
    <component type="library">
      <name>${name}</name>
      <version>${version}</version>
      <licenses><license><id>${id}</id></license></licenses>
      <purl>pkg:npm/${name}@${version}</purl>
    </component>`;
}

/** The same in XML, as cosign attests it as a text (`--type custom`). */
export function cycloneDxXml(licence = 'MIT', specVersion = '1.6'): string {
  return `<?xml version="1.0" encoding="UTF-8"?>
<bom xmlns="http://cyclonedx.org/schema/bom/${specVersion}" version="1">
  <components>${component('left', '1.0.0', 'Apache-2.0')}${component('right', '2.0.0', licence)}
  </components>
</bom>
`;
}

/** A package of SPDX, without its licences. */
function spdxPackage(name: string, version: string): object {
  return {
    SPDXID: `SPDXRef-${name}`,
    name,
    versionInfo: version,
    downloadLocation: 'NOASSERTION',
    externalRefs: [
      {
        referenceCategory: 'PACKAGE-MANAGER',
        referenceType: 'purl',
        referenceLocator: `pkg:npm/${name}@${version}`,
      },
    ],
  };
}

/** The same in SPDX 2.3; `field` is what the declared licence of the second is called. */
export function spdx(licence = 'MIT', field = 'licenseDeclared'): object {
  return {
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    SPDXID: 'SPDXRef-DOCUMENT',
    name: 'app',
    documentNamespace: 'https://generator.example/app-1',
    creationInfo: { created: '2026-11-01T00:00:00Z', creators: ['Tool: generator-1'] },
    packages: [
      { ...spdxPackage('left', '1.0.0'), licenseConcluded: 'Apache-2.0' },
      { ...spdxPackage('right', '2.0.0'), licenseConcluded: 'NOASSERTION', [field]: licence },
    ],
  };
}

const VECTOR = 'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H';

/** A report of Trivy in the frame of cosign: with one critical vulnerability, or none. */
export function report(scannedAt: string, isClean = false): object {
  const found = {
    VulnerabilityID: 'CVE-2026-0001',
    PkgIdentifier: { PURL: 'pkg:npm/right@2.0.0' },
    Severity: 'LOW',
    CVSS: { nvd: { V3Vector: VECTOR } },
  };
  return {
    invocation: { uri: '', event_id: '', 'builder.id': '' },
    scanner: {
      uri: 'pkg:github/aquasecurity/trivy@v0.70.0',
      version: '0.70.0',
      db: { uri: '', version: '' },
      result: { SchemaVersion: 2, Results: [{ Target: 'app', Vulnerabilities: isClean ? [] : [found] }] },
    },
    metadata: { scanStartedOn: scannedAt, scanFinishedOn: scannedAt },
  };
}

/** A document that says: not affected by it. With `affectedSince`, another one: it is, since that time. */
export function openVex(vulnerability = 'CVE-2026-0001', affectedSince?: string): object {
  const said =
    affectedSince === undefined
      ? { status: 'not_affected', justification: 'vulnerable_code_not_in_execute_path' }
      : { status: 'affected', action_statement: 'Do not run it', timestamp: affectedSince };
  return {
    '@context': 'https://openvex.dev/ns/v0.2.0',
    '@id': `https://vex.example/${affectedSince === undefined ? 1 : 2}`,
    author: 'analyst',
    timestamp: '2026-01-01T00:00:00Z',
    version: 1,
    statements: [
      {
        vulnerability: { name: vulnerability },
        products: [{ '@id': 'pkg:oci/app', subcomponents: [{ '@id': 'pkg:npm/right@2.0.0' }] }],
        ...said,
      },
    ],
  };
}

/** The same as `openVex` says, as an analysis in CycloneDX: of a component that is told in it. */
export function cycloneDxVex(vulnerability = 'CVE-2026-0001'): object {
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: { timestamp: '2026-01-01T00:00:00Z' },
    components: [
      {
        type: 'library',
        'bom-ref': 'right',
        name: 'right',
        version: '2.0.0',
        purl: 'pkg:npm/right@2.0.0',
      },
    ],
    vulnerabilities: [
      {
        id: vulnerability,
        analysis: { state: 'not_affected', justification: 'code_not_reachable' },
        affects: [{ ref: 'right' }],
      },
    ],
  };
}

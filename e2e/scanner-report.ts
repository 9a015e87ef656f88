// SPDX-License-Identifier: Apache-2.0

/** One critical vulnerability of many. */
const found = (index: number) => ({
  VulnerabilityID: `CVE-2026-000${index}`,
  PkgName: 'left',
  PkgIdentifier: { PURL: 'pkg:npm/left@1.0.0' },
  Severity: 'CRITICAL',
  CVSS: { nvd: { V3Vector: 'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H', V3Score: 9.8 } },
});

/** What a scanner found, in the frame of cosign, with so many critical vulnerabilities. */
export function scannerReport(critical: number): object {
  const at = new Date().toISOString();
  const Vulnerabilities = Array.from({ length: critical }, (_, index) => found(index));
  return {
    invocation: { uri: '', event_id: '', 'builder.id': '' },
    scanner: {
      uri: 'pkg:github/aquasecurity/trivy@v0.70.0',
      version: '0.70.0',
      db: { uri: '', version: '' },
      result: { SchemaVersion: 2, Results: [{ Target: 'app', Vulnerabilities }] },
    },
    metadata: { scanStartedOn: at, scanFinishedOn: at },
  };
}

// SPDX-License-Identifier: Apache-2.0
import { API_VERSION } from '#crds/v1alpha1/names';
import { TRUST_ROOT } from '#crds/v1alpha1/trust-root';
import { rootText } from '#operator/core/images/root-text';
import type { JsonObject } from '#operator/rego/gatekeeper/json';
import { isTrustRoot, readTrustRoot } from '#operator/supply-chain/trust-root';
import type { DocumentReport } from './report.ts';

/** A TrustRoot of the policy-controller, and what is to be made of it. */
export interface RootCase {
  readonly name: string;
  readonly spec: unknown;
  /** Since when its logs are trusted, which it does not say itself. */
  readonly logsSince: string | undefined;
  readonly report: DocumentReport;
}

/** The TrustRoot that one becomes; undefined where it cannot be taken over. */
export function convertTrustRoot({ name, spec: given, logsSince, report }: RootCase): JsonObject | undefined {
  const spec = report.object(given, 'spec', ['remote', 'repository', 'sigstoreKeys']);
  const advice =
    'write the trusted_root.json of its targets into a ConfigMap of the namespace of the platform, and name it in configMapRef';
  if (spec['remote'] !== undefined) {
    return report.problem('spec.remote', `nothing is fetched from repositories of TUF: ${advice}`);
  }
  if (spec['repository'] !== undefined) {
    return report.problem('spec.repository', `a repository of TUF is not unpacked: ${advice}`);
  }
  if (spec['sigstoreKeys'] === undefined) {
    return report.problem('spec', 'one of remote, repository and sigstoreKeys is needed');
  }
  const parts = partsOf(spec['sigstoreKeys'], logsSince, report);
  if (!report.isGood) return undefined;
  const made = { apiVersion: API_VERSION, kind: TRUST_ROOT.kind, metadata: { name }, spec: { parts } };
  checkMade(made.spec, report);
  return made;
}

const KEYS = ['certificateAuthorities', 'tLogs', 'ctLogs', 'timestampAuthorities'];

function partsOf(value: unknown, logsSince: string | undefined, report: DocumentReport): object {
  const keys = report.object(value, 'spec.sigstoreKeys', KEYS);
  const authorities = (list: string) =>
    report
      .list(keys[list], fieldOf(list))
      .map((one, index) => authorityOf(one, `${fieldOf(list)}[${index}]`, report));
  const logs = (list: string) =>
    report
      .list(keys[list], fieldOf(list))
      .map((one, index) => logOf(one, { field: `${fieldOf(list)}[${index}]`, logsSince, report }));
  const lists = {
    certificateAuthorities: authorities('certificateAuthorities'),
    transparencyLogs: logs('tLogs'),
    certificateLogs: logs('ctLogs'),
    timestampAuthorities: authorities('timestampAuthorities'),
  };
  return Object.fromEntries(Object.entries(lists).filter(([, list]) => list.length > 0));
}

function fieldOf(list: string): string {
  return `spec.sigstoreKeys.${list}`;
}

function authorityOf(value: unknown, field: string, report: DocumentReport): object {
  const known = ['subject', 'uri', 'certChain', 'validFor'];
  const { subject, uri, certChain, validFor } = report.object(value, field, known);
  const { commonName } = report.object(subject ?? {}, `${field}.subject`, ['organization', 'commonName']);
  const name = report.text(commonName, `${field}.subject.commonName`) || report.text(uri, `${field}.uri`);
  return {
    pem: pemOf(certChain, `${field}.certChain`, report),
    ...(name !== '' && { name }),
    ...validityOf(validFor, `${field}.validFor`, report),
  };
}

function logOf(
  value: unknown,
  {
    field,
    logsSince,
    report,
  }: { readonly field: string; readonly logsSince: string | undefined; readonly report: DocumentReport },
): object {
  const known = ['baseURL', 'hashAlgorithm', 'publicKey', 'logID', 'validFor'];
  const { baseURL, hashAlgorithm, publicKey, validFor } = report.object(value, field, known);
  const hash = report.text(hashAlgorithm, `${field}.hashAlgorithm`);
  if (!/^(?:|sha-?2?_?256)$/i.test(hash)) {
    report.problem(`${field}.hashAlgorithm`, 'logs are read by SHA-256 alone');
  }
  const validity = validityOf(validFor, `${field}.validFor`, report);
  if (validity.validFrom === undefined && logsSince === undefined) {
    report.problem(
      field,
      'since when the log is trusted is not said, and an old key could date back: say it by --logs-since TIME',
    );
  }
  return {
    pem: pemOf(publicKey, `${field}.publicKey`, report),
    url: report.text(baseURL, `${field}.baseURL`),
    ...(logsSince !== undefined && { validFrom: logsSince }),
    ...validity,
  };
}

/** Bytes stand there in base64. */
function pemOf(value: unknown, field: string, report: DocumentReport): string {
  const text = report.text(value, field);
  if (text.includes('-----BEGIN ')) return text;
  const decoded = Buffer.from(text, 'base64').toString('utf8');
  if (!decoded.includes('-----BEGIN ')) report.problem(field, 'is no PEM in base64');
  return decoded;
}

function validityOf(
  value: unknown,
  field: string,
  report: DocumentReport,
): { readonly validFrom?: string; readonly validUntil?: string } {
  if (value === undefined || value === null) return {};
  const { start, end } = report.object(value, field, ['start', 'end']);
  const [from, until] = [report.text(start, `${field}.start`), report.text(end, `${field}.end`)];
  return { ...(from !== '' && { validFrom: from }), ...(until !== '' && { validUntil: until }) };
}

/** What was made is held against our own schema and reader, as the cluster would. */
function checkMade(spec: object, report: DocumentReport): void {
  const read = TRUST_ROOT.spec.safeParse(spec);
  if (!read.success) {
    for (const { path, message } of read.error.issues) {
      report.problem(`spec.${path.map(String).join('.')}`, `would not be taken: ${message}`);
    }
    return;
  }
  const root = readTrustRoot(rootText(read.data, () => undefined) ?? '');
  if (!isTrustRoot(root))
    report.problem(`spec.${root.field}`, `found ${root.found}; wanted is ${root.wanted}`);
}

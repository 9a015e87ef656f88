// SPDX-License-Identifier: Apache-2.0
import type { JsonObject } from '#operator/rego/gatekeeper/json';
import type { DocumentReport } from './report.ts';

/** An authority as our policies have it: the fields of `spec.authorities`. */
export interface MadeAuthority {
  readonly name: string;
  readonly key?: object;
  readonly keyless?: object;
  readonly trustRootRef?: { readonly name: string };
  readonly log?: 'Required' | 'Ignored';
  readonly time?: 'Timestamp' | 'Observer';
}

/** What an authority becomes. */
export interface AuthorityRead {
  readonly made: MadeAuthority;
  /** Certificates in PEM that it brings along: they become a TrustRoot of their own. */
  readonly ownRoot?: { readonly name: string; readonly pem: string };
}

/** What is read besides the authority itself. */
export interface AuthorityPlace {
  readonly report: DocumentReport;
  readonly field: string;
  /** Of our authority. */
  readonly name: string;
  /** Of the policy. */
  readonly policy: string;
  /** The TrustRoot of those that name none: the public instance was meant. */
  readonly trustRoot: string;
}

/** Where keys are in Secrets that cosign makes. */
const SECRET_KEY = 'cosign.pub';

/** An authority by key, or by identities of certificates; undefined where it cannot be taken over. */
export function authorityOf(authority: JsonObject, place: AuthorityPlace): AuthorityRead | undefined {
  const { key, keyless } = authority;
  noteElsewhere(authority, place);
  if (key !== undefined && keyless === undefined) return byKey(authority, place);
  if (keyless !== undefined && key === undefined) return byIdentity(authority, place);
  return place.report.problem(place.field, 'exactly one of key, keyless and static is needed');
}

/** Signatures are looked for beside the image, and nowhere else. */
function noteElsewhere({ source, signatureFormat }: JsonObject, { report, field }: AuthorityPlace): void {
  for (const [index, one] of report.list(source, `${field}.source`).entries()) {
    const at = `${field}.source[${index}]`;
    const known = ['oci', 'signaturePullSecrets', 'tagPrefix'];
    const { oci, signaturePullSecrets, tagPrefix } = report.object(one, at, known);
    if (oci !== undefined) {
      report.problem(
        `${at}.oci`,
        'signatures are looked for in the repository of the image: copy them there, with cosign copy',
      );
    }
    if (tagPrefix !== undefined) {
      report.problem(
        `${at}.tagPrefix`,
        'signatures have the tags that cosign gives them: sign without a prefix',
      );
    }
    if (signaturePullSecrets !== undefined) {
      report.note(
        `${at}.signaturePullSecrets`,
        'registries are asked with the imagePullSecrets of the Tenant: name the Secret there',
      );
    }
  }
  const format = report.text(signatureFormat, `${field}.signatureFormat`);
  if (!['', 'legacy', 'bundle'].includes(format)) {
    report.problem(`${field}.signatureFormat`, 'is neither legacy nor bundle; both are read here');
  }
}

function byKey(authority: JsonObject, place: AuthorityPlace): AuthorityRead | undefined {
  const { report, field, name } = place;
  const key = keyOf(authority['key'], `${field}.key`, report);
  const log = logOf(authority, place);
  const time = timeRoot(authority, place);
  const root = oneRoot([log?.root, time], place);
  if (key === undefined) return undefined;
  if (authority['ctlog'] === undefined && time === undefined) {
    report.note(
      `${field}.ctlog`,
      'is not stated: no log is asked of signatures by a key; for one, add log: Required and a trustRootRef',
    );
  }
  return {
    made: {
      name,
      key,
      ...(root !== undefined && { trustRootRef: { name: root } }),
      ...(log?.isRequired === true && { log: 'Required' as const }),
      ...(time !== undefined && { time: 'Timestamp' as const }),
    },
  };
}

function keyOf(value: unknown, field: string, report: DocumentReport): object | undefined {
  const key = report.object(value, field, ['data', 'secretRef', 'kms', 'hashAlgorithm']);
  const hash = report.text(key['hashAlgorithm'], `${field}.hashAlgorithm`);
  if (!['', 'sha256', 'sha384', 'sha512'].includes(hash)) {
    report.problem(
      `${field}.hashAlgorithm`,
      'is a hash that no signature is taken by: sha256, sha384 and sha512 are',
    );
  }
  if (key['kms'] !== undefined) {
    return report.problem(
      `${field}.kms`,
      'no service of keys is asked: write the public key into data, as cosign public-key --key prints it',
    );
  }
  const data = report.text(key['data'], `${field}.data`);
  if (data !== '') return { pem: data };
  return key['secretRef'] === undefined
    ? report.problem(field, 'one of data and secretRef is needed')
    : secretOf(key['secretRef'], `${field}.secretRef`, report);
}

function secretOf(value: unknown, field: string, report: DocumentReport): object | undefined {
  const { name } = report.object(value, field, ['name', 'namespace']);
  const text = report.text(name, `${field}.name`);
  if (text === '') return report.problem(`${field}.name`, 'is needed');
  report.note(
    field,
    `copy the Secret ${text} into the namespace of the platform; the key is looked for in its entry ${SECRET_KEY}`,
  );
  return { secretRef: { name: text, key: SECRET_KEY } };
}

const KEYLESS = ['url', 'identities', 'ca-cert', 'trustRootRef', 'insecureIgnoreSCT'];

function byIdentity(authority: JsonObject, place: AuthorityPlace): AuthorityRead | undefined {
  const { report, field, name } = place;
  const keyless = report.object(authority['keyless'], `${field}.keyless`, KEYLESS);
  const identities = identitiesOf(keyless['identities'], `${field}.keyless.identities`, report);
  const named = report.text(keyless['trustRootRef'], `${field}.keyless.trustRootRef`);
  const log = logOf(authority, place);
  const isWithoutLog = log !== undefined && !log.isRequired;
  const own = ownRootOf(keyless, isWithoutLog, place);
  const time = timeRoot(authority, place);
  const signer = named === '' ? own?.name : named;
  const root = oneRoot([signer, log?.root, time], place) ?? publicRoot(keyless, place);
  if (identities === undefined) return undefined;
  const made: MadeAuthority = {
    name,
    keyless: { identities, ...(keyless['insecureIgnoreSCT'] === true && { certificateLog: 'Ignored' }) },
    trustRootRef: { name: root },
    ...(isWithoutLog && { log: 'Ignored' as const }),
    ...timeOf(time, isWithoutLog),
  };
  return { made, ...(own !== undefined && { ownRoot: own }) };
}

/** Without a log that tells the time, whoever looks has to: then a certificate has to be valid still. */
function timeOf(time: string | undefined, isWithoutLog: boolean): Pick<MadeAuthority, 'time'> {
  if (time !== undefined) return { time: 'Timestamp' };
  return isWithoutLog ? { time: 'Observer' } : {};
}

function publicRoot(keyless: JsonObject, { report, field, trustRoot }: AuthorityPlace): string {
  const url = report.text(keyless['url'], `${field}.keyless.url`);
  const whose = url === '' ? 'the public instance' : url;
  report.note(
    `${field}.keyless`,
    `certificates are those of ${whose}: make a TrustRoot ${trustRoot} of its trusted_root.json (--trust-root names another)`,
  );
  return trustRoot;
}

function ownRootOf(
  keyless: JsonObject,
  isWithoutLog: boolean,
  { report, field, name, policy }: AuthorityPlace,
): AuthorityRead['ownRoot'] {
  if (keyless['ca-cert'] === undefined) return undefined;
  const at = `${field}.keyless.ca-cert`;
  const cert = report.object(keyless['ca-cert'], at, ['data', 'secretRef', 'kms', 'hashAlgorithm']);
  const pem = report.text(cert['data'], `${at}.data`);
  if (pem === '') {
    return report.problem(
      at,
      'the certificates are needed in data: those of Secrets and services are not read here',
    );
  }
  if (keyless['insecureIgnoreSCT'] !== true) {
    report.note(
      at,
      'its TrustRoot has no certificate log, which is asked for: add certificateLogs to it, or certificateLog: Ignored to the authority',
    );
  }
  if (!isWithoutLog) {
    report.note(
      at,
      'its TrustRoot has no transparency log, which is asked for: add transparencyLogs to it; or, where none is to be asked, log: Ignored and time: Observer to the authority',
    );
  }
  return { name: `${policy}-${name}`, pem };
}

/** `undefined`: it is not stated. */
function logOf(
  authority: JsonObject,
  { report, field, trustRoot }: AuthorityPlace,
): { readonly isRequired: boolean; readonly root?: string } | undefined {
  if (authority['ctlog'] === undefined || authority['ctlog'] === null) return undefined;
  const at = `${field}.ctlog`;
  const { url, trustRootRef } = report.object(authority['ctlog'], at, ['url', 'trustRootRef']);
  const named = report.text(trustRootRef, `${at}.trustRootRef`);
  if (named !== '') return { isRequired: true, root: named };
  if (report.text(url, `${at}.url`) === '') return { isRequired: false };
  // For certificates the root of the signer has the log as well.
  return authority['key'] === undefined ? { isRequired: true } : { isRequired: true, root: trustRoot };
}

function timeRoot(authority: JsonObject, { report, field, trustRoot }: AuthorityPlace): string | undefined {
  if (authority['rfc3161timestamp'] === undefined || authority['rfc3161timestamp'] === null) return undefined;
  const at = `${field}.rfc3161timestamp`;
  const { trustRootRef } = report.object(authority['rfc3161timestamp'], at, ['trustRootRef']);
  const named = report.text(trustRootRef, `${at}.trustRootRef`);
  return named === '' ? trustRoot : named;
}

/** An authority here has one root, with all that it needs. */
function oneRoot(
  names: readonly (string | undefined)[],
  { report, field }: AuthorityPlace,
): string | undefined {
  const roots = [...new Set(names.filter((one) => one !== undefined))];
  if (roots.length > 1) {
    report.problem(
      field,
      `names the TrustRoots ${roots.join(', ')}: an authority has one here, so write their parts into one`,
    );
  }
  return roots[0];
}

const IDENTITY = ['issuer', 'issuerRegExp', 'subject', 'subjectRegExp'];

function identitiesOf(value: unknown, field: string, report: DocumentReport): readonly object[] | undefined {
  const identities = report.list(value, field);
  if (identities.length === 0) {
    return report.problem(field, 'is needed: without, whoever has a certificate of that instance is trusted');
  }
  return identities.map((one, index) => {
    const at = `${field}[${index}]`;
    const identity = report.object(one, at, IDENTITY);
    return { ...partOf('issuer', identity, { at, report }), ...partOf('subject', identity, { at, report }) };
  });
}

function partOf(
  part: 'issuer' | 'subject',
  identity: JsonObject,
  { at, report }: { readonly at: string; readonly report: DocumentReport },
): object {
  const exact = report.text(identity[part], `${at}.${part}`);
  const pattern = report.text(identity[`${part}RegExp`], `${at}.${part}RegExp`);
  if (exact !== '' && pattern !== '') {
    report.problem(`${at}.${part}`, `only one of ${part} and ${part}RegExp may be there`);
  }
  if (exact !== '') return { [part]: exact };
  if (pattern !== '') return { [`${part}Pattern`]: wholePattern(pattern, `${at}.${part}RegExp`, report) };
  report.note(`${at}.${part}`, 'is not stated: any is taken, as before');
  return { [`${part}Pattern`]: '.*' };
}

/** There a pattern has to be found somewhere in the text; here it has to match all of it. */
function wholePattern(pattern: string, field: string, report: DocumentReport): string {
  const isBegun = pattern.startsWith('^');
  const isEnded = pattern.endsWith('$') && !pattern.endsWith('\\$');
  if (isBegun && isEnded && !pattern.includes('|')) return pattern;
  report.note(
    field,
    'matches a part of the text, so others can have it in theirs: write what the whole is to be, and take .* away',
  );
  return `(?s:.*)(?:${pattern})(?s:.*)`;
}

// SPDX-License-Identifier: Apache-2.0
import type { ImageAuthority, ImageIdentity } from '#crds/v1alpha1/image-authority';
import type { ImagePolicySpec } from '#crds/v1alpha1/image-policy';
import { inputsDigest, type PolicyInputs } from '../core/images/inputs.ts';
import type { Requirement, VulnerabilitiesAsked } from '../core/supply-chain/requirement.ts';
import type { ReadyAuthority } from './authority.ts';
import { exactly, type Matcher, matching, type TrustedIdentity } from './identity.ts';
import { isTrustedKey, readPublicKey, type TrustedKey } from './keys.ts';
import type { ReadyPolicy } from './policy.ts';
import { isTrustRoot, readTrustRoot, type TrustRoot } from './trust-root.ts';

/** What of a policy cannot be read: where, what was found, and what would pass. */
export interface PolicyProblem {
  readonly field: string;
  readonly found: string;
  readonly wanted: string;
  /** What may be there, and may not be read. */
  readonly isForbidden?: boolean;
  /** What it names is not there. */
  readonly isMissing?: boolean;
}

/** Keys of one authority: those of today, and those before. */
const MAX_KEYS = 8;

const PEM_BLOCK = /-----BEGIN [A-Z0-9 ]{1,40}-----[A-Za-z0-9+/=\s]*-----END [A-Z0-9 ]{1,40}-----/g;

/** Reads all that a policy names: keys, patterns, roots. All that is wrong is told at once. */
export function readyPolicy(
  inputs: PolicyInputs,
): ReadyPolicy | { readonly problems: readonly PolicyProblem[] } {
  const { spec, waivers } = inputs;
  const reading = new Reading(inputs);
  const authorities = spec.authorities.map((one, index) =>
    reading.authority(one, `spec.authorities[${index}]`),
  );
  if (reading.problems.length > 0) return { problems: reading.problems };
  return {
    digest: inputsDigest(inputs),
    authorities: authorities.filter((one) => one !== undefined),
    requirement: requirementOf(spec.require),
    revoked: new Set(spec.revoked),
    waivers,
    platforms: spec.platforms,
  };
}

/** Whether a policy was read. */
export function isReadyPolicy(
  read: ReadyPolicy | { readonly problems: readonly PolicyProblem[] },
): read is ReadyPolicy {
  return 'digest' in read;
}

/** One reading of a policy, and what is wrong with it. */
class Reading {
  readonly problems: PolicyProblem[] = [];
  readonly #inputs: PolicyInputs;
  readonly #roots = new Map<string, TrustRoot | undefined>();

  constructor(inputs: PolicyInputs) {
    this.#inputs = inputs;
  }

  authority(authority: ImageAuthority, field: string): ReadyAuthority | undefined {
    const { name, trustRootRef, keyless } = authority;
    const root = trustRootRef === undefined ? undefined : this.#root(trustRootRef.name, field);
    const signer = keyless === undefined ? this.#keys(authority, field) : this.#people(keyless, field);
    if (signer === undefined) return undefined;
    const isKeyless = keyless !== undefined;
    return {
      name,
      signer,
      ...(root !== undefined && { root }),
      log: authority.log ?? (isKeyless ? 'Required' : 'Ignored'),
      time: authority.time ?? (isKeyless ? 'Log' : 'Observer'),
    };
  }

  #keys({ key }: ImageAuthority, field: string): ReadyAuthority['signer'] | undefined {
    const secretRef = key?.secretRef;
    const where = `${field}.key.${secretRef === undefined ? 'pem' : 'secretRef'}`;
    const text = secretRef === undefined ? key?.pem : this.#secret(secretRef, where);
    if (text === undefined) return undefined;
    const blocks = text.match(PEM_BLOCK) ?? [text];
    if (blocks.length > MAX_KEYS) {
      return this.#problem(where, `${blocks.length} keys`, `at most ${MAX_KEYS}`);
    }
    const keys: TrustedKey[] = [];
    for (const block of blocks) {
      const read = readPublicKey(block);
      if (!isTrustedKey(read)) return this.#problem(where, read.found, read.wanted);
      keys.push(read);
    }
    return { kind: 'keys', keys };
  }

  #secret({ name, key }: { readonly name: string; readonly key: string }, field: string): string | undefined {
    const id = `${name}/${key}`;
    const { keys, forbidden = [] } = this.#inputs;
    if (Object.hasOwn(keys, id)) return keys[id];
    if (forbidden.includes(name)) {
      const found = `a Secret ${name} that the operator may not read`;
      const wanted =
        'the key itself, in pem in place of secretRef; of the platform also a Secret that platform.imageKeySecrets of the chart names';
      this.problems.push({ field, found, wanted, isForbidden: true });
      return undefined;
    }
    return this.#missing(field, `no key ${key} in a Secret ${name}`, 'a Secret with a public key in PEM');
  }

  #people(
    { identities, certificateLog }: NonNullable<ImageAuthority['keyless']>,
    field: string,
  ): ReadyAuthority['signer'] | undefined {
    const before = this.problems.length;
    const trusted = identities.map((one, index): TrustedIdentity | undefined =>
      this.#identity(one, `${field}.keyless.identities[${index}]`),
    );
    if (this.problems.length > before) return undefined;
    return { kind: 'certificates', identities: trusted.filter((one) => one !== undefined), certificateLog };
  }

  #identity(identity: ImageIdentity, field: string): TrustedIdentity | undefined {
    const { issuer, issuerPattern, subject, subjectPattern } = identity;
    const by = this.#matcher({ text: issuer, pattern: issuerPattern }, `${field}.issuerPattern`);
    const who = this.#matcher({ text: subject, pattern: subjectPattern }, `${field}.subjectPattern`);
    return by === undefined || who === undefined ? undefined : { issuer: by, subject: who };
  }

  #matcher(
    { text, pattern }: { readonly text: string | undefined; readonly pattern: string | undefined },
    field: string,
  ): Matcher | undefined {
    if (text !== undefined) return exactly(text);
    const found = pattern ?? '';
    return matching(found) ?? this.#problem(field, JSON.stringify(found), 'a pattern of RE2');
  }

  #root(name: string, field: string): TrustRoot | undefined {
    if (this.#roots.has(name)) return this.#roots.get(name);
    const root = this.#readRoot(name, `${field}.trustRootRef`);
    this.#roots.set(name, root);
    return root;
  }

  #readRoot(name: string, field: string): TrustRoot | undefined {
    const { roots } = this.#inputs;
    const text = Object.hasOwn(roots, name) ? roots[name] : undefined;
    if (text === undefined) return this.#missing(field, `no TrustRoot ${name}`, 'a TrustRoot that is Ready');
    const read = readTrustRoot(text);
    if (isTrustRoot(read)) return read;
    const within = read.field === '' ? '' : ` at ${read.field}`;
    const found = `TrustRoot ${name} with ${read.found}${within}`;
    return read.isMissing === true
      ? this.#missing(field, found, read.wanted)
      : this.#problem(field, found, read.wanted);
  }

  #missing(field: string, found: string, wanted: string): undefined {
    this.problems.push({ field, found, wanted, isMissing: true });
    return undefined;
  }

  #problem(field: string, found: string, wanted: string): undefined {
    this.problems.push({ field, found, wanted });
    return undefined;
  }
}

/** What is asked, in the words of verification. */
function requirementOf({
  signatures,
  provenance,
  sbom,
  vulnerabilities,
}: ImagePolicySpec['require']): Requirement {
  return {
    ...(signatures !== undefined && { signatures }),
    ...(provenance !== undefined && { provenance: { ...provenance, sources: provenance.sources ?? [] } }),
    ...(sbom !== undefined && {
      sbom: {
        from: sbom.from,
        threshold: sbom.threshold,
        allowedLicences: sbom.allowedLicences ?? [],
        deniedLicences: sbom.deniedLicences ?? [],
      },
    }),
    ...(vulnerabilities !== undefined && { vulnerabilities: vulnerabilitiesOf(vulnerabilities) }),
  };
}

const SEVERITIES = {
  critical: 'Critical',
  high: 'High',
  medium: 'Medium',
  low: 'Low',
  unscored: 'Unscored',
} as const;

function vulnerabilitiesOf(
  asked: NonNullable<ImagePolicySpec['require']['vulnerabilities']>,
): VulnerabilitiesAsked {
  const { from, threshold, maxAgeSeconds, budget, maxScore, vexFrom } = asked;
  const limits = Object.entries(SEVERITIES).flatMap(([field, severity]) => {
    const most = budget[field as keyof typeof SEVERITIES];
    return most === undefined ? [] : [[severity, most] as const];
  });
  return {
    from,
    threshold,
    maxAgeSeconds,
    budget: Object.fromEntries(limits),
    ...(maxScore !== undefined && { maxScoreTenths: Math.round(Number(maxScore) * 10) }),
    vexFrom: vexFrom ?? [],
  };
}

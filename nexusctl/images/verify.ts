// SPDX-License-Identifier: Apache-2.0
import { adviceOn } from '#operator/core/images/advice';
import { isAbout } from '#operator/core/images/policy';
import { formatReference, parseReference, type Reference } from '#operator/core/oci/reference';
import { quote } from '#operator/core/supply-chain/judgement';
import type { ImageFacts, ImageVerdict, Outcome as Result } from '#operator/core/supply-chain/verdict';
import type { ReadyPolicy } from '#operator/supply-chain/policy';
import { isReadyPolicy, readyPolicy } from '#operator/supply-chain/ready-policy';
import { verifyImage } from '#operator/supply-chain/verify-image';
import {
  argumentAt,
  type Call,
  type Command,
  CommandError,
  EXIT,
  type ExitCode,
  flagValue,
  type Outcome,
} from '../cli/command.ts';
import { CLUSTER_FLAGS } from '../pack/live.ts';
import { REGISTRY_FLAGS } from '../pack/registry.ts';
import { type OpenImage, openOffline, openOnline } from './evidence.ts';
import { type LocalPolicy, PLATFORM_NAMESPACE_FLAG, policiesFor } from './policies.ts';

/** `nexusctl verify IMAGE`. */
export const VERIFY: Command = {
  path: ['verify'],
  summary: 'says whether an image is as policies ask, and why',
  about:
    'Verifies as a cluster would, each check of each policy that is about the image: with --policy by policies of files, which may hold TrustRoots, Secrets and ConfigMaps as well, else by those of the cluster. With --bundle nothing is asked of a registry: what is attached to the image is in files. A tag is resolved first; the digest is told. Exit code 3: it could not be told.',
  args: [{ name: 'IMAGE', what: 'a reference, as pods name it' }],
  flags: [
    { name: 'policy', value: 'PATH', what: 'policies of a file or folder, instead of those of the cluster' },
    { name: 'bundle', value: 'PATH', what: 'sigstore bundles of a file or folder, instead of a registry' },
    { name: 'manifest', value: 'FILE', what: 'the manifest of the image, with --bundle' },
    { name: 'at', value: 'TIME', what: 'verifies as of this time, in RFC 3339, instead of now' },
    PLATFORM_NAMESPACE_FLAG,
    ...CLUSTER_FLAGS,
    ...REGISTRY_FLAGS,
  ],
  examples: [
    'verify registry.example/team/app:1.4 --namespace team-main',
    'verify registry.example/team/app:1.4 --policy policies/',
    'verify registry.example/team/app@sha256:… --policy policies/ --bundle evidence/',
  ],
  run: verify,
};

async function verify(call: Call): Promise<Outcome> {
  const text = argumentAt(call, 0);
  const reference = referenceOf(text);
  const now = timeOf(call);
  const policies = await policiesFor(call);
  const asked = policies.filter(({ inputs }) => isAbout(inputs.spec, reference));
  if (asked.length === 0) throw noPolicy(reference, policies);
  const ready = asked.map((one) => ({ name: one.name, policy: readOrThrow(one) }));
  const image = await open(call, { text, reference });
  try {
    const verdicts: NamedVerdict[] = [];
    for (const { name, policy } of ready) {
      const verdict = await verifyImage(image.digest, { policy, source: image.source, now });
      verdicts.push({ name, verdict });
    }
    return outcomeOf(image, verdicts);
  } finally {
    await image.close();
  }
}

function referenceOf(text: string): Reference {
  const read = parseReference(text);
  if (read.kind === 'ok') return read.reference;
  throw new CommandError(EXIT.usage, `${text} is no image: found ${read.found}; wanted is ${read.wanted}`);
}

function timeOf(call: Call): Date {
  const text = flagValue(call, 'at');
  if (text === undefined) return new Date();
  const time = new Date(text);
  if (!Number.isNaN(time.getTime())) return time;
  throw new CommandError(EXIT.usage, `--at: found ${text}; wanted is a time in RFC 3339`);
}

function noPolicy(reference: Reference, policies: readonly LocalPolicy[]): CommandError {
  const name = `${reference.registry}/${reference.repository}`;
  const message = `no policy is about ${name}, so nothing is asked of it`;
  const details = policies.map((one) => `${one.name} is about ${one.inputs.spec.images.join(', ')}`);
  return new CommandError(EXIT.usage, message, details);
}

function readOrThrow({ name, inputs }: LocalPolicy): ReadyPolicy {
  const read = readyPolicy(inputs);
  if (isReadyPolicy(read)) return read;
  const details = read.problems.map(
    ({ field, found, wanted }) => `${field}: found ${found}; wanted is ${wanted}`,
  );
  throw new CommandError(EXIT.usage, `${name} cannot be used`, details);
}

function open(call: Call, { text, reference }: { text: string; reference: Reference }): Promise<OpenImage> {
  const path = flagValue(call, 'bundle');
  return path === undefined ? openOnline(call, text) : openOffline(call, reference, path);
}

interface NamedVerdict {
  readonly name: string;
  readonly verdict: ImageVerdict;
}

const CODES: Readonly<Record<Result, ExitCode>> = {
  Verified: EXIT.ok,
  Refused: EXIT.no,
  Unknown: EXIT.unavailable,
};

function outcomeOf({ reference, digest }: OpenImage, verdicts: readonly NamedVerdict[]): Outcome {
  const outcome = worst(verdicts.map(({ verdict }) => verdict.outcome));
  const image = formatReference(reference);
  return {
    code: CODES[outcome],
    value: {
      image,
      digest,
      outcome,
      policies: verdicts.map(({ name, verdict }) => ({ name, ...verdict })),
    },
    before: [`image: ${image}`, `digest: ${digest}`, `outcome: ${outcome}`, ''],
    table: { head: ['POLICY', 'CHECK', 'OUTCOME', 'REASON', 'FOUND'], rows: verdicts.flatMap(rowsOf) },
    after: verdicts.flatMap(linesOf),
  };
}

function worst(outcomes: readonly Result[]): Result {
  if (outcomes.includes('Refused')) return 'Refused';
  return outcomes.includes('Unknown') ? 'Unknown' : 'Verified';
}

/** Each check; of what nothing could be checked the one reason for that. */
function rowsOf({ name, verdict }: NamedVerdict): readonly (readonly string[])[] {
  const { checks, outcome, reason = '', message } = verdict;
  if (checks.length === 0) return [[name, '', outcome, reason, message]];
  return checks.map((one) => [name, one.name, one.outcome, one.reason ?? '', one.message]);
}

function linesOf({ name, verdict }: NamedVerdict): readonly string[] {
  const { facts, notes, reason, validUntil } = verdict;
  const advice = reason === undefined ? undefined : adviceOn(reason);
  const lines = [
    ...factLines(facts),
    ...notes.map((note) => `note: ${note}`),
    ...(validUntil === undefined ? [] : [`holds until: ${validUntil}`]),
    ...(advice === undefined ? [] : [`what to do: ${advice}`]),
  ];
  return lines.length === 0 ? [] : ['', `${name}:`, ...lines.map((line) => `  ${line}`)];
}

function factLines({ signers, provenance, sbom, vulnerabilities }: ImageFacts): readonly string[] {
  const counts = Object.entries(vulnerabilities?.counts ?? {}).map(
    ([severity, count]) => `${severity} ${count}`,
  );
  return [
    ...signers.map(({ authority, fingerprint, subject, issuer, signedAt }) => {
      const who =
        subject === undefined ? `key sha256:${fingerprint}` : `${quote(subject)} by ${quote(issuer ?? '')}`;
      return `${authority}: ${who}${signedAt === undefined ? '' : `, at ${signedAt}`}`;
    }),
    ...(provenance === undefined
      ? []
      : [`built by ${quote(provenance.builder)} from ${quote(provenance.source)}`]),
    ...(sbom === undefined ? [] : [`${sbom.format}, ${sbom.components} components`]),
    ...(vulnerabilities === undefined
      ? []
      : [
          `vulnerabilities: ${counts.join(', ')}; ${vulnerabilities.excluded} do not affect it, ${vulnerabilities.waived} waived; scanned at ${vulnerabilities.scannedAt}`,
        ]),
  ];
}

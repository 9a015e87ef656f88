// SPDX-License-Identifier: Apache-2.0
import { parseReference, type Reference } from '#operator/core/oci/reference';
import type { NotKnown, Unknown } from '#operator/core/supply-chain/judgement';
import type { ImageVerdict } from '#operator/core/supply-chain/verdict';
import type { ReadyPolicy } from '#operator/supply-chain/policy';
import { isReadyPolicy, type PolicyProblem, readyPolicy } from '#operator/supply-chain/ready-policy';
import { verifyImage } from '#operator/supply-chain/verify-image';
import {
  argumentAt,
  type Call,
  type Command,
  CommandError,
  EXIT,
  flagValue,
  type Outcome,
} from '../cli/command.ts';
import { CLUSTER_FLAGS } from '../pack/live.ts';
import { REGISTRY_FLAGS } from '../pack/registry.ts';
import { isNotKnown, type OpenImage, openOffline, openOnline } from './evidence.ts';
import { type ImageObjects, readImageObjects } from './objects.ts';
import { type AskedPolicy, choose, NAMESPACE_FLAG, type Place, placeOf } from './place.ts';
import { PLATFORM_NAMESPACE_FLAG, policiesAmong } from './policies.ts';
import { PULL_SECRETS_FLAG, pullSecretsOf } from './pull-secrets.ts';
import { type NamedVerdict, outcomeOf } from './told.ts';
import { waivedOf } from './waivers.ts';

/** `nexusctl verify IMAGE`. */
export const VERIFY: Command = {
  path: ['verify'],
  summary: 'says whether an image is as policies ask, and why',
  about:
    'Verifies as a cluster would, each check of each policy that is about the image: with --policy by policies of files, which may hold TrustRoots, Secrets, ConfigMaps, ImageWaivers and the Namespace as well, else by those of the cluster. With --namespace it is by those policies and waivers that are for it, as for a pod there; without, by all that are about the image. With --bundle nothing is asked of a registry: what is attached to the image is in files; with --policy as well, nobody is asked anything. A tag is resolved first; the digest is told. Exit code 0: as asked; 1: not; 2: no policy is about it, or what was given cannot be used; 3: it could not be told.',
  args: [{ name: 'IMAGE', what: 'a reference, as pods name it' }],
  flags: [
    { name: 'policy', value: 'PATH', what: 'policies of a file or folder, instead of those of the cluster' },
    NAMESPACE_FLAG,
    { name: 'bundle', value: 'PATH', what: 'sigstore bundles of a file or folder, instead of a registry' },
    {
      name: 'manifest',
      value: 'PATH',
      what: 'the manifest of the image, with --bundle; of an index a folder with those of its images too',
    },
    { name: 'at', value: 'TIME', what: 'verifies as of this time, in RFC 3339, instead of now' },
    PLATFORM_NAMESPACE_FLAG,
    ...CLUSTER_FLAGS.filter(({ name }) => name !== NAMESPACE_FLAG.name),
    PULL_SECRETS_FLAG,
    ...REGISTRY_FLAGS,
  ],
  examples: [
    'verify registry.example/team/app:1.4 --namespace team-main',
    'verify registry.example/team/app:1.4 --namespace team-main --pull-secrets -o json',
    'verify registry.example/team/app:1.4 --policy policies/',
    'verify registry.example/team/app@sha256:… --policy policies/ --bundle evidence/',
  ],
  run: verify,
};

async function verify(call: Call): Promise<Outcome> {
  const reference = referenceOf(argumentAt(call, 0));
  const now = timeOf(call);
  const known = await readImageObjects(call);
  const place = placeOf(call, known);
  const { asked, others } = choose(policiesAmong(known), reference, place);
  if (asked.length === 0) throw noPolicy(reference, others);
  const ready = asked.map((one) => prepare(one, known, { reference, place }));
  const image = await open(call, reference);
  try {
    const verdicts: NamedVerdict[] = [];
    for (const one of ready) verdicts.push(await verdictOf(one, image, now));
    const digest = isNotKnown(image) ? undefined : image.digest;
    return outcomeOf({ reference, digest, place, notes: known.notes }, verdicts);
  } finally {
    if (!isNotKnown(image)) await image.close();
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

function noPolicy(reference: Reference, others: readonly string[]): CommandError {
  const name = `${reference.registry}/${reference.repository}`;
  const details = others.length > 0 ? others : ['there is no ClusterImagePolicy and no ImagePolicy at all'];
  return new CommandError(EXIT.usage, `no policy is about ${name}, so nothing is asked of it`, details);
}

/** A policy that can be asked, or why it cannot. */
interface Prepared {
  readonly asked: AskedPolicy;
  readonly notes: readonly string[];
  readonly policy: ReadyPolicy | NotKnown;
}

function prepare(
  asked: AskedPolicy,
  known: ImageObjects,
  at: { readonly reference: Reference; readonly place: Place | undefined },
): Prepared {
  const { waivers, notes } = waivedOf(known, asked, at);
  const read = readyPolicy({ ...asked.inputs, waivers });
  const told = [...asked.notes, ...notes];
  if (isReadyPolicy(read)) return { asked, notes: told, policy: read };
  const details = [
    ...read.problems.map(problemText),
    ...known.forbidden.map(
      (one) => `you may not read ${one}: have it among files, and name them by --policy`,
    ),
  ];
  // Who writes a file mends it; a policy of the cluster is as it is, and lets nothing pass.
  if (!known.isOfCluster) throw new CommandError(EXIT.usage, `${asked.name} cannot be used`, details);
  return { asked, notes: told, policy: unknown('PolicyInvalid', details.join('; ')) };
}

function problemText({ field, found, wanted }: PolicyProblem): string {
  return `${field}: found ${found}; wanted is ${wanted}`;
}

function unknown(reason: Unknown, message: string): NotKnown {
  return { kind: 'unknown', reason, message };
}

async function open(call: Call, reference: Reference): Promise<OpenImage | NotKnown> {
  const path = flagValue(call, 'bundle');
  if (path !== undefined) return openOffline(call, reference, path);
  return openOnline(call, argumentAt(call, 0), await pullSecretsOf(call));
}

async function verdictOf(
  { asked, notes, policy }: Prepared,
  image: OpenImage | NotKnown,
  now: Date,
): Promise<NamedVerdict> {
  const problem = isNotKnown(policy) ? policy : isNotKnown(image) ? image : undefined;
  const verdict =
    problem === undefined
      ? await judged(policy as ReadyPolicy, image as OpenImage, now)
      : notTold(problem, now);
  return { name: asked.name, facts: asked.facts, verdict, notes };
}

async function judged(policy: ReadyPolicy, image: OpenImage, now: Date): Promise<ImageVerdict> {
  const { digest, source, hasManifest } = image;
  const verdict = await verifyImage(digest, { policy, source, now });
  if (policy.platforms === 'Index' || hasManifest || verdict.outcome !== 'Verified') return verdict;
  // A cluster looks into the index, and may find an image there that is not as asked.
  const message =
    'the policy asks the same of each platform, and which there are is not known: name the manifest by --manifest, of an index a folder with those of all its images';
  const problem = { outcome: 'Unknown', reason: 'EvidenceIncomplete', message } as const;
  return { ...verdict, ...problem, checks: [...verdict.checks, { name: 'platforms', ...problem }] };
}

function notTold({ reason, message }: NotKnown, now: Date): ImageVerdict {
  return {
    image: '',
    policy: '',
    outcome: 'Unknown',
    reason,
    message,
    checks: [],
    facts: { signers: [] },
    notes: [],
    checkedAt: now.toISOString(),
  };
}

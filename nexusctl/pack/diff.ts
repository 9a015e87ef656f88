// SPDX-License-Identifier: Apache-2.0
import { resolve } from 'node:path';
import { WEBHOOKS_NAME } from '#crds/v1alpha1/names';
import type { KubeObject, Resource } from '#operator/core/object';
import type { KindObjects } from '#operator/core/policy/inventory';
import { VALIDATING_CONFIGURATIONS } from '#operator/core/resources';
import { type JsonObject, objectAt, textAt } from '#operator/rego/gatekeeper/json';
import type { SourceDocument } from '#operator/rego/gatekeeper/template';
import { registeredRules } from '#webhooks/registrations';
import {
  argumentAt,
  type Call,
  type Command,
  CommandError,
  EXIT,
  flagValue,
  type Outcome,
} from '../cli/command.ts';
import { PLATFORM_NAMESPACE_FLAG } from '../images/policies.ts';
import { compare, type Compared, type Packs } from './comparison.ts';
import { OPA_FLAG, openCompiler } from './compiler.ts';
import type { Difference } from './difference.ts';
import { documentsAt } from './documents.ts';
import { type LocalPack, readPack } from './folder.ts';
import { imagesIn } from './image-fixtures.ts';
import { CLUSTER_FLAGS, type Live, type LiveObject } from './live.ts';
import { pluralOf } from './plural.ts';
import { openPack } from './verdict.ts';
import { type ImagesIn, worldOf } from './world.ts';

/** `nexusctl pack diff NEW`. */
export const DIFF: Command = {
  path: ['pack', 'diff'],
  summary: 'says what a pack would newly deny or allow of what there is',
  about:
    'Asks both packs about every object, as if it were created now: objects in a folder of manifests (--against), or in a cluster, which is only read. Without --old, the pack is compared with there being none. Objects that neither pack is bound to count as allowed by both. Tenants, exemptions and what is proved of images (spec.facts) are those of the cluster, or the Tenants, Namespaces and PolicyExemptions of the folder; what is not known is told, with the rules that could not be judged for it. A pack that names the namespace of a tenant reaches that tenant alone.',
  args: [
    {
      name: 'NEW',
      what: 'the pack as it is to be: a folder with manifest.yaml, or a manifest with its source',
    },
  ],
  flags: [
    { name: 'old', value: 'FOLDER', what: 'the pack as it is' },
    { name: 'against', value: 'FOLDER', what: 'manifests to judge, instead of a cluster' },
    {
      name: 'images',
      value: 'FILE',
      what: 'what is known of images, as `images` of a case; else what the cluster has proved, and of a folder nothing',
    },
    ...CLUSTER_FLAGS,
    PLATFORM_NAMESPACE_FLAG,
    OPA_FLAG,
  ],
  examples: [
    'pack diff image-tags --against manifests/',
    'pack diff image-tags --old image-tags-1.0 --context production -o json',
  ],
  run: diff,
};

async function diff(call: Call): Promise<Outcome> {
  const after = await readPack(resolve(call.cwd, argumentAt(call, 0)));
  const old = flagValue(call, 'old');
  const before = old === undefined ? undefined : await readPack(resolve(call.cwd, old));
  const file = flagValue(call, 'images');
  const teller = file === undefined ? undefined : await imagesIn(call.cwd, file);
  const compiler = await openCompiler(call);
  const packs: Packs = {
    after: await openPack(after, compiler),
    before: before && (await openPack(before, compiler)),
  };
  const around: Around = {
    packs: [after, ...(before === undefined ? [] : [before])],
    namespace: flagValue(call, 'namespace'),
    platformNamespace: flagValue(call, PLATFORM_NAMESPACE_FLAG.name) ?? PLATFORM_NAMESPACE_FLAG.default,
    images: teller && (() => teller),
  };
  const folder = flagValue(call, 'against');
  const use = async (live: Live) =>
    outcomeOf(await compare(packs, live), { ...around, notes: live.world.notes });
  if (folder === undefined) return withLive(call, around, use);
  return use(await liveFrom(resolve(call.cwd, folder), around));
}

interface Around {
  readonly packs: readonly LocalPack[];
  readonly namespace: string | undefined;
  readonly platformNamespace: string;
  /** What somebody wrote down. */
  readonly images: ImagesIn;
}

/** What speaks to clusters is loaded only here: the other commands begin sooner without it. */
async function withLive(
  call: Call,
  { images, ...wanted }: Around,
  use: (live: Live) => Promise<Outcome>,
): Promise<Outcome> {
  const { readLive, withCluster } = await import('./cluster.ts');
  return withCluster(call, async (client) => {
    const live = await readLive(client, { ...wanted, isTold: images !== undefined });
    return use(images === undefined ? live : { ...live, world: { ...live.world, images } });
  });
}

/** Objects of a folder of manifests, and what these say of namespaces, tenants and who is exempt. */
async function liveFrom(folder: string, { namespace, platformNamespace, images }: Around): Promise<Live> {
  const documents = await documentsAt(folder);
  const objects = documents.filter(({ value }) => isNamedKind(value)).map(({ value }) => value);
  const notes = passedOver(documents.filter(({ value }) => !isNamedKind(value)));
  const kept = objects.filter(
    (one) => namespace === undefined || textAt(objectAt(one, 'metadata'), 'namespace') === namespace,
  );
  if (kept.length === 0)
    throw new CommandError(EXIT.usage, `there is no object to judge in ${folder}`, notes);
  const read = objects as readonly unknown[] as readonly KubeObject[];
  return {
    objects: allOf(kept),
    world: worldOf(read, { platformNamespace, images, notes }),
    registered: registeredRules(read.find(isRegistration)),
    objectsOf: (wanted) => Promise.resolve(ofKind(read, wanted)),
  };
}

/** What `helm template` makes of the chart, among the manifests. */
function isRegistration({ kind, apiVersion, metadata }: KubeObject): boolean {
  const { kind: wanted, apiVersion: version } = VALIDATING_CONFIGURATIONS;
  return kind === wanted && apiVersion === version && metadata?.name === WEBHOOKS_NAME;
}

function ofKind(
  objects: readonly KubeObject[],
  { apiVersion, kind }: Pick<Resource, 'apiVersion' | 'kind'>,
): KindObjects {
  const found = objects.filter((one) => one.apiVersion === apiVersion && one.kind === kind);
  const named = found.filter((one) => typeof one.metadata?.name === 'string');
  return { resource: { apiVersion, kind, plural: pluralOf(kind), namespaced: true }, objects: named };
}

function isNamedKind(value: JsonObject): boolean {
  return textAt(value, 'kind') !== '' && textAt(value, 'apiVersion') !== '';
}

function passedOver(others: readonly SourceDocument[]): readonly string[] {
  const [first] = others;
  if (first === undefined) return [];
  const are = others.length === 1 ? '1 document has' : `${others.length} documents have`;
  return [`${are} no kind or no apiVersion, the first in ${first.file}`];
}

async function* allOf(objects: readonly LiveObject['object'][]): AsyncGenerator<LiveObject> {
  for (const object of objects) yield { object, resource: pluralOf(textAt(object, 'kind')) };
}

/** Kinds and namespaces that are named. */
const MAX_COUNTS = 10;

function outcomeOf(
  { difference, ...rest }: Compared,
  told: Pick<Around, 'packs'> & { readonly notes: readonly string[] },
): Outcome {
  const { judged, newlyDenied, newlyAllowed, bothDenied, bothAllowed, byKind, byNamespace, examples } =
    difference;
  const notes = [...told.notes, ...limitsOf(told.packs, rest)];
  return {
    // Both are worth a stop: more is refused than was, or less.
    code: newlyDenied + newlyAllowed === 0 ? EXIT.ok : EXIT.no,
    value: { ...difference, ...rest, notes },
    before: [
      `${counted(judged)}: ${newlyDenied} newly denied, ${newlyAllowed} newly allowed, ${bothDenied} denied and ${bothAllowed} allowed as before`,
      ...notes,
      ...countLines('kind', byKind),
      ...countLines('namespace', byNamespace),
    ],
    table: {
      head: ['NEWLY', 'KIND', 'NAMESPACE', 'NAME', 'WHY'],
      rows: examples.map((one) => [one.newly, one.kind, one.namespace, one.name, one.message]),
    },
  };
}

/** What the figures do not say, in words. */
function limitsOf(packs: readonly LocalPack[], found: Omit<Compared, 'difference'>): readonly string[] {
  const { unread, beyond, outside, tenantless, withoutFacts, unseen } = found;
  const { objects, rules } = withoutFacts;
  const spoke = rules.length === 0 ? '' : `, among them ${rules.join(', ')}`;
  const isOfTenants = packs.some(goesByTenants);
  const lines: readonly (readonly [boolean, string])[] = [
    [unread > 0, `${counted(unread)} could not be judged`],
    [
      objects > 0,
      `nothing is known of the images of ${counted(objects)}: rules that go by input.images could not be judged${spoke} (--images says what is known)`,
    ],
    [
      unseen.length > 0,
      `live objects (spec.inventory) are not seen: ${unseen.join('; ')}: rules that go by data.inventory saw none`,
    ],
    [
      isOfTenants && tenantless > 0,
      `of ${counted(tenantless)} no tenant is known: what goes by tenants, the binding included, saw none`,
    ],
    [
      outside > 0,
      `newly denied in namespaces of no tenant, where a cluster asks no pack: ${counted(outside)}`,
    ],
    [found.unasked.length > 0, unaskedWords(found)],
    [beyond > 0, `left out: ${counted(beyond)} that no pack is ever asked about`],
  ];
  return lines.flatMap(([isSo, line]) => (isSo ? [line] : []));
}

function unaskedWords({ unasked, perhapsAsked }: Pick<Compared, 'unasked' | 'perhapsAsked'>): string {
  const words = `the API server does not ask about ${unasked.join(', ')}: what is newly denied of that is told by scans at most`;
  if (perhapsAsked.length === 0) return words;
  return `${words} (${perhapsAsked.join(', ')}: unless webhooks.policy.resources of the chart names it, which is not known here)`;
}

function counted(objects: number): string {
  return objects === 1 ? '1 object' : `${objects} objects`;
}

function goesByTenants({ spec, source }: LocalPack): boolean {
  if (spec.binding.tenants !== undefined) return true;
  return [...source.files].some(
    ([path, text]) => path.endsWith('.rego') && /\binput\.tenant\b/.test(new TextDecoder().decode(text)),
  );
}

function countLines(what: string, list: Difference['byKind']): readonly string[] {
  const most = list.slice(0, MAX_COUNTS);
  return most.map(
    ({ name, newlyDenied, newlyAllowed }) =>
      `  ${what} ${name || '(none)'}: ${newlyDenied} newly denied, ${newlyAllowed} newly allowed`,
  );
}

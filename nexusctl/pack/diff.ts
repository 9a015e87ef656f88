// SPDX-License-Identifier: Apache-2.0
import { resolve } from 'node:path';
import { labelsOf, type NamespaceFacts } from '#operator/core/policy/facts';
import { objectAt, textAt } from '#operator/rego/gatekeeper/json';
import {
  argumentAt,
  type Call,
  type Command,
  CommandError,
  EXIT,
  flagValue,
  type Outcome,
} from '../cli/command.ts';
import { CLUSTER_FLAGS, type Live, type LiveObject } from './live.ts';
import { OPA_FLAG, openCompiler } from './compiler.ts';
import { type Difference, DifferenceCounter } from './difference.ts';
import { documentsAt } from './documents.ts';
import { readPack } from './folder.ts';
import { pluralOf } from './plural.ts';
import { reviewOfObject } from './review-of.ts';
import { judge, openPack, type ReadyPack } from './verdict.ts';

/** `nexusctl pack diff NEW`. */
export const DIFF: Command = {
  path: ['pack', 'diff'],
  summary: 'says what a pack would newly deny or allow of what there is',
  about:
    'Asks both packs about every object, as if it were created now: objects in a folder of manifests (--against), or in a cluster, which is only read. Without --old, the pack is compared with there being none. Objects that neither pack is bound to count as allowed by both.',
  args: [
    {
      name: 'NEW',
      what: 'the pack as it is to be: a folder with manifest.yaml, or a manifest with its source',
    },
  ],
  flags: [
    { name: 'old', value: 'FOLDER', what: 'the pack as it is' },
    { name: 'against', value: 'FOLDER', what: 'manifests to judge, instead of a cluster' },
    ...CLUSTER_FLAGS,
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
  const compiler = await openCompiler(call);
  const packs: Packs = {
    after: await openPack(after, compiler),
    before: before && (await openPack(before, compiler)),
  };
  const folder = flagValue(call, 'against');
  const namespace = flagValue(call, 'namespace');
  const { difference, unread } =
    folder === undefined
      ? await compareCluster(call, packs)
      : await compare(packs, await liveFrom(resolve(call.cwd, folder), namespace));
  return outcomeOf(difference, unread);
}

/** What speaks to clusters is loaded only here: the other commands begin sooner without it. */
async function compareCluster(call: Call, packs: Packs): Promise<Compared> {
  const { readLive, withCluster } = await import('./cluster.ts');
  const both = [packs.after, packs.before].flatMap((one) => (one === undefined ? [] : [one.pack]));
  return withCluster(call, async (client) =>
    compare(packs, await readLive(client, both, flagValue(call, 'namespace'))),
  );
}

/** Kinds and namespaces that are named. */
const MAX_COUNTS = 10;

interface Packs {
  readonly after: ReadyPack;
  readonly before: ReadyPack | undefined;
}

/** Objects of a folder of manifests: their namespaces are what it says of them. */
async function liveFrom(folder: string, namespace: string | undefined): Promise<Live> {
  const documents = (await documentsAt(folder)).map(({ value }) => value);
  const objects = documents.filter((one) => textAt(one, 'kind') !== '' && textAt(one, 'apiVersion') !== '');
  const isNamespace = (one: (typeof objects)[number]) =>
    one['kind'] === 'Namespace' && one['apiVersion'] === 'v1';
  const known = new Map(
    objects.filter(isNamespace).map((one): [string, NamespaceFacts] => {
      const name = textAt(objectAt(one, 'metadata'), 'name');
      return [name, { name, labels: labelsOf(one) }];
    }),
  );
  const kept = objects.filter(
    (one) => namespace === undefined || textAt(objectAt(one, 'metadata'), 'namespace') === namespace,
  );
  if (kept.length === 0) throw new CommandError(EXIT.usage, `there is no object to judge in ${folder}`);
  return { objects: allOf(kept), namespace: (name) => known.get(name) };
}

async function* allOf(objects: readonly LiveObject['object'][]): AsyncGenerator<LiveObject> {
  for (const object of objects) yield { object, resource: pluralOf(textAt(object, 'kind')) };
}

interface Compared {
  readonly difference: Difference;
  /** Objects that no review can be made of. */
  readonly unread: number;
}

async function compare({ after, before }: Packs, live: Live): Promise<Compared> {
  const counter = new DifferenceCounter();
  const now = new Date();
  let unread = 0;
  for await (const { object, resource } of live.objects) {
    const read = reviewOfObject(object, resource);
    if (read.kind === 'refused') {
      unread += 1;
      continue;
    }
    const { review } = read;
    const { namespace: name } = review;
    const namespace = name === '' ? undefined : (live.namespace(name) ?? { name, labels: {} });
    const around = {
      facts: { tenant: undefined, namespace },
      now,
      trust: 'Platform',
      point: 'audit',
    } as const;
    counter.add(review, before && judge(before, review, around), judge(after, review, around));
  }
  return { difference: counter.result(), unread };
}

function outcomeOf(difference: Difference, unread: number): Outcome {
  const { judged, newlyDenied, newlyAllowed, bothDenied, bothAllowed, byKind, byNamespace, examples } =
    difference;
  return {
    // Both are worth a stop: more is refused than was, or less.
    code: newlyDenied + newlyAllowed === 0 ? EXIT.ok : EXIT.no,
    value: { ...difference, unread },
    before: [
      `${judged} objects: ${newlyDenied} newly denied, ${newlyAllowed} newly allowed, ${bothDenied} denied and ${bothAllowed} allowed as before`,
      ...(unread === 0 ? [] : [`${unread} objects could not be judged`]),
      ...countLines('kind', byKind),
      ...countLines('namespace', byNamespace),
    ],
    table: {
      head: ['NEWLY', 'KIND', 'NAMESPACE', 'NAME', 'WHY'],
      rows: examples.map((one) => [one.newly, one.kind, one.namespace, one.name, one.message]),
    },
  };
}

function countLines(what: string, list: Difference['byKind']): readonly string[] {
  const most = list.slice(0, MAX_COUNTS);
  return most.map(
    ({ name, newlyDenied, newlyAllowed }) =>
      `  ${what} ${name || '(none)'}: ${newlyDenied} newly denied, ${newlyAllowed} newly allowed`,
  );
}

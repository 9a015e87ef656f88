// SPDX-License-Identifier: Apache-2.0
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { MAX_MODULES } from '#crds/v1alpha1/policy-source';
import { isObject, type JsonObject, listAt, objectAt } from '#operator/rego/gatekeeper/json';
import { countOf } from '#operator/core/words';
import { opaTools } from '#operator/rego/gatekeeper/opa-tools';
import { type GatekeeperPack, gatekeeperPack, sortDocuments } from '#operator/rego/gatekeeper/pack';
import { problemText } from '#operator/rego/gatekeeper/problem';
import { type SyncedKind, syncedKinds } from '#operator/rego/gatekeeper/sync';
import type { SourceDocument } from '#operator/rego/gatekeeper/template';
import {
  argumentAt,
  type Call,
  type Command,
  CommandError,
  EXIT,
  flagValue,
  type Outcome,
} from '../cli/command.ts';
import { manifestText } from '../cli/manifest.ts';
import { commentLine } from '../cli/output.ts';
import { compileOrSay, OPA_FLAG, openCompiler } from './compiler.ts';
import { sourceFiles } from '#operator/rego/compile';
import { documentsAt } from './documents.ts';
import { requirePackName } from './init.ts';
import { openJudge } from './judge.ts';
import { leftBehind } from './left-behind.ts';
import { pluralOf } from './plural.ts';

/** `nexusctl pack convert FOLDER NAME`. */
export const CONVERT: Command = {
  path: ['pack', 'convert'],
  summary: 'makes a PolicyPack of a folder of Gatekeeper templates and constraints',
  about:
    'Templates and constraints are taken as they are: Rego with its libraries, parameters, match, enforcementAction. What it makes is compiled and checked. Everything that cannot be taken over is told with file and field, and then nothing is made. Templates that look at data.inventory see live objects of the kinds that they require to be synced, or that a Config or a SyncSet names. Other documents of the folder are left out; of those that had an effect in Gatekeeper, and of fields of match that it has not, one is told, in the manifest as well.',
  args: [
    { name: 'FOLDER', what: 'YAML of ConstraintTemplates and constraints, also in folders below' },
    { name: 'NAME', what: 'of the PolicyPack' },
  ],
  flags: [
    { name: 'out', value: 'FILE', what: 'where the PolicyPack goes; else it is printed' },
    {
      name: 'folder',
      value: 'FOLDER',
      what: 'makes a folder for `pack test` and `pack build`, instead of a manifest',
    },
    {
      name: 'inventory',
      value: 'FOLDER',
      what: 'objects that templates find in data.inventory, instead of live ones of the kinds that are synced',
    },
    { name: 'namespace', value: 'NAME', what: 'of the PolicyPack' },
    { name: 'pack-version', value: 'VERSION', what: 'of the PolicyPack', default: '1.0.0' },
    OPA_FLAG,
  ],
  examples: ['pack convert gatekeeper/ baseline --namespace nexusos-system | kubectl apply -f -'],
  run: convert,
};

/** What fits into a manifest, as the operator takes it. */
const MAX_INLINE_BYTES = 512 * 1024;

async function convert(call: Call): Promise<Outcome> {
  requirePackName(argumentAt(call, 1));
  const { templates, constraints, others } = sortDocuments(
    await documentsAt(resolve(call.cwd, argumentAt(call, 0))),
  );
  if (templates.length === 0)
    throw new CommandError(EXIT.usage, `there is no ConstraintTemplate in ${argumentAt(call, 0)}`);
  if (constraints.length === 0)
    throw new CommandError(
      EXIT.usage,
      `there is no constraint in ${argumentAt(call, 0)}: templates alone refuse nothing`,
    );
  const compiler = await openCompiler(call);
  const folder = flagValue(call, 'inventory');
  const inventory = folder === undefined ? undefined : await documentsAt(resolve(call.cwd, folder));
  const live = inventory === undefined ? syncedKinds([...templates, ...others]) : [];
  const made = await gatekeeperPack({ templates, constraints, inventory, live }, opaTools(compiler.run));
  if (made.kind === 'refused')
    throw new CommandError(EXIT.no, 'the folder cannot be made into a pack', made.problems.map(problemText));
  const { modules, data, regoVersion } = made.value;
  openJudge(await compileOrSay({ files: sourceFiles(modules, data), regoVersion }, compiler));
  const kinds = made.value.referential.length === 0 ? [] : live;
  const target = flagValue(call, 'folder');
  const told = {
    templates: templates.length,
    constraints: constraints.length,
    leftOut: others.length,
    withoutEffect: leftBehind(constraints, others),
  };
  const parts = { pack: made.value, constraints, kinds };
  if (target !== undefined) return writeFolder(call, { ...parts, target, told });
  const manifest = manifestOf(call, { ...parts, isInline: true });
  checkSize(made.value);
  return writeManifest(call, manifest, told);
}

function checkSize({ modules, data }: GatekeeperPack): void {
  const count = Object.keys(modules).length;
  const bytes = Buffer.byteLength(JSON.stringify({ modules, data }));
  if (count <= MAX_MODULES && bytes <= MAX_INLINE_BYTES) return;
  throw new CommandError(
    EXIT.no,
    `${count} modules of ${bytes} bytes do not fit into a manifest, which has at most ${MAX_MODULES} of ${MAX_INLINE_BYTES}: make a folder of it (--folder), and of that a bundle (nexusctl pack build --url)`,
  );
}

interface Made {
  readonly pack: GatekeeperPack;
  readonly constraints: readonly SourceDocument[];
  /** Whose live objects are looked at. */
  readonly kinds: readonly SyncedKind[];
  readonly isInline: boolean;
}

function manifestOf(call: Call, { pack, constraints, kinds, isInline }: Made): JsonObject {
  const { modules, data, regoVersion } = pack;
  const namespace = flagValue(call, 'namespace');
  return {
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'PolicyPack',
    metadata: { name: argumentAt(call, 1), ...(namespace !== undefined && { namespace }) },
    spec: {
      version: flagValue(call, 'pack-version'),
      regoVersion,
      enforcement: 'Deny',
      binding: { rules: bindingRules(constraints) },
      ...(kinds.length > 0 && { inventory: { kinds } }),
      ...(isInline && { source: { inline: { modules, data } } }),
    },
  };
}

/**
 * Which requests the constraints can be about. A constraint that names no kind is about all; what is named in vain costs nothing, and
 * what is missing would never be asked.
 */
export function bindingRules(constraints: readonly SourceDocument[]): readonly JsonObject[] {
  const kinds = constraints.map(({ value }) =>
    listAt(objectAt(objectAt(value, 'spec'), 'match'), 'kinds').filter(isObject),
  );
  const all = { apiGroups: ['*'], resources: ['*'] };
  if (kinds.some((list) => list.length === 0)) return [all];
  const byGroup = new Map<string, Set<string>>();
  for (const { groups, resources } of kinds.flat().map(namedBy)) {
    for (const group of groups) byGroup.set(group, new Set([...(byGroup.get(group) ?? []), ...resources]));
  }
  if (byGroup.get('*')?.has('*') === true) return [all];
  return [...byGroup]
    .map(([group, resources]) => ({
      apiGroups: [group],
      resources: resources.has('*') ? ['*'] : [...resources].toSorted(),
    }))
    .toSorted((a, b) => ((a.apiGroups[0] ?? '') < (b.apiGroups[0] ?? '') ? -1 : 1));
}

function namedBy(rule: JsonObject): {
  readonly groups: readonly string[];
  readonly resources: readonly string[];
} {
  const groups = listAt(rule, 'apiGroups').map(String);
  const kinds = listAt(rule, 'kinds').map(String);
  const named = kinds.length === 0 || kinds.includes('*') ? ['*'] : kinds.map(pluralOf);
  return { groups: groups.length === 0 || groups.includes('*') ? ['*'] : groups, resources: named };
}

interface Told extends Readonly<Record<'templates' | 'constraints' | 'leftOut', number>> {
  /** What of the folder has no effect any more, in words. */
  readonly withoutEffect: readonly string[];
}

async function writeManifest(call: Call, manifest: JsonObject, told: Told): Promise<Outcome> {
  const out = flagValue(call, 'out');
  // In the manifest itself: what is printed goes to kubectl.
  const notes = told.withoutEffect.map(commentLine).join('');
  const text = `${notes}${manifestText(manifest)}`;
  if (out === undefined) return { code: EXIT.ok, value: manifest, before: [text.trimEnd()] };
  await writeFile(resolve(call.cwd, out), text);
  return { code: EXIT.ok, value: { out, ...told }, before: [...wordsOf(told), `written to ${out}`] };
}

interface ToFolder {
  readonly target: string;
  readonly pack: GatekeeperPack;
  readonly constraints: readonly SourceDocument[];
  readonly kinds: readonly SyncedKind[];
  readonly told: Told;
}

async function writeFolder(call: Call, { target, told, ...parts }: ToFolder): Promise<Outcome> {
  const { pack } = parts;
  const manifest = manifestOf(call, { ...parts, isInline: false });
  const files: Readonly<Record<string, string>> = {
    'manifest.yaml': manifestText(manifest),
    'data.json': `${JSON.stringify(pack.data, undefined, 2)}\n`,
    ...Object.fromEntries(Object.entries(pack.modules).map(([name, text]) => [`rego/${name}`, text])),
  };
  for (const [path, text] of Object.entries(files)) {
    const full = join(resolve(call.cwd, target), path);
    await mkdir(dirname(full), { recursive: true });
    await writeFile(full, text);
  }
  return {
    code: EXIT.ok,
    value: { folder: target, ...told },
    before: [...wordsOf(told), `written to ${target}`],
  };
}

function wordsOf({ templates, constraints, leftOut, withoutEffect }: Told): readonly string[] {
  const counts = `${countOf(templates, 'template')}, ${countOf(constraints, 'constraint')}; ${countOf(leftOut, 'other document')} left out`;
  return [counts, ...withoutEffect.map((words) => `without effect: ${words}`)];
}

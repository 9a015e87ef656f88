// SPDX-License-Identifier: Apache-2.0
import { readConstraint } from '../../core/policy/gatekeeper-constraints.ts';
import { adapterModule, templatePackage } from './adapter.ts';
import { inventoryOf } from './inventory.ts';
import type { Fitting, OpaTools } from './opa-tools.ts';
import { type JsonObject, objectAt, textAt } from './json.ts';
import { allOf, ok, type Problem, type Read, refused } from './problem.ts';
import { type ModuleNames, moduleNames, renameModule } from './references.ts';
import { jsonSchema, withDefaults } from './schema.ts';
import type { SyncedKind } from './sync.ts';
import { isTemplate, readTemplate, type SourceDocument, type Template } from './template.ts';

/** What a Gatekeeper folder holds. */
export interface GatekeeperSource {
  readonly templates: readonly SourceDocument[];
  readonly constraints: readonly SourceDocument[];
  /** Objects that referential templates look at. Undefined: there is none, and such templates are refused. */
  readonly inventory: readonly SourceDocument[] | undefined;
  /** Kinds whose live objects they are to look at instead. Absent: none. */
  readonly live?: readonly SyncedKind[];
}

/** A pack made of Gatekeeper templates and constraints: what any other pack has, too. */
export interface GatekeeperPack {
  /** By file name. */
  readonly modules: Readonly<Record<string, string>>;
  readonly data: JsonObject;
  readonly regoVersion: 'V0' | 'V1';
  /** Kinds of templates that look at `data.inventory`. */
  readonly referential: readonly string[];
}

/** Group of all constraints. */
const CONSTRAINTS = 'constraints.gatekeeper.sh/';

/** Whether a document is a constraint, of whichever kind. */
export function isConstraint({ value }: SourceDocument): boolean {
  return textAt(value, 'apiVersion').startsWith(CONSTRAINTS);
}

/** Sorts the documents of a folder: templates, constraints, and what is neither. */
export function sortDocuments(documents: readonly SourceDocument[]) {
  return {
    templates: documents.filter(isTemplate),
    constraints: documents.filter(isConstraint),
    others: documents.filter((one) => !isTemplate(one) && !isConstraint(one)),
  };
}

/** Makes one pack of templates and constraints, or tells everything that stands against it. */
export async function gatekeeperPack(
  source: GatekeeperSource,
  tools: OpaTools,
): Promise<Read<GatekeeperPack>> {
  const templates = allOf(source.templates.map(readTemplate));
  if (templates.kind === 'refused') return templates;
  const constraints = await constraintsOf(source.constraints, templates.value, tools);
  const modules = await modulesOf(templates.value, tools);
  const inventory = inventoryOf(source.inventory ?? []);
  const problems = [
    ...twinProblems(templates.value, source.constraints),
    ...[constraints, modules, inventory].flatMap((one) => (one.kind === 'refused' ? one.problems : [])),
    ...(modules.kind === 'ok' && isBlind(source) ? modules.value.referential.map(noInventory) : []),
  ];
  if (constraints.kind === 'refused' || modules.kind === 'refused' || inventory.kind === 'refused')
    return refused(...problems);
  if (problems.length > 0) return refused(...problems);
  const { files, referential } = modules.value;
  return ok({
    modules: { ...files, 'gatekeeper.rego': adapterModule(templates.value.map((one) => one.kind)) },
    data: {
      gatekeeper: { constraints: constraints.value },
      ...(source.inventory !== undefined && { inventory: inventory.value }),
    },
    regoVersion: versionOf(templates.value),
    referential: referential.map((one) => one.kind),
  });
}

/** Whether there is nothing to look at, dead or alive. */
function isBlind({ inventory, live = [] }: GatekeeperSource): boolean {
  return inventory === undefined && live.length === 0;
}

function noInventory({ file, kind }: Template): Problem {
  return {
    file,
    field: 'spec.targets',
    message: `${kind} looks at data.inventory: without objects to look at it would refuse nothing. Say which kinds are to be looked at (metadata.gatekeeper.sh/requires-sync-data, a Config or a SyncSet), give objects (--inventory FOLDER), or leave this template out`,
  };
}

/** Old Rego as soon as one of them is: in it, new Rego is marked by an import, and the other way round nothing is. */
function versionOf(templates: readonly Template[]): 'V0' | 'V1' {
  return templates.some((one) => one.regoVersion === 'V0') ? 'V0' : 'V1';
}

/** As they are kept in the data of the pack: as they were given, with the defaults of their templates. */
async function constraintsOf(
  documents: readonly SourceDocument[],
  templates: readonly Template[],
  { misfits }: OpaTools,
): Promise<Read<readonly JsonObject[]>> {
  const read = documents.map((one) => constraintOf(one, templates));
  const fitting = read.flatMap((one) =>
    one.kind === 'ok' && one.value.fitting !== undefined ? [one.value] : [],
  );
  const found = await misfits(fitting.flatMap((one) => one.fitting ?? []));
  const problems = fitting.flatMap(({ file }, index) =>
    (found[index] ?? []).map(({ field, message }) => ({
      file,
      field: ['spec.parameters', field].filter((part) => part !== '').join('.'),
      message: `does not fit the schema of the template: ${message}`,
    })),
  );
  if (problems.length > 0) return refused(...problems);
  const all = allOf(read);
  return all.kind === 'refused' ? all : ok(all.value.map((one) => one.constraint));
}

interface CheckedConstraint {
  readonly file: string;
  readonly constraint: JsonObject;
  /** Undefined where its template says nothing of parameters. */
  readonly fitting: Fitting | undefined;
}

function constraintOf(
  { file, value }: SourceDocument,
  templates: readonly Template[],
): Read<CheckedConstraint> {
  const read = readConstraint(value);
  if (read.kind === 'refused')
    return refused(
      ...read.faults.map(({ field, wanted }) => ({ file, field, message: `must be ${wanted}` })),
    );
  const { kind, name } = read.constraint;
  const template = templates.find((one) => one.kind === kind);
  if (template === undefined)
    return refused({ file, field: 'kind', message: `is ${kind}, and no ConstraintTemplate makes that kind` });
  const { schema } = template;
  const spec = objectAt(value, 'spec');
  const parameters = withDefaults(spec['parameters'] ?? {}, schema ?? {});
  const constraint = { kind, metadata: { name }, spec: { ...spec, parameters } };
  return ok({ file, constraint, fitting: schema && { value: parameters, schema: jsonSchema(schema) } });
}

/** What stands there twice: of two templates of a kind, or constraints of a name, Kubernetes has only one. */
function twinProblems(
  templates: readonly Template[],
  constraints: readonly SourceDocument[],
): readonly Problem[] {
  const named = [
    ...templates.map(({ file, kind }) => ({ file, what: `ConstraintTemplate ${kind}` })),
    ...constraints.map(({ file, value }) => ({
      file,
      what: `constraint ${textAt(value, 'kind')}/${textAt(objectAt(value, 'metadata'), 'name')}`,
    })),
  ];
  return named.flatMap(({ file, what }, index) => {
    const first = named.findIndex((one) => one.what === what);
    if (first === index) return [];
    return [{ file, field: 'metadata.name', message: `${what} is also in ${named[first]?.file}` }];
  });
}

interface Modules {
  readonly files: Readonly<Record<string, string>>;
  readonly referential: readonly Template[];
}

async function modulesOf(templates: readonly Template[], { parse }: OpaTools): Promise<Read<Modules>> {
  const version = versionOf(templates);
  const made = allOf(await Promise.all(templates.map((one) => templateModules(one, { parse, version }))));
  if (made.kind === 'refused') return made;
  return ok({
    files: Object.assign({}, ...made.value.map((one) => one.files)) as Record<string, string>,
    referential: templates.filter((_, index) => made.value[index]?.isReferential),
  });
}

interface TemplateModules {
  readonly files: Readonly<Record<string, string>>;
  readonly isReferential: boolean;
}

interface ParseContext {
  readonly parse: OpaTools['parse'];
  /** Of the whole pack. */
  readonly version: 'V0' | 'V1';
}

async function templateModules(
  template: Template,
  { parse, version }: ParseContext,
): Promise<Read<TemplateModules>> {
  const { file, kind, rego, libs, regoVersion } = template;
  const texts = [rego, ...libs];
  const fields = ['rego', ...libs.map((_, index) => `libs[${index}]`)];
  const trees = await Promise.all(texts.map((text) => parse(text, regoVersion)));
  const names = allOf(
    trees.map((tree, index): Read<ModuleNames> => {
      const at = { file, field: `spec.targets[0].${fields[index]}` };
      if (tree.kind === 'refused')
        return refused(...tree.messages.map((message) => ({ ...at, message: `is not Rego: ${message}` })));
      const read = moduleNames(tree.tree);
      const problems = [...nameProblems(read, index > 0)].map((message) => ({ ...at, message }));
      return problems.length > 0 ? refused(...problems) : ok(read);
    }),
  );
  if (names.kind === 'refused') return names;
  const isMarked = version !== regoVersion;
  const files = texts.map((text, index): readonly [string, string] => [
    `gatekeeper.${kind.toLowerCase()}${index === 0 ? '' : `.lib${index}`}.rego`,
    renamed(text, names.value[index], { base: templatePackage(kind), isLibrary: index > 0, isMarked }),
  ]);
  const isReferential = names.value.some((one) => one.references.some(({ root }) => root === 'inventory'));
  return ok({ files: Object.fromEntries(files), isReferential });
}

interface Place {
  readonly base: string;
  readonly isLibrary: boolean;
  /** Whether new Rego goes into a pack of old Rego. */
  readonly isMarked: boolean;
}

function renamed(text: string, names: ModuleNames | undefined, { base, isLibrary, isMarked }: Place): string {
  if (names === undefined) throw new Error('a module without its names');
  const also = isMarked && !names.importsV1 ? { also: 'import rego.v1' } : {};
  return renameModule(text, names, { base, isLibrary, ...also });
}

/** As Gatekeeper has it: libraries are below `lib`, and nothing looks at data but at them and at the inventory. */
function* nameProblems(names: ModuleNames, isLibrary: boolean): Generator<string> {
  const path = names.packagePath.join('.');
  if (isLibrary && names.packagePath[0] !== 'lib')
    yield `is package ${path}; that of a library begins with lib`;
  if (!isLibrary && !names.sets.includes('violation'))
    yield 'has no rule violation that makes a set: violation[{"msg": msg}]';
  for (const { root, place } of names.references) {
    if (root === 'lib' || root === 'inventory') continue;
    const what = root === undefined ? 'data as a whole' : `data.${root}`;
    yield `line ${place.row} looks at ${what}; a template may look at data.lib and data.inventory`;
  }
}

// SPDX-License-Identifier: Apache-2.0
import { isObject, type JsonObject, listAt, objectAt, textAt } from './json.ts';
import { ok, type Problem, type Read, refused } from './problem.ts';

/** A document of a Gatekeeper folder, and the file that it is from. */
export interface SourceDocument {
  readonly file: string;
  readonly value: JsonObject;
}

/** What a ConstraintTemplate says, as far as it is about admission. */
export interface Template {
  readonly file: string;
  /** Of its constraints. */
  readonly kind: string;
  readonly rego: string;
  readonly libs: readonly string[];
  readonly regoVersion: 'V0' | 'V1';
  /** The schema of `spec.parameters` of its constraints, if it has one. */
  readonly schema: JsonObject | undefined;
}

const GROUP = 'templates.gatekeeper.sh';
const VERSIONS = ['v1', 'v1beta1', 'v1alpha1'];
const TARGET = 'admission.k8s.gatekeeper.sh';
/** What the API server takes for the name of a kind. */
const KIND = /^[A-Za-z][A-Za-z0-9]{0,62}$/;

/** Whether a document is a ConstraintTemplate, of whichever version. */
export function isTemplate({ value }: SourceDocument): boolean {
  return value['kind'] === 'ConstraintTemplate' && textAt(value, 'apiVersion').startsWith(`${GROUP}/`);
}

/** Reads a ConstraintTemplate: all of its problems at once. */
export function readTemplate(document: SourceDocument): Read<Template> {
  const { file, value } = document;
  const spec = objectAt(value, 'spec');
  const kind = textAt(objectAt(objectAt(objectAt(spec, 'crd'), 'spec'), 'names'), 'kind');
  const problems = [...headProblems(document), ...kindProblems(document, kind)];
  const source = readSource(file, listAt(spec, 'targets'));
  if (source.kind === 'refused') return refused(...problems, ...source.problems);
  if (problems.length > 0) return refused(...problems);
  const validation = objectAt(objectAt(objectAt(spec, 'crd'), 'spec'), 'validation');
  const schema = validation['openAPIV3Schema'];
  return ok({ file, kind, ...source.value, schema: isObject(schema) ? schema : undefined });
}

function headProblems({ file, value }: SourceDocument): readonly Problem[] {
  const version = textAt(value, 'apiVersion').slice(GROUP.length + 1);
  if (VERSIONS.includes(version)) return [];
  return [
    { file, field: 'apiVersion', message: `is of version ${version}; known are ${VERSIONS.join(', ')}` },
  ];
}

function kindProblems({ file, value }: SourceDocument, kind: string): readonly Problem[] {
  const field = 'spec.crd.spec.names.kind';
  if (!KIND.test(kind)) return [{ file, field, message: 'must be the name of a kind: letters and digits' }];
  const name = textAt(objectAt(value, 'metadata'), 'name');
  if (name === kind.toLowerCase()) return [];
  return [
    {
      file,
      field: 'metadata.name',
      message: `is "${name}"; Gatekeeper takes only the kind in lower case, "${kind.toLowerCase()}"`,
    },
  ];
}

type Source = Pick<Template, 'rego' | 'libs' | 'regoVersion'>;

function readSource(file: string, targets: readonly unknown[]): Read<Source> {
  const field = 'spec.targets';
  const [target, ...others] = targets;
  if (!isObject(target) || others.length > 0)
    return refused({ file, field, message: `must have one entry, for ${TARGET}; has ${targets.length}` });
  if (target['target'] !== TARGET)
    return refused({ file, field: `${field}[0].target`, message: `must be ${TARGET}` });
  const code = listAt(target, 'code').filter(isObject);
  const index = code.findIndex((one) => one['engine'] === 'Rego');
  const engine = code[index];
  if (engine !== undefined)
    return sourceOf(file, { at: `${field}[0].code[${index}].source`, value: objectAt(engine, 'source') });
  if (code.length > 0)
    return refused({
      file,
      field: `${field}[0].code`,
      message: `has only ${code.map((one) => `engine ${textAt(one, 'engine')}`).join(', ')}; an entry with engine Rego is needed, or a ValidatingAdmissionPolicy made of it`,
    });
  return sourceOf(file, { at: `${field}[0]`, value: target });
}

function sourceOf(
  file: string,
  { at, value }: { readonly at: string; readonly value: JsonObject },
): Read<Source> {
  const rego = textAt(value, 'rego');
  const libs = value['libs'] ?? [];
  const version = value['version'] ?? 'v0';
  if (rego.trim() === '')
    return refused({ file, field: `${at}.rego`, message: 'must be Rego with a rule violation; it is empty' });
  if (!Array.isArray(libs) || !libs.every((one) => typeof one === 'string'))
    return refused({ file, field: `${at}.libs`, message: 'must be a list of texts in Rego' });
  if (version !== 'v0' && version !== 'v1')
    return refused({
      file,
      field: `${at}.version`,
      message: `must be v0 or v1; is ${JSON.stringify(version)}`,
    });
  return ok({ rego, libs, regoVersion: version === 'v1' ? 'V1' : 'V0' });
}

// SPDX-License-Identifier: Apache-2.0
import type { KubeObject, ObjectMeta } from '../object.ts';
import { answeredOf } from './answer-files.ts';
import { type CopiedInput, INPUT_KEY } from './input.ts';
import { literal } from './literal.ts';
import type { Run } from './run.ts';

/** Folder of the container that holds what a Run is given. */
export const INPUT_FOLDER = '/var/run/nexusos/input';
/** Where the container says its result: the file that a kubelet reads at its end. */
export const RESULT_FILE = '/dev/termination-log';
const VOLUME = 'input';
const PARAMETERS_KEY = 'parameters.json';
/** Before the name of a parameter: as a key, and with its folder as a path. */
const PARAMETER = 'parameter.';

/** What the container of an attempt is given. */
export interface Given {
  readonly run: Run;
  /** Name of the ConfigMap of the attempt. */
  readonly name: string;
  readonly copied: CopiedInput | undefined;
  readonly parameters: ReadonlyMap<string, string>;
}

interface EnvVar {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: object;
}

/** The ConfigMap that holds copied input, parameters and answers; undefined where there are none. */
export function givenConfigMap(given: Given, metadata: ObjectMeta): KubeObject | undefined {
  const { run, copied, parameters } = given;
  const { files } = answeredOf(run);
  if (configMapItems(given).length === 0) return undefined;
  const { content } = copied ?? {};
  const values = Object.fromEntries([...parameters].map(([name, value]) => [PARAMETER + name, value]));
  const data = {
    ...(content !== undefined && 'text' in content && { [INPUT_KEY]: content.text }),
    ...(parameters.size > 0 && {
      [PARAMETERS_KEY]: JSON.stringify(Object.fromEntries(parameters)),
      ...values,
    }),
    ...files,
  };
  const binary = content !== undefined && 'base64' in content ? { [INPUT_KEY]: content.base64 } : undefined;
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata,
    immutable: true,
    data,
    ...(binary !== undefined && { binaryData: binary }),
  };
}

/** The parameters that are in the ConfigMap of an attempt. */
export function parametersIn(configMap: KubeObject): ReadonlyMap<string, string> {
  const { data = {} } = configMap as { readonly data?: Readonly<Record<string, string>> };
  const keys = Object.entries(data).filter(([key]) => key.startsWith(PARAMETER));
  return new Map(keys.map(([key, value]) => [key.slice(PARAMETER.length), value]));
}

/** The volume of `INPUT_FOLDER`, and its mount; none where there is nothing in it. */
export function givenVolumes(given: Given): {
  readonly volumes: readonly object[];
  readonly mounts: readonly object[];
} {
  const sources = [...configMapSource(given), ...secretSource(given.run)];
  if (sources.length === 0) return { volumes: [], mounts: [] };
  return {
    volumes: [{ name: VOLUME, projected: { sources } }],
    mounts: [{ name: VOLUME, mountPath: INPUT_FOLDER, readOnly: true }],
  };
}

/**
 * Variables about what is given. Values of parameters are taken from the ConfigMap: written here, `$(NAME)` in them
 * would be replaced by Kubernetes.
 */
export function givenVariables(given: Given): readonly EnvVar[] {
  const { run, name, parameters } = given;
  const { uri, digest } = run.spec.input ?? {};
  const known = {
    NEXUSOS_RESULT_FILE: RESULT_FILE,
    ...pathsOf(given),
    ...inputFacts(given, { uri, digest }),
    ...answeredOf(run).values,
    ...(run.spec.session !== undefined && { NEXUSOS_SESSION: run.spec.session }),
  };
  return [
    ...Object.entries(known).map(([key, value]) => ({ name: key, value: literal(value) })),
    ...[...parameters.keys()].map((key) => ({
      name: `NEXUSOS_PARAMETER_${key}`,
      valueFrom: { configMapKeyRef: { name, key: PARAMETER + key } },
    })),
  ];
}

function pathsOf({ run, copied, parameters }: Given): Readonly<Record<string, string>> {
  const answered = Object.entries(answeredOf(run).paths);
  const hasFile = copied !== undefined || run.spec.input?.secretKeyRef !== undefined;
  return {
    ...(hasFile && { NEXUSOS_INPUT_FILE: `${INPUT_FOLDER}/${INPUT_KEY}` }),
    ...(parameters.size > 0 && { NEXUSOS_PARAMETERS_FILE: `${INPUT_FOLDER}/${PARAMETERS_KEY}` }),
    ...Object.fromEntries(answered.map(([name, file]) => [name, `${INPUT_FOLDER}/${file}`])),
  };
}

function inputFacts(
  { copied }: Given,
  {
    uri,
    digest = copied?.facts.digest,
  }: { readonly uri?: string | undefined; readonly digest?: string | undefined },
): Readonly<Record<string, string>> {
  return {
    ...(uri !== undefined && { NEXUSOS_INPUT_URI: uri }),
    ...(digest !== undefined && { NEXUSOS_INPUT_DIGEST: digest }),
  };
}

function configMapSource(given: Given): readonly object[] {
  const items = configMapItems(given);
  return items.length === 0 ? [] : [{ configMap: { name: given.name, items } }];
}

/** Keys of the ConfigMap of an attempt, and the files that they become. */
function configMapItems({ run, copied, parameters }: Given): readonly object[] {
  return [
    ...(copied === undefined ? [] : [{ key: INPUT_KEY, path: INPUT_KEY }]),
    ...(parameters.size === 0 ? [] : [{ key: PARAMETERS_KEY, path: PARAMETERS_KEY }]),
    ...[...parameters.keys()].map((key) => ({ key: PARAMETER + key, path: `parameters/${key}` })),
    ...Object.keys(answeredOf(run).files).map((key) => ({ key, path: key })),
  ];
}

function secretSource({ spec }: Run): readonly object[] {
  const { secretKeyRef } = spec.input ?? {};
  if (secretKeyRef === undefined) return [];
  const { name, key } = secretKeyRef;
  return [{ secret: { name, items: [{ key, path: INPUT_KEY }] } }];
}

// SPDX-License-Identifier: Apache-2.0
import type { KubeObject } from '#operator/core/object';
import { LABELS } from '#crds/v1alpha1/names';
import { requested } from './node-pools.ts';
import { at, conditionOf, fullName, type Snapshot, textAt } from './snapshot.ts';

/** One promise, and whether it was kept. `detail` says what was seen. */
export interface Verdict {
  readonly what: string;
  readonly ok: boolean;
  readonly detail: string;
}

const FINAL = ['Succeeded', 'Failed', 'Cancelled'];

/** What stands for a service takes a while to come up. */
function isJudged(object: KubeObject): boolean {
  const isUnderWay = conditionOf(object, 'Reconciling').status === 'True';
  return !isUnderWay && conditionOf(object, 'Ready').status !== 'Unknown';
}

/** Whether nothing is under way any more: every Tenant and Agent has been judged, and every Run has ended. */
export function isSettled(snapshot: Snapshot): boolean {
  return (
    snapshot.runs.length > 0 &&
    [...snapshot.tenants, ...snapshot.agents].every(isJudged) &&
    snapshot.runs.every((run) => FINAL.includes(textAt(run, ['status', 'phase'])))
  );
}

/** What the samples promise, judged on a snapshot: tenants and agents Ready, Runs Succeeded, each on its pool. */
export function judge(snapshot: Snapshot): readonly Verdict[] {
  return [
    allReady('tenants Ready', snapshot.tenants),
    allReady('agents Ready', snapshot.agents),
    allSucceeded(snapshot.runs),
    allOnTheirPools(snapshot),
  ];
}

function allReady(what: string, objects: readonly KubeObject[]): Verdict {
  const not = objects.filter((one) => conditionOf(one, 'Ready').status !== 'True');
  return verdict(
    what,
    objects,
    not.map((one) => `${fullName(one)}: ${conditionOf(one, 'Ready').message}`),
  );
}

function allSucceeded(runs: readonly KubeObject[]): Verdict {
  const not = runs.filter((run) => textAt(run, ['status', 'phase']) !== 'Succeeded');
  return verdict(
    'runs Succeeded',
    runs,
    not.map((run) => `${fullName(run)}: ${textAt(run, ['status', 'phase'], 'new')}`),
  );
}

/** A Run with a GPU class belongs on nodes that the class selects, one without on nodes without GPUs. */
function allOnTheirPools(snapshot: Snapshot): Verdict {
  return verdict(
    'runs on their node pools',
    snapshot.runs,
    snapshot.runs.flatMap((run) => {
      const problem = placeProblem(run, snapshot);
      return problem === undefined ? [] : [`${fullName(run)}: ${problem}`];
    }),
  );
}

function placeProblem(run: KubeObject, snapshot: Snapshot): string | undefined {
  const pod = snapshot.pods.find((one) => one.metadata.labels?.[LABELS.runUid] === run.metadata.uid);
  const node = snapshot.nodes.find((one) => one.metadata.name === textAt(pod, ['spec', 'nodeName']));
  if (pod === undefined || node === undefined) return 'no pod of it is on a node';
  const className = gpuClassOf(run, snapshot);
  const labels = node.metadata.labels ?? {};
  const pool = labels[LABELS.nodePool] ?? node.metadata.name;
  if (className === undefined) {
    return labels['nvidia.com/gpu.present'] === 'true' ? `needs no GPU and is on ${pool}` : undefined;
  }
  const gpuClass = snapshot.gpuClasses.find((one) => one.metadata.name === className);
  if (!isSelected(gpuClass, labels)) return `its class is ${className}, and it is on ${pool}`;
  const resource = textAt(gpuClass, ['spec', 'resourceName']);
  return resource !== '' && requested(pod, resource) === 0 ? `holds no ${resource}` : undefined;
}

function isSelected(gpuClass: KubeObject | undefined, labels: Readonly<Record<string, string>>): boolean {
  const wanted = Object.entries(at(gpuClass, 'spec', 'nodeSelector') ?? {});
  return wanted.every(([key, value]) => labels[key] === value);
}

function gpuClassOf(run: KubeObject, { agents }: Snapshot): string | undefined {
  const name = textAt(run, ['spec', 'agentRef', 'name']);
  const agent = agents.find(
    (one) => one.metadata.name === name && one.metadata.namespace === run.metadata.namespace,
  );
  const className = textAt(agent, ['spec', 'gpu', 'class']);
  return className === '' ? undefined : className;
}

/** None at all is no success: then nothing was tried. */
function verdict(what: string, all: readonly unknown[], problems: readonly string[]): Verdict {
  const kept = all.length - problems.length;
  const detail = [`${kept} of ${all.length}`, ...problems].join('; ');
  return { what, ok: all.length > 0 && problems.length === 0, detail };
}

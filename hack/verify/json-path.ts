// SPDX-License-Identifier: Apache-2.0
import type { Schema } from '#crds/openapi/structural';
import { fieldOf } from './partial-object.ts';

/** One step of a path: a field, wherever it is below if `isDeep`; or an item of a list, with the field that items are chosen by. */
type Step =
  | { readonly field: string; readonly isDeep: boolean }
  | { readonly chosenBy: readonly Step[] | undefined };

/** A node of a schema, or anything at all. */
type Node = Schema | 'any';

/**
 * Paths of a JSONPath template of kubectl that lead to no field of an object of `schema`, or of a list of these. Worked example, for Runs:
 * `{range .items[*]}{.status.phse}{end}` gives `.items[*].status.phse`.
 */
export function deadPaths(template: string, schema: Schema): readonly string[] {
  return pathsOf(template).filter((path) => follow([schema], stepsOf(path)).length === 0);
}

/** Whole paths that a template reads, those within `range` and `end` with that of the range before them. */
function pathsOf(template: string): readonly string[] {
  const ranges: string[] = [];
  return [...template.matchAll(/\{([^}]*)\}/g)].flatMap(([, inner = '']) => {
    if (inner === 'end') ranges.pop();
    if (inner === 'end' || inner.startsWith('"')) return [];
    const path = `${ranges.at(-1) ?? ''}${inner.replace(/^range +/, '')}`;
    if (inner.startsWith('range ')) ranges.push(path);
    return [path];
  });
}

function stepsOf(path: string): readonly Step[] {
  return [...path.matchAll(/(\.\.?)([A-Za-z][\w-]*)|\[([^\]]*)\]/g)].map(
    ([, dots = '', field, index = '']) => {
      if (field !== undefined) return { field, isDeep: dots === '..' };
      const chosenBy = /@([\w.]+)/.exec(index)?.[1];
      return { chosenBy: chosenBy === undefined ? undefined : stepsOf(chosenBy) };
    },
  );
}

function follow(from: readonly Node[], steps: readonly Step[]): readonly Node[] {
  return steps.reduce((nodes, step, index) => nodes.flatMap((node) => next(node, step, index === 0)), from);
}

function next(node: Node, step: Step, isFirst: boolean): readonly Node[] {
  if (node === 'any') return [node];
  if (!('field' in step)) return itemsOf(node, step.chosenBy);
  // What is asked of several objects is a list of them.
  if (isFirst && step.field === 'items') return [node];
  // What is left open may have any field: that says nothing of one that is looked for everywhere.
  if (step.isDeep)
    return below(node).flatMap((one) => known(fieldOf(one, step.field)).filter((found) => found !== 'any'));
  return node['type'] === 'object' ? known(fieldOf(node, step.field)) : [];
}

/** Of a list its items; of the object that stands for the items of a list, that. */
function itemsOf(node: Schema, chosenBy: readonly Step[] | undefined): readonly Node[] {
  const item = (node['items'] as Schema | undefined) ?? (node['type'] === 'object' ? node : undefined);
  if (item === undefined) return [];
  return chosenBy === undefined || follow([item], chosenBy).length > 0 ? [item] : [];
}

function known(node: Node | undefined): readonly Node[] {
  return node === undefined ? [] : [node];
}

/** A node and all nodes in it. */
function below(node: Schema): readonly Schema[] {
  const fields = Object.values((node['properties'] ?? {}) as Readonly<Record<string, Schema>>);
  const items = [node['items'], node['additionalProperties']] as readonly (Schema | undefined)[];
  const inside = [...fields, ...items.filter((one) => one !== undefined)];
  return [node, ...inside.flatMap(below)];
}

// SPDX-License-Identifier: Apache-2.0
import type { Resource } from '../../core/object.ts';
import type { AnyController, Patience } from '../../runtime/controller.ts';
import { controllersFor } from '../index.ts';

const { controllers } = controllersFor({
  platformNamespace: 'platform',
  operatorServiceAccount: 'operator',
  reservedRanges: [],
});

function controllerOf(name: string): AnyController {
  const found = controllers.find((one) => one.name === name);
  if (found === undefined) throw new Error(`there is no controller ${name}`);
  return found;
}

/** How long a controller of that name may wait with a change of a kind that it reconciles, or watches. */
export function patienceOf(name: string, { kind }: Resource): Patience {
  const { resource, patienceMs, watches } = controllerOf(name);
  const all = [
    ...(resource.kind === kind ? [patienceMs] : []),
    ...watches.filter((one) => one.resource.kind === kind).map((one) => one.patienceMs),
  ];
  return (change, read) => Math.min(...all.map((one) => one?.(change, read) ?? 0));
}

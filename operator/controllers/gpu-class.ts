// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import { GPU_CLASS, type GPUClassStatus } from '#crds/v1alpha1/gpu-class';
import type { GPUClass } from '../core/agent/agent.ts';
import { planGPUClass } from '../core/capacity/class-status.ts';
import type { Supply } from '../core/capacity/supply.ts';
import { type Kueue, KUEUE_GROUP } from '../core/kueue/kueue.ts';
import { flavorName, flavorToApply } from '../core/kueue/queues.ts';
import type { KubeObject } from '../core/object.ts';
import {
  type Controller,
  keyOf,
  parseWith,
  type PolicyRule,
  type Reader,
  type Watch,
} from '../runtime/controller.ts';
import { kueueKinds } from './shared/capacity-gate.ts';
import type { DeviceBook } from './shared/device-book.ts';
import { GPU_CLASSES } from '../core/resources.ts';

/** What was seen of a GPUClass: all devices, and the ResourceFlavor that Kueue is to know it by, where that decides on capacity. */
export interface GPUClassObserved {
  readonly supply: Supply;
  readonly flavor: KubeObject | undefined;
}

/** The controller of GPUClasses: which devices each has, and how many of them are free. */
export function gpuClassController(
  book: DeviceBook,
  kueue?: Kueue,
): Controller<GPUClass, GPUClassObserved, GPUClassStatus> {
  return {
    name: 'gpu-class',
    resource: GPU_CLASSES,
    // Classes are few, and a device may be of several.
    watches: [...book.watches((read: Reader) => read.list(GPU_CLASSES).map(keyOf)), ...flavorWatches(kueue)],
    rbac: rbacOf(kueue),
    parse: parseWith(z.object({ spec: GPU_CLASS.spec })),
    group: () => 'platform',
    observe: (gpuClass, read) => ({ supply: book.supply(read), flavor: flavorOf(gpuClass, kueue, read) }),
    plan: (gpuClass, { supply, flavor }, now) => {
      const plan = planGPUClass(gpuClass, supply, now);
      return flavor === undefined ? plan : { ...plan, apply: [flavor] };
    },
  };
}

function flavorOf(gpuClass: GPUClass, kueue: Kueue | undefined, read: Reader): KubeObject | undefined {
  if (kueue?.isServed !== true) return undefined;
  const { flavors } = kueueKinds(kueue.version);
  const live = read.get(flavors, { name: flavorName(kueue, gpuClass.metadata.name) });
  return flavorToApply(gpuClass, kueue, live);
}

function flavorWatches(kueue: Kueue | undefined): readonly Watch[] {
  if (kueue?.isServed !== true) return [];
  const classOf: Watch['keys'] = ({ metadata }, read) =>
    read
      .list(GPU_CLASSES)
      .map(keyOf)
      .filter(({ name }) => flavorName(kueue, name) === metadata.name);
  return [{ resource: kueueKinds(kueue.version).flavors, keys: classOf }];
}

function rbacOf(kueue: Kueue | undefined): readonly PolicyRule[] {
  if (kueue?.isServed !== true) return [];
  return [{ apiGroups: [KUEUE_GROUP], resources: ['resourceflavors'], verbs: ['create', 'patch'] }];
}

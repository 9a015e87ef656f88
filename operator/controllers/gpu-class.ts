// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';
import { GPU_CLASS, type GPUClassStatus } from '#crds/v1alpha1/gpu-class';
import type { GPUClass } from '../core/agent/agent.ts';
import { planGPUClass } from '../core/capacity/class-status.ts';
import type { Supply } from '../core/capacity/supply.ts';
import { type Controller, keyOf, parseWith, type Reader } from '../runtime/controller.ts';
import type { DeviceBook } from './shared/device-book.ts';
import { GPU_CLASSES } from './shared/resources.ts';

/** The controller of GPUClasses: which devices each has, and how many of them are free. */
export function gpuClassController(book: DeviceBook): Controller<GPUClass, Supply, GPUClassStatus> {
  return {
    name: 'gpu-class',
    resource: GPU_CLASSES,
    // Classes are few, and a device may be of several.
    watches: book.watches((read: Reader) => read.list(GPU_CLASSES).map(keyOf)),
    rbac: [],
    parse: parseWith(z.object({ spec: GPU_CLASS.spec })),
    group: () => 'platform',
    observe: (_, read) => book.supply(read),
    plan: planGPUClass,
  };
}

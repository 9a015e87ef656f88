// SPDX-License-Identifier: Apache-2.0
import type { Resource } from './core/object.ts';
import { MAX_FOREIGN_KINDS, readForeignKinds } from './core/policy/foreign-kinds.ts';
import type { Setting } from './settings.ts';

/** Kinds of others that the operator looks at, as it is told them. */
export const POLICY_RESOURCES = {
  what: 'Kinds of CustomResourceDefinitions of others that packs judge where they exist, separated by commas. What the API server asks about says the webhook configuration.',
  default: '',
  allowed: `group/version/plural=Kind separated by commas, each kind once, up to ${MAX_FOREIGN_KINDS}, such as argoproj.io/v1alpha1/rollouts=Rollout; no group of Kubernetes or NexusOS`,
  parse: (text) => {
    const read = readForeignKinds(text);
    return read.kind === 'ok' ? read.kinds : undefined;
  },
  explain: (text) => {
    const read = readForeignKinds(text);
    return read.kind === 'ok' ? [] : read.problems;
  },
} satisfies Setting<readonly Resource[]>;

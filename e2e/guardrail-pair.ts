// SPDX-License-Identifier: Apache-2.0
import type { Fields } from './guardrail-objects.ts';

/** A manifest that must be refused, and one that differs in nothing but what is wrong with it. */
export interface Pair {
  readonly bad: Fields;
  readonly good: Fields;
  /** What the refusal must name. Empty where Kubernetes itself refuses first, in its own words. */
  readonly field: string;
  /** What the refusal must say that it found; left out where that is told by another case. */
  readonly found?: string;
}

/** What the Tenant of the cases says, as far as the cases are about it. */
export const GUARDED_SPEC = {
  entitlements: {
    registries: ['registry.example', 'docker.io/library/busybox'],
    priorityClasses: ['batch'],
  },
  network: {
    egress: [
      { cidr: '203.0.113.0/24' },
      { cidr: '198.51.100.0/24', ports: [{ port: 443 }] },
      { cidr: '100.0.0.0/8' },
    ],
  },
  branding: { supportContact: 'ops@guard.example' },
} as const;

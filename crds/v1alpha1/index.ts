// SPDX-License-Identifier: Apache-2.0
import type { KindDescriptor } from '../openapi/kind.ts';
import { AGENT } from './agent.ts';
import { AGENT_REVISION } from './agent-revision.ts';
import { GPU_CLASS } from './gpu-class.ts';
import { CLUSTER_IMAGE_POLICY, IMAGE_POLICY } from './image-policy.ts';
import { IMAGE_VERDICT } from './image-verdict.ts';
import { IMAGE_WAIVER } from './image-waiver.ts';
import { POLICY_EXEMPTION } from './policy-exemption.ts';
import { POLICY_PACK } from './policy-pack.ts';
import { POLICY_PACK_REVISION } from './policy-pack-revision.ts';
import { POLICY_REPLICA } from './policy-replica.ts';
import { QUOTA_LEDGER } from './quota-ledger.ts';
import { RUN } from './run.ts';
import { TENANT } from './tenant.ts';
import { TRUST_ROOT } from './trust-root.ts';
import { USAGE_RECORD } from './usage-record.ts';

/** Every kind, in the order in which they are installed. */
export const KINDS: readonly KindDescriptor[] = [
  GPU_CLASS,
  TENANT,
  QUOTA_LEDGER,
  USAGE_RECORD,
  AGENT,
  AGENT_REVISION,
  RUN,
  POLICY_PACK,
  POLICY_PACK_REVISION,
  POLICY_EXEMPTION,
  POLICY_REPLICA,
  TRUST_ROOT,
  CLUSTER_IMAGE_POLICY,
  IMAGE_POLICY,
  IMAGE_VERDICT,
  IMAGE_WAIVER,
];

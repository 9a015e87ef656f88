// SPDX-License-Identifier: Apache-2.0
import { POLICY_PACK, type PolicyPackSpec } from '#crds/v1alpha1/policy-pack';
import { ensureTools } from '#hack/tools/build';
import type { PackPlace } from '../../core/policy-pack/pack.ts';
import { readSource } from '../../core/policy-pack/source.ts';
import type { PackRequest } from '../../core/policy-pack/verification.ts';
import { createMetrics } from '../../telemetry/metrics.ts';
import { type Toolchain, toolchainAt, trialHost } from '../toolchain.ts';
import type { Fetched, VerifyTools } from '../verify-pack.ts';

let toolchain: Promise<Toolchain> | undefined;

/** The pinned compiler, built if it has to be. */
export function pinnedToolchain(): Promise<Toolchain> {
  toolchain ??= ensureTools(['opa']).then(({ opa }) => toolchainAt(opa));
  return toolchain;
}

/** What a pack is verified with; `bundle` is what every address answers with. */
export async function verifyTools(bundle: Uint8Array = new Uint8Array()): Promise<VerifyTools> {
  const metrics = createMetrics();
  return {
    ...(await pinnedToolchain()),
    fetch: (): Promise<Fetched> => Promise.resolve({ kind: 'ok', bytes: bundle }),
    host: () => trialHost(metrics),
    platformNamespace: 'nexusos-system',
    now: () => new Date('2026-11-22T12:00:00Z'),
  };
}

/** A request to verify a pack whose spec has `source`, with the defaults of the kind beside what is given. */
export function packRequest(
  spec: Partial<Record<keyof PolicyPackSpec, unknown>>,
  place: PackPlace = { kind: 'platform' },
): PackRequest {
  const whole = POLICY_PACK.spec.parse({ version: '1.0.0', ...spec });
  const source = readSource(whole, undefined);
  if (source.kind === 'fault') throw new Error(source.fault.message);
  const namespace = place.kind === 'tenant' ? `${place.tenant}-main` : 'nexusos-system';
  return { key: source.digest, pack: `${namespace}/pack`, place, content: source.content, spec: whole };
}

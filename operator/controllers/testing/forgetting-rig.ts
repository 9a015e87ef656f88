// SPDX-License-Identifier: Apache-2.0
import type { ImageWorks } from '../../core/images/works.ts';
import type { KubeObject } from '../../core/object.ts';
import { keyOf, keyString, type Reader } from '../../runtime/controller.ts';
import { imageVerdictController } from '../image-verdict.ts';
import { ImagePolicies } from '../shared/image-policies.ts';

/** Who tells which verdicts are there, and takes note of what is forgotten. */
export function forgettingRig(there: readonly KubeObject[]) {
  const forgotten: string[] = [];
  const verifier = { forget: (verdict: string) => forgotten.push(verdict), onDone: () => undefined };
  const works = { verifier } as unknown as ImageWorks;
  const reader = {
    get: (_: unknown, key: Parameters<Reader['get']>[1]) =>
      there.find((one) => keyString(keyOf(one)) === keyString(key)),
  } as unknown as Reader;
  const policies = new ImagePolicies('platform');
  const controller = imageVerdictController({ platformNamespace: 'platform', works, policies });
  return { reader, forgotten, controller };
}

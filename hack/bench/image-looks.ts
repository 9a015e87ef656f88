// SPDX-License-Identifier: Apache-2.0
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { PolicyInputs } from '#operator/core/images/inputs';
import type { RegistrySettings } from '#operator/oci/settings';
import { SHIPPED_NODE_OPTIONS } from '../system/node-options.ts';
import { type ImageSupply, REPOSITORY, ROOT } from './image-supply.ts';
import type { Stalls } from './own-stalls.ts';
import type { Figure } from './report.ts';
import { named } from './run-world.ts';

const IMAGES = 200;
/** Not counted: code is compiled meanwhile. */
const WARM_UP = 60;
const STALL_MS = 10;
const INSIDE = join(import.meta.dirname, 'image-looks-inside.ts');

/** What a process is told that is to look at images. */
export interface ToLookAt {
  readonly registries: readonly RegistrySettings[];
  readonly policy: PolicyInputs;
  /** By digest. */
  readonly warmUp: readonly string[];
  readonly images: readonly string[];
}

/** What it says of that, but for the warm-up. */
export interface LookedAt {
  readonly seconds: number;
  /** By the clock, in milliseconds. */
  readonly stalls: Stalls;
  /** Of a processor. */
  readonly ownStalls: Stalls;
  /** Of a processor, in milliseconds: the thread that everything else of the operator is done in. */
  readonly loopMs: number;
  /** Other threads, and the process that judges. NaN where that was not one process all the time: what another one took says nothing of it. */
  readonly othersMs: number;
}

/**
 * What verification of images that nobody has looked at yet costs the thread that it is beside: registries are asked, answers are read, and held
 * against digests there; signatures are checked elsewhere. In a process that does nothing else meanwhile, and is started as the operator is: how much
 * garbage waits, and how it is collected, would otherwise be that of whoever measures.
 */
export async function measureLooks(supply: ImageSupply): Promise<readonly Figure[]> {
  const digests = await supply.images(named('look', IMAGES + WARM_UP));
  const images = digests.map((digest) => `${supply.registry.host}/${REPOSITORY}@${digest}`);
  const looked = await lookInside({
    registries: supply.hosts,
    policy: policyOf(supply),
    warmUp: images.slice(0, WARM_UP),
    images: images.slice(WARM_UP),
  });
  return [
    { name: 'keyless images that nobody has looked at', value: IMAGES / looked.seconds, unit: '/s' },
    {
      name: '... longest stall of the thread beside it',
      value: looked.stalls.longest,
      unit: 'ms',
      bar: { atMost: STALL_MS },
    },
    { name: '... p99 of its stalls', value: looked.stalls.p99, unit: 'ms' },
    {
      name: '... longest stall of its own, of a processor',
      value: looked.ownStalls.longest,
      unit: 'ms',
      bar: { atMost: STALL_MS },
    },
    { name: '... p99 of these', value: looked.ownStalls.p99, unit: 'ms' },
    { name: '... processor time of it', value: looked.loopMs / IMAGES, unit: 'ms' },
    {
      name: '... processor time of other threads, and of the process that judges',
      value: looked.othersMs / IMAGES,
      unit: 'ms',
    },
  ];
}

function policyOf({ policy, sigstore }: ImageSupply): PolicyInputs {
  return { spec: policy, roots: { [ROOT]: JSON.stringify(sigstore.trustedRoot) }, keys: {}, waivers: [] };
}

/** @throws Error where it ends without an answer; it has told why. */
async function lookInside(toLookAt: ToLookAt): Promise<LookedAt> {
  // What is not a number is no number there either.
  const inside = fork(INSIDE, { execArgv: [...SHIPPED_NODE_OPTIONS], serialization: 'advanced' });
  const end = new AbortController();
  const answered = once(inside, 'message', { signal: end.signal });
  const ended = once(inside, 'exit', { signal: end.signal }).then(() => {
    throw new Error('the process that looks at images has said nothing');
  });
  try {
    inside.send(toLookAt);
    const [looked] = await Promise.race([answered, ended]);
    return looked as LookedAt;
  } finally {
    end.abort();
    await Promise.allSettled([answered, ended]);
    inside.kill();
  }
}

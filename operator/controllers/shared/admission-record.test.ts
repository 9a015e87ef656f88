// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { ANNOTATIONS } from '#crds/v1alpha1/names';
import type { RunStatus } from '#crds/v1alpha1/run';
import type { KubeObject } from '../../core/object.ts';
import { nextChildName } from '../../core/run/admission-record.ts';
import { planRun } from '../../core/run/plan.ts';
import { makePod, makeRun, NOW } from '../../core/run/testing/make.ts';
import { NOTHING_SEEN, RESERVED } from '../../core/run/testing/plan-cases.ts';
import type { Reader } from '../../runtime/controller.ts';
import { asItsPodSays, nextPodOf } from './admission-record.ts';

const MADE = planRun(makeRun(), { ...NOTHING_SEEN, reservation: RESERVED }, NOW).create.at(-1);
const SAID = MADE?.metadata.annotations?.[ANNOTATIONS.admission] ?? '';

function reading(pods: readonly KubeObject[]): Reader {
  const get: Reader['get'] = (_, { name }) => pods.find(({ metadata }) => metadata.name === name);
  return { get } as unknown as Reader;
}

interface Case {
  readonly status?: RunStatus;
  /** What the annotation says; what we write when left out. */
  readonly says?: string | undefined;
  readonly isForeign?: true;
  /** Of the pod. */
  readonly attempt?: number;
  readonly wantEarly: boolean;
  readonly wantMade: boolean;
}

const changed = (more: object): string => JSON.stringify({ ...(JSON.parse(SAID) as object), ...more });

const CASES: Readonly<Record<string, Case>> = {
  'the pod of a Run that does not tell of it yet': { wantEarly: true, wantMade: true },
  'that of a Run in the queue': { status: { phase: 'Queued', attempt: 0 }, wantEarly: true, wantMade: true },
  'that of its next attempt': {
    status: { phase: 'Queued', attempt: 1 },
    attempt: 2,
    wantEarly: true,
    wantMade: true,
  },
  'not that of the last': { status: { phase: 'Queued', attempt: 1 }, wantEarly: false, wantMade: false },
  'not that of a Run that tells of it': {
    status: { phase: 'Admitted', attempt: 0 },
    wantEarly: false,
    wantMade: false,
  },
  'not one of somebody else by that name': { isForeign: true, wantEarly: false, wantMade: false },
  'one that says nothing': { says: undefined, wantEarly: false, wantMade: true },
  'one that says something else': { says: '{"atMs":', wantEarly: false, wantMade: true },
  'one that says less': { says: '{"atMs":1}', wantEarly: false, wantMade: true },
  'one that says a list': { says: '[]', wantEarly: false, wantMade: true },
  'one that charges nothing': { says: changed({ open: { rate: {} } }), wantEarly: false, wantMade: true },
  'one that charges less than nothing': {
    says: SAID.replace(/"tierPercent":\d+/, '"tierPercent":-1'),
    wantEarly: false,
    wantMade: true,
  },
};

for (const [name, given] of Object.entries(CASES)) {
  test(name, (t) => {
    const { status, attempt = 1, isForeign, wantEarly, wantMade } = given;
    const says = 'says' in given ? given.says : SAID;
    const run = makeRun({}, status);
    const pod = makePod(
      {},
      {},
      {
        name: nextChildName(makeRun({}, { attempt: attempt - 1 })),
        ...(isForeign && { ownerReferences: [] }),
        ...(says !== undefined && { annotations: { [ANNOTATIONS.admission]: says } }),
      },
    );
    const read = reading([pod]);
    const { early, isMade } = nextPodOf(run, read);
    t.deepEqual([early !== undefined, isMade], [wantEarly, wantMade]);
    t.is(asItsPodSays(run, read).status?.phase, wantEarly ? 'Admitted' : status?.phase);
    t.deepEqual(nextPodOf(run, reading([])), { early: undefined, isMade: false });
  });
}

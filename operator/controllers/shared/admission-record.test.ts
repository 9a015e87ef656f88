// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { ANNOTATIONS } from '#crds/v1alpha1/names';
import type { RunStatus } from '#crds/v1alpha1/run';
import type { KubeObject } from '../../core/object.ts';
import { nextChildName } from '../../core/run/admission-record.ts';
import { planRun } from '../../core/run/plan.ts';
import type { Run } from '../../core/run/run.ts';
import { makePod, makeRun, NOW } from '../../core/run/testing/make.ts';
import { NOTHING_SEEN, RESERVED } from '../../core/run/testing/plan-cases.ts';
import { preemptingLedger } from '../../core/quota/testing/make-held.ts';
import type { Ledger } from '../../core/tenant/tenant.ts';
import type { Reader } from '../../runtime/controller.ts';
import { asItsPodSays, findNextPod, nextPodOf } from './admission-record.ts';

const OWNER = { name: 'r', uid: makeRun().metadata.uid ?? '', controller: true };
const MADE = planRun(makeRun(), { ...NOTHING_SEEN, reservation: RESERVED }, NOW).create.at(-1);
const SAID = MADE?.metadata.annotations?.[ANNOTATIONS.admission] ?? '';

/** A ledger in which the Run has a place. */
const HOLDS = preemptingLedger({}, [RESERVED]);

/** Reads of pods that the watch knows, of one that only the API server knows, and of the ledger. */
function reading(
  pods: readonly KubeObject[],
  { ledger = HOLDS, live }: { readonly ledger?: Ledger | null; readonly live?: KubeObject } = {},
): Reader {
  const get: Reader['get'] = (_, { name }) => pods.find(({ metadata }) => metadata.name === name);
  const list: Reader['list'] = () => (ledger === null ? [] : [ledger]);
  return { get, list, live: () => Promise.resolve(live) } as unknown as Reader;
}

interface Case {
  readonly status?: RunStatus;
  /** What the annotation says; what we write when left out. */
  readonly says?: string | undefined;
  readonly isForeign?: true;
  /** What its owner says to be. */
  readonly owner?: { readonly apiVersion: string; readonly kind: string };
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
  'not one that names the uid of the Run as that of something else': {
    owner: { apiVersion: 'v1', kind: 'ConfigMap' },
    wantEarly: false,
    wantMade: false,
  },
  'not one that names a kind of somebody else as a Run': {
    owner: { apiVersion: 'example.com/v1', kind: 'Run' },
    wantEarly: false,
    wantMade: false,
  },
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
    const { status, attempt = 1, isForeign, owner, wantEarly, wantMade } = given;
    const says = 'says' in given ? given.says : SAID;
    const run = makeRun({}, status);
    const pod = makePod(
      {},
      {},
      {
        name: nextChildName(makeRun({}, { attempt: attempt - 1 })),
        ...(isForeign && { ownerReferences: [] }),
        ...(owner && { ownerReferences: [{ ...OWNER, ...owner }] }),
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

const EARLY = makePod(
  {},
  {},
  { name: nextChildName(makeRun()), annotations: { [ANNOTATIONS.admission]: SAID } },
);

test('where no tenant is no pod was made by us, whatever it says', (t) => {
  t.deepEqual(nextPodOf(makeRun(), reading([EARLY], { ledger: null })), { early: undefined, isMade: false });
});

function withDeletion(run: Run): Run {
  return { ...run, metadata: { ...run.metadata, deletionTimestamp: NOW.toISOString() } };
}

const ENDING: Readonly<Record<string, Run>> = {
  cancelled: makeRun({ cancel: true }),
  suspended: makeRun({ suspend: true }),
  deleted: withDeletion(makeRun()),
};

for (const [name, run] of Object.entries(ENDING)) {
  test(`a Run that is ${name} while it holds a place finds a pod that no watch has told of yet`, async (t) => {
    t.deepEqual((await findNextPod(run, reading([], { live: EARLY }))).early?.pod, EARLY);
    t.false((await findNextPod(run, reading([]))).isMade);
    const without = preemptingLedger({}, []);
    t.false((await findNextPod(run, reading([], { live: EARLY, ledger: without }))).isMade, 'it holds none');
  });
}

test('one that goes on asks nobody', async (t) => {
  t.false((await findNextPod(makeRun(), reading([], { live: EARLY }))).isMade);
});

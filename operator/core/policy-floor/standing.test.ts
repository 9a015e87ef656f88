// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { ANNOTATIONS, LABELS } from '#crds/v1alpha1/names';
import type { Condition, KubeObject } from '../object.ts';
import type { PolicyPackRevision } from '../policy-pack/pack.ts';
import { MAX_FLOORS } from './names.ts';
import { floorStanding } from './standing.ts';

const METADATA = { name: 'rules', uid: 'uid-of-rules' };
const REVISION = {
  metadata: { name: 'rules-1' },
  spec: { floor: { rules: [{ rule: 'host', expression: 'true', message: 'no' }] } },
} as unknown as PolicyPackRevision;

function held(annotations: Readonly<Record<string, string>> = {}) {
  const made = (kind: string, name: string, more: object): KubeObject => ({
    apiVersion: 'v1',
    kind,
    metadata: {
      name,
      labels: { [LABELS.packUid]: METADATA.uid },
      annotations: { [ANNOTATIONS.floorOf]: 'rules-1', ...annotations },
    },
    ...more,
  });
  return {
    policies: [made('ValidatingAdmissionPolicy', 'nexusos-floor-0-a', {})],
    bindings: [
      made('ValidatingAdmissionPolicyBinding', 'nexusos-floor-0', {
        spec: { policyName: 'nexusos-floor-0-a' },
      }),
    ],
  };
}

const LEAVES_OUT = { [ANNOTATIONS.floorLeavesOut]: '3' };

test('a floor that is held says which rules, and holds nothing up', (t) => {
  const { condition, waiting, events } = floorStanding({ metadata: METADATA }, REVISION, held());
  t.deepEqual(condition, {
    type: 'FloorBound',
    status: 'True',
    reason: 'FloorHeld',
    message: 'the API server itself holds, by nexusos-floor-0: host',
  });
  t.deepEqual([waiting, events], [undefined, []]);
});

test('one that does not know all exemptions says how many, and warns once', (t) => {
  const { condition, waiting, events } = floorStanding({ metadata: METADATA }, REVISION, held(LEAVES_OUT));
  t.like(condition, { status: 'True', reason: 'ExemptionsLeftOut' });
  t.regex(
    condition?.message ?? '',
    /holds, by nexusos-floor-0: host; .* the 128 that expire first, and not 3 more/,
  );
  t.is(waiting, undefined);
  t.deepEqual(
    events.map(({ type, reason }) => [type, reason]),
    [['Warning', 'ExemptionsLeftOut']],
  );
  const conditions = [{ type: 'FloorBound', status: 'True', reason: 'ExemptionsLeftOut' }] as Condition[];
  const again = floorStanding({ metadata: METADATA, status: { conditions } }, REVISION, held(LEAVES_OUT));
  t.deepEqual(again.events, []);
  const later = floorStanding({ metadata: METADATA, status: { conditions } }, REVISION, held());
  t.is(later.condition?.reason, 'FloorHeld');
});

test('one that is bound to a policy of another revision is awaited', (t) => {
  const { bindings } = held();
  const { condition, waiting } = floorStanding({ metadata: METADATA }, REVISION, { bindings, policies: [] });
  t.like(condition, { status: 'False', reason: 'FloorPending' });
  t.is(waiting?.kind, 'reconciling');
});

test('one for which there is no room says so, and what makes some', (t) => {
  const [bound] = held().bindings;
  const others = Array.from({ length: MAX_FLOORS }, (_, i) => ({
    ...bound!,
    metadata: { ...bound!.metadata, labels: { [LABELS.packUid]: `uid-${i}` } },
  }));
  const seen = { bindings: others, policies: [] };
  const { condition, waiting } = floorStanding({ metadata: METADATA }, REVISION, seen);
  t.like(condition, { status: 'False', reason: 'FloorFull' });
  t.regex(
    condition?.message ?? '',
    /^16 packs have a floor, and there is room for no more: take .* out of one$/,
  );
  t.like(waiting, { kind: 'stalled', reason: 'FloorFull' });
  const room = { bindings: others.slice(1), policies: [] };
  t.is(floorStanding({ metadata: METADATA }, REVISION, room).condition?.reason, 'FloorPending');
});

test('that a floor is there no more is told where one was, and nowhere else', (t) => {
  const without = { metadata: { name: 'rules-2' }, spec: {} } as unknown as PolicyPackRevision;
  const nothing = { bindings: [], policies: [] };
  t.is(floorStanding({ metadata: METADATA }, without, nothing).condition, undefined);
  const conditions = [{ type: 'FloorBound', status: 'True', reason: 'FloorHeld' }] as Condition[];
  const told = floorStanding({ metadata: METADATA, status: { conditions } }, without, nothing);
  t.like(told.condition, { type: 'FloorBound', status: 'False', reason: 'NoFloor' });
  t.is(told.waiting, undefined);
});

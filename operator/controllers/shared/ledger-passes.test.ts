// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { API_VERSION } from '#crds/v1alpha1/names';
import { QUOTA_LEDGER, type Reservation } from '#crds/v1alpha1/quota-ledger';
import type { Run } from '../../core/run/run.ts';
import { makeRun } from '../../core/run/testing/make.ts';
import type { Ledger } from '../../core/tenant/tenant.ts';
import { LedgerPasses } from './ledger-passes.ts';

const LEDGER: Ledger = {
  apiVersion: API_VERSION,
  kind: 'QuotaLedger',
  metadata: { name: 'acme', uid: 'ledger-uid', generation: 1 },
  spec: QUOTA_LEDGER.spec.parse({ tenantUID: 'tenant-uid' }),
};
const { name } = LEDGER.metadata;
const WAITING = makeRun();
const RESERVED: Reservation = {
  uid: 'run-uid',
  namespace: 'acme-dev',
  name: 'r',
  agent: 'agent',
  attempt: 1,
};

function begun() {
  const clock = { ms: 1000 };
  const passes = new LedgerPasses(() => clock.ms);
  passes.begin(LEDGER, [WAITING]);
  return { clock, passes };
}

test('a ledger rests from the beginning of a pass, by what it has to look at', (t) => {
  const { clock, passes } = begun();
  t.is(passes.restMs(name), 50);
  clock.ms += 30;
  t.is(passes.restMs(name), 20);
  clock.ms += 30;
  t.true(passes.restMs(name) <= 0);
  passes.begin(
    LEDGER,
    Array.from({ length: 4000 }, () => WAITING),
  );
  t.is(passes.restMs(name), 200);
  t.is(passes.restMs('another'), 0, 'one that nobody has decided on is looked at at once');
});

test('it rests for longer when a pass has left nobody waiting', (t) => {
  const { clock, passes } = begun();
  const held = Array.from({ length: 10 }, () => RESERVED);
  passes.begin({ ...LEDGER, status: { reservations: held } }, [WAITING]);
  t.is(passes.restMs(name), 125);
  passes.decided(LEDGER, [WAITING], { reservations: [RESERVED] });
  t.is(passes.restMs(name), 250);
  passes.decided(LEDGER, [makeRun()], { reservations: [] });
  clock.ms += 100;
  t.is(passes.restMs(name), 25, 'somebody waits again');
});

const HOLDS = { reservations: [RESERVED] };

test('a pass that changes nothing, and leaves nobody waiting, is no reason to rest', (t) => {
  const { clock, passes } = begun();
  passes.decided(LEDGER, [WAITING], HOLDS);
  t.is(passes.restMs(name), 50, 'what was written is followed by a rest');
  const idle = (ledger: Ledger, runs = [WAITING]) => {
    passes.begin(ledger, runs);
    passes.decided(ledger, runs, ledger.status ?? {});
  };
  clock.ms += 20;
  idle({ ...LEDGER, status: HOLDS });
  t.is(passes.restMs(name), 30, 'which is not cut short');
  clock.ms += 230;
  idle({ ...LEDGER, status: HOLDS });
  t.true(passes.restMs(name) <= 0, 'nor made longer');
  idle({ ...LEDGER, status: { reservations: [] } });
  t.is(passes.restMs(name), 50, 'but where somebody waits');
  clock.ms += 1000;
  idle({ ...LEDGER, status: { reservations: Array.from({ length: 10 }, () => RESERVED) } });
  t.is(passes.restMs(name), 250, 'and where much is looked at');
});

test('many Runs that want nothing are a reason to rest', (t) => {
  const { clock, passes } = begun();
  const dry = Array.from({ length: 21 }, () => makeRun({ dryRun: true }));
  const idle = (runs: readonly Run[]) => {
    clock.ms += 1000;
    passes.begin({ ...LEDGER, status: HOLDS }, runs);
    passes.decided({ ...LEDGER, status: HOLDS }, runs, HOLDS);
    return passes.restMs(name);
  };
  t.is(idle(dry), 50);
  t.true(idle(dry.slice(1)) <= 0);
});

test('the first pass of a process may change nothing as well', (t) => {
  const { passes } = begun();
  passes.decided({ ...LEDGER, status: HOLDS }, [WAITING], HOLDS);
  t.true(passes.restMs(name) <= 0);
});

test('somebody waits until a pass has decided that nobody does', (t) => {
  const { passes } = begun();
  t.true(passes.hasWaiting('another'));
  t.true(passes.hasWaiting(name), 'while it is decided');
  passes.decided(LEDGER, [WAITING], { reservations: [RESERVED] });
  t.false(passes.hasWaiting(name));
  passes.decided(LEDGER, [WAITING, makeRun()], { reservations: [] });
  t.true(passes.hasWaiting(name));
  passes.decided(LEDGER, [makeRun({ cancel: true }), makeRun({ dryRun: true })], { reservations: [] });
  t.false(passes.hasWaiting(name), 'who wants nothing waits for nothing');
});

test('of a ledger that is gone nothing is known', (t) => {
  const { passes } = begun();
  passes.decided(LEDGER, [], { reservations: [] });
  passes.forget(LEDGER);
  t.true(passes.hasWaiting(name));
  t.is(passes.restMs(name), 0);
});

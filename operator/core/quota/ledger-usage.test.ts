// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { API_VERSION } from '#crds/v1alpha1/names';
import type { QuotaLedgerStatus, Reservation } from '#crds/v1alpha1/quota-ledger';
import type { RunStatus } from '#crds/v1alpha1/run';
import type { MeteredAttempt } from '#crds/v1alpha1/run-usage';
import { agentKey } from '../agent/agent.ts';
import { makeRate, makeUse } from '../metering/testing/make.ts';
import { ago, makeAgent, makePod, makeRun, NOW } from '../run/testing/make.ts';
import type { Ledger } from '../tenant/tenant.ts';
import { type LedgerObserved, planLedger } from './ledger.ts';
import { NOTHING_OF_LEDGER } from './testing/make-ledger.ts';

const NAMESPACE = 'acme-dev';
const RATE = makeRate({ cpuMillicores: 1000 });
const RESERVED: Reservation = {
  uid: 'run-uid',
  namespace: NAMESPACE,
  name: 'r',
  agent: 'agent',
  attempt: 1,
  serial: 7,
};

function settled(attempt: number, reservation?: number): MeteredAttempt {
  const pods = [makeUse(10)];
  return {
    attempt,
    settledAt: ago(1),
    ...(reservation !== undefined && { reservation }),
    rate: RATE,
    pods,
    runUnits: '10',
  };
}

function ledgerOf(status: QuotaLedgerStatus): Ledger {
  return {
    apiVersion: API_VERSION,
    kind: 'QuotaLedger',
    metadata: { name: 'acme', uid: 'ledger-uid', generation: 1 },
    spec: { tenantUID: 'tenant-uid', suspended: false, namespaces: [NAMESPACE] },
    status: { lastSerial: 7, ...status },
  };
}

const ended: RunStatus = { phase: 'Succeeded', attempt: 1, usage: { attempts: [settled(1, 7)] } };
const running: RunStatus = {
  phase: 'Running',
  attempt: 1,
  startedAt: ago(30),
  child: { name: 'r-x-1', uid: 'pod-uid' },
  usage: { open: { rate: RATE, reservation: 7 } },
};
const terminated = { exitCode: 143, startedAt: ago(30), finishedAt: ago(10) };
const ofRunning = makePod({ terminated }, { phase: 'Failed' });

const cases: Record<
  string,
  {
    readonly run?: RunStatus;
    readonly vanished?: Parameters<typeof vanish>;
    readonly wantUnits: string | undefined;
    readonly wantReserved?: readonly number[];
  }
> = {
  'an attempt that ended is counted as its reservation is given back': { run: ended, wantUnits: '10' },
  'an attempt that goes on is not': { run: running, wantUnits: undefined, wantReserved: [7] },
  'a Run that failed before it was admitted has used nothing': {
    run: { phase: 'Failed', attempt: 1 },
    wantUnits: undefined,
  },
  'a reservation that its attempt was not admitted by counts nothing': {
    run: { ...ended, usage: { attempts: [settled(1, 5)] } },
    wantUnits: undefined,
  },
  'an attempt from before there were serials is not counted': {
    run: { ...ended, usage: { attempts: [settled(1)] } },
    wantUnits: undefined,
  },
  'a Run that waits for its next attempt has its last one counted, and another reservation': {
    run: { ...ended, phase: 'Queued', usage: { attempts: [settled(1, 7)] } },
    wantUnits: '10',
    wantReserved: [8],
  },
  'a Run that was deleted while it ran is charged by what was seen of its pod': {
    vanished: [running, ofRunning],
    wantUnits: '20',
  },
  'the same when its pod was gone: up to now': { vanished: [running], wantUnits: '30' },
  'a Run that was deleted after its end, before it was counted': { vanished: [ended], wantUnits: '10' },
  'a Run of which nobody has seen the end is not': { vanished: [undefined], wantUnits: undefined },
};

function vanish(status: RunStatus | undefined, pod?: ReturnType<typeof makePod>): LedgerObserved['vanished'] {
  const last = status && { run: makeRun({}, status), pod };
  return new Map([['run-uid', { kind: 'gone', ...(last !== undefined && { last }) }]]);
}

for (const [name, { run, vanished, wantUnits, wantReserved = [] }] of Object.entries(cases)) {
  test(`counted: ${name}`, (t) => {
    const agent = makeAgent();
    const observed: LedgerObserved = {
      ...NOTHING_OF_LEDGER,
      agents: new Map([[agentKey(NAMESPACE, 'agent'), agent]]),
      runs: run === undefined ? [] : [makeRun({}, run)],
      ...(vanished !== undefined && { vanished: vanish(...vanished) }),
    };
    const { status } = planLedger(ledgerOf({ reservations: [RESERVED] }), observed, NOW);
    t.is(status.usage?.tiers[0]?.runUnits, wantUnits);
    t.deepEqual(
      status.reservations?.map(({ serial }) => serial),
      [...wantReserved],
    );
    const again = planLedger(ledgerOf(status), observed, NOW).status;
    t.deepEqual(again.usage, status.usage, 'counted once');
  });
}

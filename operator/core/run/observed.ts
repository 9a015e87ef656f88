// SPDX-License-Identifier: Apache-2.0
import type { Price } from '#crds/v1alpha1/price';
import type { KeyRecord, Reservation } from '#crds/v1alpha1/quota-ledger';
import type { RunStatus } from '#crds/v1alpha1/run';
import type { DryRunStatus } from '#crds/v1alpha1/run-dry-run';
import type { Agent, GPUClass } from '../agent/agent.ts';
import type { KubeObject } from '../object.ts';
import type { Plan } from '../plan.ts';
import type { Tenant } from '../tenant/tenant.ts';
import type { Early } from './admission-record.ts';
import type { Asking } from './approval.ts';
import type { Capacity } from './capacity.ts';
import type { Member } from './gang.ts';
import type { MissingDevices } from './no-devices.ts';
import type { Kinship } from './retirement.ts';
import type { Run } from './run.ts';
import type { WaitingPlace } from './status.ts';
import type { TreeObserved } from './tree-status.ts';
import type { Unmounted } from './unmounted.ts';

/** Where a Run is in the queue of its tenant. */
export type Place =
  /** It fits: the ledger is about to reserve for it, or the queue has not seen it yet. */
  | { readonly kind: 'next' }
  | ({ readonly kind: 'waiting'; readonly full?: FullQueue } & WaitingPlace)
  /** The namespace belongs to no tenant. */
  | { readonly kind: 'none' };

/** A queue that takes no new Run. */
export interface FullQueue {
  /** Runs that wait. */
  readonly found: number;
  readonly allowed: number;
}

/** What was seen of a Run and of what it depends on. */
export interface RunObserved {
  readonly tenant: Tenant | undefined;
  readonly place: Place;
  /** The Run that it names as its parent; undefined only when a direct read found none, or it names none. */
  readonly parent?: Run | undefined;
  /** The Runs below it, if it has called some and nobody has called it. */
  readonly tree?: TreeObserved | undefined;
  /** What goes before it when its time is over. */
  readonly kin?: Kinship;
  /** Its reservation in the ledger. */
  readonly reservation: Reservation | undefined;
  /** Whether that ledger admits nobody, since the tenant is suspended: it is told so by the tenant's controller, a moment after the Tenant says it. */
  readonly isClosed?: boolean;
  /** What its tenant pays from now on, as the ledger has it; undefined where nothing is known of that. Who is called pays what his caller does. */
  readonly price?: Price | undefined;
  /** Of a dry run only: what it would take. Its place and reservation are those that it would get. */
  readonly demand?: Pick<DryRunStatus, 'reserves' | 'gpu' | 'pods'> | undefined;
  /** What the ledger remembers of its idempotency key. */
  readonly keyRecord?: KeyRecord | undefined;
  /** The Run that has its idempotency key, if that is another one; undefined only when a direct read found none. */
  readonly keyHolder?: Run | undefined;
  /** As it was at the revision of the Run, if that is there; undefined only when a direct read found no such Agent. */
  readonly agent: Agent | undefined;
  /** The revision that the Run is made from; undefined only when a direct read found none, or the Agent has none yet. */
  readonly revision?: RunStatus['revision'] | undefined;
  /** What its Agent says of asking people, as watches have it. */
  readonly asking?: Asking | undefined;
  /** The class that the reservation names; undefined only when a direct read found none. */
  readonly gpuClass: GPUClass | undefined;
  /** Image of the program that speaks to endpoints of remote agents; undefined where there are none. */
  readonly remoteImage?: string | undefined;
  /** The ConfigMap that its input names; undefined also when a direct read found none. */
  readonly inputSource: KubeObject | undefined;
  /** The ConfigMap that was made for the present attempt already; undefined only when a direct read found none. */
  readonly made: KubeObject | undefined;
  /** By the name of the present attempt; undefined only when a direct read found none. */
  readonly pod: KubeObject | undefined;
  /** Of a Run in the queue: the pod of its next attempt, which was made before its status tells of that. */
  readonly early?: Early | undefined;
  /** Whether a pod has the name of that attempt, whatever it says. */
  readonly isMade?: boolean;
  /** Pods of earlier attempts that have not ended, made late by a former leader: hardly ever one; of all others where it has ended. */
  readonly leftovers?: readonly KubeObject[];
  /** The nodes where its devices are free, one for each pod that is about to be made. */
  readonly nodes?: readonly string[] | undefined;
  /** Of a Run of many pods: the Service by which they find each other, if it was made already. */
  readonly service?: KubeObject | undefined;
  /** Of a Run of many pods: those of the present attempt; one that is not among them while the Run is under way is not there. */
  readonly members?: readonly Member[];
  /** Devices that its pod looks for; undefined also where nobody waits in the queue for those of its class. */
  readonly missing?: MissingDevices | undefined;
  /** What its node could not mount for its pod lately. */
  readonly unmounted?: Unmounted | undefined;
  /** What Kueue says of it; undefined where Kueue decides on nobody. */
  readonly capacity?: Capacity | undefined;
}

/** Status may be undefined: nothing is written then. */
export type RunPlan = Plan<RunStatus | undefined>;

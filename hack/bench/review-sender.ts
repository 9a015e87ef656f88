// SPDX-License-Identifier: Apache-2.0
import { Agent, type Dispatcher } from 'undici';
import type { KubeObject } from '#operator/core/object';
import type { AttachedCluster } from '../cluster/attached-cluster.ts';
import { PLATFORM_NAMESPACE } from '../system/chart.ts';
import { answerTo, isAllowed, reviewOf } from '../system/direct-review.ts';
import { inParallel } from './statistics.ts';

/** As many as the bar of the design speaks of. */
export const CONNECTIONS = 10;
/** Not counted: code is compiled meanwhile. */
const WARM_UP = 0.2;

/** How long requests took, and how many there were in a second. */
export interface Timed {
  readonly milliseconds: readonly number[];
  readonly perSecond: number;
}

/** Sends one after the other on each of so many connections. `onWarm` is called when what is counted begins. */
export async function timed(
  count: number,
  send: (number: number) => Promise<unknown>,
  onWarm: () => Promise<void> = () => Promise.resolve(),
): Promise<Timed> {
  const milliseconds: number[] = [];
  const once = async (number: number): Promise<void> => {
    const startedAt = performance.now();
    await send(number);
    milliseconds.push(performance.now() - startedAt);
  };
  await inParallel(upTo(Math.ceil(count * WARM_UP)), CONNECTIONS, once);
  await onWarm();
  milliseconds.length = 0;
  const startedAt = performance.now();
  await inParallel(upTo(count), CONNECTIONS, once);
  return { milliseconds, perSecond: (count / (performance.now() - startedAt)) * 1000 };
}

function upTo(length: number): readonly number[] {
  return Array.from({ length }, (_, number) => number);
}

/** What is sent to an admission process. */
export interface Reviews {
  readonly count: number;
  /** Created by turns. */
  readonly pods: readonly KubeObject[];
  readonly onWarm?: () => Promise<void>;
}

/** Asks one admission process, as the API server does, about pods that may all pass. @throws Error where one may not. */
export async function sendReviews(
  cluster: AttachedCluster,
  port: number,
  { count, pods, onWarm }: Reviews,
): Promise<Timed> {
  const ca = await authorityOf(cluster);
  const dispatcher: Dispatcher = new Agent({ connections: CONNECTIONS, allowH2: false, connect: { ca } });
  const reviews = pods.map((object) => reviewOf({ object, plural: 'pods' }));
  const send = async (number: number): Promise<void> => {
    const answer = await answerTo({ dispatcher, port }, reviews[number % reviews.length] ?? '');
    if (!isAllowed(answer)) throw new Error(answer);
  };
  try {
    return await timed(count, send, onWarm);
  } finally {
    await dispatcher.close();
  }
}

/** Whom to trust in what an admission process shows: PEM. */
export async function authorityOf({ admin }: AttachedCluster): Promise<string> {
  const path = `/api/v1/namespaces/${PLATFORM_NAMESPACE}/secrets/nexusos-webhooks-tls`;
  const secret = (await admin.get(path)) as { data?: Readonly<Record<string, string>> } | undefined;
  return Buffer.from(secret?.data?.['ca.crt'] ?? '', 'base64').toString();
}

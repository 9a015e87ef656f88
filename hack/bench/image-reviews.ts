// SPDX-License-Identifier: Apache-2.0
import type { WebhookProcess } from '../system/webhook-process.ts';
import type { BenchEnvironment } from './environment.ts';
import { startTimer } from './processor-timer.ts';
import type { Figure } from './report.ts';
import { sendReviews } from './review-sender.ts';
import { percentile } from './statistics.ts';

const ROUNDS = 7;
/** In a turn of a round: the kernel counts in hundredths of a second, which is 0.005 ms of a review. */
const REVIEWS = 2000;
/** Less than nothing is what the turns differ by: with more of that than this, nothing was measured. */
const NOISE_MS = 0.03;

/** Namespaces that are alike but for a policy on images, and images that are known in the one that has it. */
export interface ReviewsOfImages {
  readonly environment: BenchEnvironment;
  readonly webhooks: WebhookProcess;
  readonly with: string;
  readonly without: string;
  readonly images: readonly string[];
}

/**
 * Processor time of the admission process for the review of a pod: where no policy on images is for its namespace, and what it is more where its image is
 * known. By turns, since a process becomes quicker for minutes, and a machine slower.
 */
export async function measureReviews(reviews: ReviewsOfImages): Promise<readonly Figure[]> {
  const without: number[] = [];
  const added: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const order = round % 2 === 0 ? (['without', 'with'] as const) : (['with', 'without'] as const);
    const took = { with: 0, without: 0 };
    for (const which of order) took[which] = await reviewMs(reviews, reviews[which]);
    without.push(took.without);
    added.push(took.with - took.without);
  }
  return [
    {
      name: 'review of a pod, no policy on images: of a processor',
      value: percentile(without, 0.5),
      unit: 'ms',
    },
    {
      name: '... its image known: added',
      value: percentile(added, 0.5),
      unit: 'ms',
      bar: { atMost: 0.1, atLeast: -NOISE_MS },
    },
  ];
}

async function reviewMs(
  { environment, webhooks, images }: ReviewsOfImages,
  namespace: string,
): Promise<number> {
  const pods = images.map((image) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'tried', namespace },
    spec: { containers: [{ name: 'agent', image }] },
  }));
  const pids = { webhooks: webhooks.process.pid };
  let timer = await startTimer(pids);
  const onWarm = async (): Promise<void> => {
    timer = await startTimer(pids);
  };
  await sendReviews(environment.cluster, webhooks.port, { count: REVIEWS, pods, onWarm });
  return (await timer.perThing(REVIEWS)).get('webhooks') ?? Number.NaN;
}

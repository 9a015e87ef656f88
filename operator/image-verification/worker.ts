// SPDX-License-Identifier: Apache-2.0
import { isMainThread, type MessagePort, workerData } from 'node:worker_threads';
import type { PolicyInputs } from '../core/images/inputs.ts';
import type { ImageVerdict } from '../core/supply-chain/verdict.ts';
import { ownProcessorMs, ownThread } from '../policy/workers/thread-clock.ts';
import type { Evidence, EvidenceSource, Gathered } from '../supply-chain/evidence.ts';
import { readyPolicy } from '../supply-chain/ready-policy.ts';
import { verifyImage } from '../supply-chain/verify-image.ts';
import type { Order, Reply } from './messages.ts';

type Held = Extract<Order, { kind: 'image' }>['gathered'];

/** What is held of the image that is judged now. Nothing of it outlives its verdict. */
class Holding implements EvidenceSource {
  readonly #images = new Map<string, { readonly held: Held; readonly evidence: Evidence[] }>();
  readonly missing = new Set<string>();

  add(digest: string, held: Held): void {
    this.#images.set(digest, { held, evidence: [] });
  }

  addEvidence(digest: string, evidence: Evidence): void {
    this.#images.get(digest)?.evidence.push(evidence);
  }

  gather(digest: string): ReturnType<EvidenceSource['gather']> {
    const image = this.#images.get(digest);
    if (image !== undefined) return Promise.resolve(wholeOf(image));
    this.missing.add(digest);
    const message = `nothing was gathered of ${digest} yet`;
    return Promise.resolve({ kind: 'unknown', reason: 'EvidenceIncomplete', message });
  }
}

function wholeOf({
  held,
  evidence,
}: {
  held: Held;
  evidence: readonly Evidence[];
}): Gathered | Awaited<ReturnType<EvidenceSource['gather']>> {
  return 'kind' in held ? held : { ...held, evidence };
}

/** Judges images, one after the other. It never throws: what goes wrong is told. */
function serve(port: MessagePort): void {
  let holding = new Holding();
  const tell = (reply: Reply) => port.postMessage(reply);
  port.on('message', (order: Order) => {
    if (order.kind === 'image') return holding.add(order.digest, order.gathered);
    if (order.kind === 'evidence') return holding.addEvidence(order.digest, order.evidence);
    const source = holding;
    holding = new Holding();
    void judge(order, source).then(tell);
  });
  tell({ kind: 'ready', thread: ownThread() });
}

async function judge(
  { digest, policies, now }: Extract<Order, { kind: 'judge' }>,
  source: Holding,
): Promise<Reply> {
  try {
    const verdicts: ImageVerdict[] = [];
    for (const inputs of policies)
      verdicts.push(await judgeBy(inputs, { digest, source, now: new Date(now) }));
    return { kind: 'judged', verdicts, missing: [...source.missing], processorMs: ownProcessorMs() };
  } catch (error) {
    // Its words may be those of documents: the name of the error says enough.
    const message = error instanceof Error ? error.name : 'unknown';
    return { kind: 'failed', message, processorMs: ownProcessorMs() };
  }
}

async function judgeBy(
  inputs: PolicyInputs,
  { digest, source, now }: { readonly digest: string; readonly source: Holding; readonly now: Date },
): Promise<ImageVerdict> {
  const policy = readyPolicy(inputs);
  if (!('problems' in policy)) return verifyImage(digest, { policy, source, now });
  const [first] = policy.problems;
  const message = `the policy cannot be applied: ${first?.field}: found ${first?.found}; wanted is ${first?.wanted}`;
  return {
    image: digest,
    policy: '',
    outcome: 'Unknown',
    reason: 'PolicyInvalid',
    message,
    checks: [],
    facts: { signers: [] },
    notes: [],
    checkedAt: now.toISOString(),
  };
}

if (isMainThread) {
  process.stderr.write('This file is started by other roles, in a thread of its own.\n');
  process.exitCode = 2;
} else {
  serve((workerData as { readonly port: MessagePort }).port);
}

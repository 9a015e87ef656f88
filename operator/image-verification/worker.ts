// SPDX-License-Identifier: Apache-2.0
import { type NotKnown, quote } from '../core/supply-chain/judgement.ts';
import { isDigest } from '../core/oci/digest.ts';
import { toldVerdict } from '../core/supply-chain/told-verdict.ts';
import type { ImageVerdict } from '../core/supply-chain/verdict.ts';
import type { Evidence, EvidenceSource, Gathered } from '../supply-chain/evidence.ts';
import { isReadyPolicy, readyPolicy } from '../supply-chain/ready-policy.ts';
import { verifyImage } from '../supply-chain/verify-image.ts';
import { FrameReader, frameOf } from './frames.ts';
import { type HeldImage, JUDGE_ARGUMENT, type Order, type Reply } from './messages.ts';

type ReadPolicy = ReturnType<typeof readyPolicy>;

/** Of an image, all that has come so far. */
interface Held {
  readonly image: HeldImage;
  readonly subject: Uint8Array;
  readonly evidence: Evidence[];
}

/** What is held of the image that is judged now. Nothing of it outlives its verdict. */
class Holding implements EvidenceSource {
  readonly #images = new Map<string, Held>();
  readonly missing = new Set<string>();

  add(digest: string, image: HeldImage, subject: Uint8Array): void {
    this.#images.set(digest, { image, subject, evidence: [] });
  }

  addEvidence(digest: string, evidence: Evidence): void {
    this.#images.get(digest)?.evidence.push(evidence);
  }

  gather(digest: string): Promise<Gathered | NotKnown> {
    const image = this.#images.get(digest);
    if (image !== undefined) return Promise.resolve(wholeOf(image));
    // An index may list anything as a digest, of any length: nobody has to be asked for that.
    if (!isDigest(digest)) {
      const listed = `the index lists ${quote(digest)}, which is no digest`;
      return Promise.resolve({ kind: 'unknown', reason: 'RegistryBroken', message: listed });
    }
    this.missing.add(digest);
    const message = `nothing was gathered of ${digest} yet`;
    return Promise.resolve({ kind: 'unknown', reason: 'EvidenceIncomplete', message });
  }
}

function wholeOf({ image, subject, evidence }: Held): Gathered | NotKnown {
  return 'kind' in image ? image : { ...image, subject, evidence };
}

/** Judges images, one after the other. What goes wrong is told. */
class Judge {
  /** Read once: keys, patterns and roots are the same for many images. */
  readonly #policies = new Map<number, ReadPolicy>();
  #holding = new Holding();

  /** Does as it is told; the last that there is to say, once it is asked to judge. */
  take(order: Order, bytes: Uint8Array): Promise<Reply> | undefined {
    if (order.kind !== 'judge') {
      this.#learn(order, bytes);
      return undefined;
    }
    const holding = this.#holding;
    this.#holding = new Holding();
    return this.#judge(order, holding);
  }

  #learn(order: Exclude<Order, { kind: 'judge' }>, bytes: Uint8Array): void {
    if (order.kind === 'policy') this.#policies.set(order.id, readyPolicy(order.inputs));
    else if (order.kind === 'forget') this.#policies.delete(order.id);
    else if (order.kind === 'rest') letGo();
    else if (order.kind === 'image') this.#holding.add(order.digest, order.held, bytes);
    else {
      const { digest, form, origin, annotations } = order;
      this.#holding.addEvidence(digest, { form, origin, annotations, bytes });
    }
  }

  async #judge(
    { number, digest, policies, now }: Extract<Order, { kind: 'judge' }>,
    source: Holding,
  ): Promise<Reply> {
    try {
      for (const id of policies) {
        const policy = this.#policies.get(id);
        if (policy === undefined) throw new RangeError('nobody has told of the policy');
        const verdict = await judgeBy(policy, { digest, source, now: new Date(now) });
        tell({ kind: 'verdict', number, verdict: toldVerdict(verdict) });
      }
      return { kind: 'judged', number, missing: [...source.missing], processorMs: ownMs() };
    } catch (error) {
      // Its words may be those of documents: the name of the error says enough.
      const message = error instanceof Error ? error.name : 'unknown';
      return { kind: 'failed', number, message, processorMs: ownMs() };
    }
  }
}

/** Of what nobody uses any more: it may be all that images before it have taken. */
function letGo(): void {
  globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' });
}

function ownMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

async function judgeBy(
  policy: ReadPolicy,
  { digest, source, now }: { readonly digest: string; readonly source: Holding; readonly now: Date },
): Promise<ImageVerdict> {
  if (isReadyPolicy(policy)) return verifyImage(digest, { policy, source, now });
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

function tell(reply: Reply): void {
  for (const part of frameOf(reply)) process.stdout.write(part);
}

function serve(): void {
  const judge = new Judge();
  const reader = new FrameReader((order, bytes) => {
    // Whoever sends it is the operator that started this process: nobody else has the other end.
    void judge.take(order as Order, bytes)?.then(tell);
  });
  process.stdin.on('data', (piece: Buffer) => reader.write(piece));
  // Whoever started it is gone, or needs it no more.
  process.stdin.once('close', () => process.exit());
  tell({ kind: 'ready' });
}

if (process.argv[2] === JUDGE_ARGUMENT) {
  serve();
} else {
  process.stderr.write('This file is started by other roles, in a process of its own.\n');
  process.exitCode = 2;
}

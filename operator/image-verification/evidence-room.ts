// SPDX-License-Identifier: Apache-2.0
import type { NotKnown } from '../core/supply-chain/judgement.ts';
import { Places } from '../oci/places.ts';
import type { Room } from '../supply-chain/evidence.ts';

/** What may be held of every image that is looked at: signatures and reports have some kilobytes, most bills of materials less than that. */
export const SMALL_BYTES = 2 << 20;
/** Of one image, with all images within it, no more is held than that. */
export const MAX_BYTES = 64 << 20;
/** Images at a time of which more than a little is held (memory.test.ts). */
export const LARGE_AT_ONCE = 2;

/** Room for what is attached to images: a little of each, and much of few, by turns of tenants. */
export class EvidenceRoom {
  readonly #large = new Places({
    perHost: LARGE_AT_ONCE,
    // Nobody's large images keep everybody else's waiting.
    perOwner: 1,
    inAll: LARGE_AT_ONCE,
    waiting: Infinity,
  });

  /** Room for one image, until it is left. Who waits for it no longer than `signal` lets him gets none. */
  enter(owner: string, signal: AbortSignal): ImageRoom {
    return new ImageRoom(this.#large, { owner, signal });
  }
}

/** What one image has of it. Asked by one at a time. */
export class ImageRoom implements Room {
  readonly #large: Places;
  readonly #whose: { readonly owner: string; readonly signal: AbortSignal };
  #bytes = 0;
  #leave: (() => void) | undefined;

  constructor(large: Places, whose: { readonly owner: string; readonly signal: AbortSignal }) {
    this.#large = large;
    this.#whose = whose;
  }

  async take(bytes: number): Promise<NotKnown | undefined> {
    if (this.#bytes + bytes > MAX_BYTES) {
      const message = `more than ${MAX_BYTES} bytes are attached to the image and to images within it`;
      return { kind: 'unknown', reason: 'TooMuchAttached', message };
    }
    const isLarge = this.#bytes + bytes > SMALL_BYTES;
    if (isLarge && this.#leave === undefined) {
      const given = await this.#large.enter({ host: 'large', ...this.#whose });
      if (given.kind !== 'given') {
        const message =
          'there was no time to read all that is attached: other images with much attached are being read';
        return { kind: 'unknown', reason: 'EvidenceIncomplete', message };
      }
      this.#leave = given.leave;
    }
    this.#bytes += bytes;
    return undefined;
  }

  /** Nothing is held of the image any more. */
  leave(): void {
    this.#leave?.();
    this.#leave = undefined;
    this.#bytes = 0;
  }
}

// SPDX-License-Identifier: Apache-2.0
import type { InputParts } from '#operator/core/policy/projection';

const ENCODER = new TextEncoder();

/** Inputs of one request as bytes: what packs share is encoded once, and copied for each. */
export class InputBytes {
  readonly #shared = new Map<string, Uint8Array>();

  /** The bytes of an input, in a buffer of their own. */
  of({ shared, own }: InputParts): Uint8Array<ArrayBuffer> {
    const [first, rest] = [this.#sharedBytes(shared), ENCODER.encode(own)];
    const bytes = new Uint8Array(first.length + rest.length);
    bytes.set(first);
    bytes.set(rest, first.length);
    return bytes;
  }

  #sharedBytes(text: string): Uint8Array {
    const bytes = this.#shared.get(text) ?? ENCODER.encode(text);
    this.#shared.set(text, bytes);
    return bytes;
  }
}

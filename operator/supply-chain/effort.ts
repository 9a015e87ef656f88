// SPDX-License-Identifier: Apache-2.0
import { MAX_VALUES } from '../core/supply-chain/documents.ts';
import { extentOnce } from '../core/supply-chain/extent.ts';
import { xmlExtentOf } from '../core/supply-chain/xml-extent.ts';
import { type NotKnown, refuse, type Refused } from '../core/supply-chain/judgement.ts';

/** Bytes that are hashed to judge one image, with what checks cost besides as so many bytes more. */
const MAX_EFFORT = 1 << 30;

/** What a check of a signature costs however short the content is, and one of a certificate with its proofs. */
const SIGNATURE_EFFORT = 1 << 16;
const CERTIFICATE_EFFORT = 1 << 19;

/**
 * What may be spent on one image. Its documents are bounded, but each may have several signatures, each of which is held against every key in every
 * form: whoever attaches them chooses how long that takes.
 */
export class Effort {
  #left: number;
  #values = MAX_VALUES;

  constructor(most: number = MAX_EFFORT) {
    this.#left = most;
  }

  /** Takes the memory that it costs to keep a document; why it is not read where too little is left. All that is stated of an image is kept until it is judged. */
  keep(document: Uint8Array): Refused | undefined {
    return this.#keep(extentOnce(document).values);
  }

  /** The same for a text in XML within a document, which is one value there. */
  keepXml(text: string): Refused | undefined {
    return this.#keep(xmlExtentOf(text).values);
  }

  #keep(values: number): Refused | undefined {
    if (values > this.#values) {
      return refuse('TooLarge', `what is stated of the image has more than ${MAX_VALUES} values in all`);
    }
    this.#values -= values;
    return undefined;
  }

  /** Takes what it costs to hold so many bytes against keys in so many forms; why it is not done where too little is left. */
  take({ bytes, forms, isCertificate }: Attempt): NotKnown | undefined {
    const cost =
      forms * (bytes + SIGNATURE_EFFORT) + (isCertificate === true ? bytes + CERTIFICATE_EFFORT : 0);
    if (cost <= this.#left) {
      this.#left -= cost;
      return undefined;
    }
    this.#left = 0;
    const message = 'more signatures, over more bytes, are attached to the image than are checked';
    return { kind: 'unknown', reason: 'TooMuchAttached', message };
  }
}

/** What is about to be checked. */
export interface Attempt {
  readonly bytes: number;
  readonly forms: number;
  readonly isCertificate?: boolean;
}

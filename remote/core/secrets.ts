// SPDX-License-Identifier: Apache-2.0

/** Shorter ones are words that stand in answers by chance. */
const LEAST = 8;
const HIDDEN = '***';

/** Credentials that were shown to an endpoint, so that they are not told on, should it repeat them. */
export class Secrets {
  readonly #known = new Set<string>();

  /** Remembers a credential, in each of its forms. */
  add(...forms: readonly string[]): void {
    for (const form of forms) if (form.length >= LEAST) this.#known.add(form);
  }

  /** A text without them. */
  hide(text: string): string {
    let hidden = text;
    for (const secret of this.#known) hidden = hidden.replaceAll(secret, HIDDEN);
    return hidden;
  }
}

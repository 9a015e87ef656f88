// SPDX-License-Identifier: Apache-2.0

/** Shorter ones are words that stand in answers by chance. */
const LEAST = 8;
const HIDDEN = '***';

/** Credentials that were shown to an endpoint, so that they are not told on, should it repeat them. */
export class Secrets {
  /** The longest comes first: of one that stands in another, the other would stay. */
  #known: readonly string[] = [];

  /** Remembers a credential, in each of its forms, and as each of them is written in JSON and in addresses. */
  add(...forms: readonly string[]): void {
    const added = forms.filter(({ length }) => length >= LEAST).flatMap(written);
    this.#known = [...new Set([...this.#known, ...added])].toSorted((a, b) => b.length - a.length);
  }

  /** A text without them. */
  hide(text: string): string {
    let hidden = text;
    for (const secret of this.#known) hidden = hidden.replaceAll(secret, HIDDEN);
    return hidden;
  }
}

/** A text as it is, in JSON, in JSON that is a text in JSON, and in addresses. */
function written(text: string): readonly string[] {
  const once = escaped(text);
  return [text, once, escaped(once), encodeURI(text), encodeURIComponent(text)];
}

/** escaped('a"b') -> 'a\\"b' */
function escaped(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

// SPDX-License-Identifier: Apache-2.0
import type { Document } from '../core/supply-chain/documents.ts';
import type { Judgement, NotKnown } from '../core/supply-chain/judgement.ts';
import { xmlOf } from '../core/supply-chain/statement.ts';

/** Reads a bill of materials in XML, as the same would be in JSON. */
export type XmlReader = (xml: string) => Promise<Judgement<Document>>;

/** What nobody has read yet: the verdict that is made without it is none. */
const NOT_YET: NotKnown = {
  kind: 'unknown',
  reason: 'EvidenceIncomplete',
  message: 'a document in XML was not read yet',
};

/**
 * Documents in XML of one image. To judge takes no waiting, and the reader of XML has to be waited for: so who judges asks for what a believed
 * signer states, and judges again once that was read. What nobody believed is not read at all.
 */
export class XmlDocuments {
  readonly #read = new Map<string, Judgement<Document>>();
  readonly #wanted = new Set<string>();

  /** What a statement carries: JSON as it is, XML as the same would be in JSON. */
  documentOf(predicate: Document): Judgement<Document> {
    const xml = xmlOf(predicate);
    if (xml === undefined) return { kind: 'verified', value: predicate };
    const known = this.#read.get(xml);
    if (known === undefined) this.#wanted.add(xml);
    return known ?? NOT_YET;
  }

  /** Reads what was asked for; whether there was any. */
  async readWanted(reader: XmlReader): Promise<boolean> {
    const wanted = [...this.#wanted];
    this.#wanted.clear();
    for (const xml of wanted) this.#read.set(xml, await reader(xml));
    return wanted.length > 0;
  }
}

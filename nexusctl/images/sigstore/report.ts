// SPDX-License-Identifier: Apache-2.0
import { isObject, type JsonObject } from '#operator/rego/gatekeeper/json';

/** Something of a document that is not taken over as it is: where, and what to do or to know. */
export interface Remark {
  readonly file: string;
  /** How the document is called: `ClusterImagePolicy signed`. */
  readonly document: string;
  readonly field: string;
  readonly message: string;
}

/** What is said of the documents that are converted. */
export class Report {
  /** What cannot be taken over: as long as there is one, nothing is made. */
  readonly problems: Remark[] = [];
  /** What is otherwise than it was, and never lets more images pass. */
  readonly notes: Remark[] = [];
  readonly #leftOut: ReadonlySet<string>;
  readonly #usedUp = new Set<string>();

  /** `leftOut`: fields that whoever converts does without, although more images pass then. */
  constructor(leftOut: Iterable<string> = []) {
    this.#leftOut = new Set(leftOut);
  }

  /** One document. */
  about(file: string, document: string): DocumentReport {
    return new DocumentReport(this, { file, document });
  }

  /** Whether a field is one to be left out. */
  leavesOut(field: string): boolean {
    if (!this.#leftOut.has(field)) return false;
    this.#usedUp.add(field);
    return true;
  }

  /** Fields that were to be left out, and that nothing was said of. */
  unused(): readonly string[] {
    return [...this.#leftOut].filter((one) => !this.#usedUp.has(one));
  }
}

/** What is said of one document. */
export class DocumentReport {
  readonly #report: Report;
  readonly #of: Pick<Remark, 'file' | 'document'>;

  constructor(report: Report, of: Pick<Remark, 'file' | 'document'>) {
    this.#report = report;
    this.#of = of;
  }

  /** Something cannot be taken over. */
  problem(field: string, message: string): undefined {
    this.#report.problems.push({ ...this.#of, field, message });
    return undefined;
  }

  /** Something is otherwise than it was. */
  note(field: string, message: string): void {
    this.#report.notes.push({ ...this.#of, field, message });
  }

  /** Something cannot be said here, and without it more images would pass: a problem, unless it was named to be left out. */
  laxer(field: string, message: string): void {
    if (this.#report.leavesOut(field))
      this.note(field, 'left out, as you asked: more images pass than before');
    else this.problem(field, `${message}; or leave it out by --leave-out ${field}: more images pass then`);
  }

  /** Whether a document has problems. */
  get isGood(): boolean {
    return !this.#report.problems.some(
      ({ file, document }) => file === this.#of.file && document === this.#of.document,
    );
  }

  /** The object at a field, without anything in it that nobody here knows: what is not known may have asked for more. */
  object(value: unknown, field: string, known: readonly string[]): JsonObject {
    if (!isObject(value)) {
      this.problem(field, 'is no object');
      return {};
    }
    for (const name of Object.keys(value)) {
      if (!known.includes(name)) {
        this.problem(`${field}.${name}`, `is not known; known are ${known.join(', ')}`);
      }
    }
    return value;
  }

  /** The objects of a list; a list that is none is a problem. */
  list(value: unknown, field: string): readonly unknown[] {
    if (value === undefined || value === null) return [];
    if (Array.isArray(value)) return value;
    this.problem(field, 'is no list');
    return [];
  }

  /** A text; empty where there is none. What is no text is a problem. */
  text(value: unknown, field: string): string {
    if (value === undefined || value === null) return '';
    if (typeof value === 'string') return value;
    this.problem(field, 'is no text');
    return '';
  }
}

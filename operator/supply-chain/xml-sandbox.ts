// SPDX-License-Identifier: Apache-2.0
import type { LibXml2 } from 'libxml2-wasm/lib/libxml2raw.mjs';
import type { XmlElement } from '../core/supply-chain/cyclonedx-xml.ts';
import { readSchema } from './xml-schemas.ts';

/** What the parser says is wrong, and where; the first thing alone. */
export interface XmlFault {
  readonly line: number;
  readonly message: string;
  /** It is more than the parser takes: that says nothing about what is in it. */
  readonly isLimit: boolean;
}

/** Ends what the library does, at the first fault: to go on, and word each of thousands, takes minutes. */
class Stopped extends Error {}

/** No network, nothing else of outside, CDATA as text, small texts within their nodes. */
const OPTIONS = (1 << 11) | (1 << 14) | (1 << 16) | (1 << 23);

/** What a message is read up to: a fault in a long text repeats it. */
const MESSAGE = 1000;

/** Where things are in what the library keeps (its own wrapper has the same numbers), in bytes. */
const AT = {
  error: { code: 4, message: 8, level: 12, line: 20 },
  node: { type: 4, name: 8, children: 12, next: 24, namespace: 36, content: 40, attributes: 44 },
  namespace: { href: 8 },
} as const;
const ELEMENT = 1;
const TEXTS = new Set([3, 4]);
const WARNING = 1;
/** Codes of faults: no more memory, and more than is taken. */
const LIMITS = new Set([2, 114]);

/**
 * libxml2 in WebAssembly, for one document: it has a memory of its own, reads no files and speaks to nobody, and what a document may do to it ends with
 * it. The next one has another.
 */
export class XmlSandbox {
  readonly #library: LibXml2;
  readonly #onFault: number;
  #document = 0;
  #fault: XmlFault | undefined;
  readonly #names = new Map<number, string>();
  readonly #namespaces = new Map<number, string>();

  private constructor(library: LibXml2) {
    this.#library = library;
    this.#onFault = library.addFunction((_: number, error: number) => this.#take(error), 'vii');
    library._xmlInitParser();
    const files = new Files(library);
    library._xmlCleanupInputCallbacks();
    library._xmlRegisterInputCallbacks(...files.callbacks());
  }

  /** A new one, in some 10 ms. */
  static async create(): Promise<XmlSandbox> {
    const { default: load } = await import('libxml2-wasm/lib/libxml2raw.mjs');
    return new XmlSandbox(await load());
  }

  /** Parses the document; what is wrong where it is no XML. */
  parse(xml: string): XmlFault | undefined {
    return this.#try(() => {
      this.#document = this.#parse(xml);
      return this.#document !== 0;
    });
  }

  /** The element that all others are in, and its namespace. */
  root(): { readonly element: XmlElement; readonly namespace: string } {
    const pointer = this.#library._xmlDocGetRootElement(this.#document);
    const namespace = this.namespaceOf(pointer);
    return { element: new Element(this, pointer, namespace), namespace };
  }

  /** Holds the document against a schema, by the name of its file; what is wrong where it does not fit. */
  validate(schema: string): XmlFault | undefined {
    const library = this.#library;
    return this.#try(() => {
      const reading = library._xmlSchemaNewDocParserCtxt(this.#parse(readSchema(schema)));
      library._xmlSchemaSetParserStructuredErrors(reading, this.#onFault, 0);
      const read = library._xmlSchemaParse(reading);
      if (read === 0) throw new Error(`the schema ${schema} cannot be read`);
      const holding = library._xmlSchemaNewValidCtxt(read);
      library._xmlSchemaSetValidStructuredErrors(holding, this.#onFault, 0);
      return library._xmlSchemaValidateDoc(holding, this.#document) === 0;
    });
  }

  /** The number at a place of what the library keeps. */
  at(pointer: number, offset: number): number {
    // Its memory moves when it grows, so the view of it is asked for each time.
    return this.#library.HEAP32[(pointer + offset) >> 2] ?? 0;
  }

  /** The text at a place; names are kept once by the library, and read once. */
  textAt(pointer: number): string {
    return pointer === 0 ? '' : this.#library.UTF8ToString(pointer);
  }

  /** The name of an element or attribute. */
  nameOf(node: number): string {
    return remembered(this.#names, this.at(node, AT.node.name), (place) => this.textAt(place));
  }

  /** The namespace of an element or attribute; empty where it has none. */
  namespaceOf(node: number): string {
    return remembered(this.#namespaces, this.at(node, AT.node.namespace), (place) =>
      place === 0 ? '' : this.textAt(this.at(place, AT.namespace.href)),
    );
  }

  #try(work: () => boolean): XmlFault | undefined {
    this.#fault = undefined;
    try {
      const isGood = work();
      return isGood ? undefined : (this.#fault ?? { line: 0, message: 'it cannot be read', isLimit: false });
    } catch (error) {
      if (error instanceof Stopped && this.#fault !== undefined) return this.#fault;
      throw error;
    }
  }

  #parse(text: string | Uint8Array): number {
    const library = this.#library;
    const { place, length } = this.#keep(text);
    const parser = library._xmlNewParserCtxt();
    library._xmlCtxtSetErrorHandler(parser, this.#onFault, 0);
    const encoding = this.#keep('UTF-8').place;
    const document = library._xmlCtxtReadMemory(parser, place, length, 0, encoding, OPTIONS);
    library._xmlFreeParserCtxt(parser);
    library._free(place);
    return document;
  }

  /** A text with an end, where the library can read it: written there at once, as there may be little room for another copy. */
  #keep(text: string | Uint8Array): { readonly place: number; readonly length: number } {
    const length = Buffer.byteLength(text);
    const place = this.#library._malloc(length + 1);
    if (place === 0) throw new RangeError('the memory of the reader of XML is used up');
    const room = this.#library.HEAPU8.subarray(place, place + length);
    if (typeof text === 'string') new TextEncoder().encodeInto(text, room);
    else room.set(text);
    this.#library.HEAPU8[place + length] = 0;
    return { place, length };
  }

  #take(error: number): void {
    if (this.at(error, AT.error.level) <= WARNING) return;
    const message = this.#library.UTF8ToString(this.at(error, AT.error.message), MESSAGE);
    const isLimit = LIMITS.has(this.at(error, AT.error.code));
    this.#fault = { line: this.at(error, AT.error.line), message, isLimit };
    throw new Stopped();
  }
}

function remembered(known: Map<number, string>, key: number, make: (key: number) => string): string {
  const before = known.get(key);
  if (before !== undefined) return before;
  const made = make(key);
  known.set(key, made);
  return made;
}

/** An element, of which the library keeps everything. */
class Element implements XmlElement {
  readonly #sandbox: XmlSandbox;
  readonly #pointer: number;
  readonly #namespace: string;

  constructor(sandbox: XmlSandbox, pointer: number, namespace: string) {
    this.#sandbox = sandbox;
    this.#pointer = pointer;
    this.#namespace = namespace;
  }

  get name(): string {
    return this.#sandbox.nameOf(this.#pointer);
  }

  attribute(name: string): string | undefined {
    for (const one of this.#all(AT.node.attributes)) {
      if (this.#sandbox.nameOf(one) === name && this.#sandbox.namespaceOf(one) === '')
        return this.#textIn(one);
    }
    return undefined;
  }

  text(): string {
    return this.#textIn(this.#pointer);
  }

  children(): readonly XmlElement[] {
    return this.#all(AT.node.children)
      .filter((one) => this.#sandbox.at(one, AT.node.type) === ELEMENT)
      .filter((one) => this.#sandbox.namespaceOf(one) === this.#namespace)
      .map((one) => new Element(this.#sandbox, one, this.#namespace));
  }

  /** What begins at a place of this one, or of another, and goes on from each to the next. */
  #all(offset: number, of: number = this.#pointer): readonly number[] {
    const found: number[] = [];
    for (let one = this.#sandbox.at(of, offset); one !== 0; one = this.#sandbox.at(one, AT.node.next))
      found.push(one);
    return found;
  }

  #textIn(node: number): string {
    return this.#all(AT.node.children, node)
      .filter((one) => TEXTS.has(this.#sandbox.at(one, AT.node.type)))
      .map((one) => this.#sandbox.textAt(this.#sandbox.at(one, AT.node.content)))
      .join('');
  }
}

/** All files that there are to the library: schemas that another one names. */
class Files {
  readonly #library: LibXml2;
  #open: { readonly bytes: Uint8Array; place: number } | undefined;

  constructor(library: LibXml2) {
    this.#library = library;
  }

  callbacks(): [match: number, open: number, read: number, close: number] {
    const library = this.#library;
    return [
      library.addFunction(() => 1, 'ii'),
      library.addFunction((name: number) => this.#opens(library.UTF8ToString(name)), 'ii'),
      library.addFunction((_: number, to: number, most: number) => this.#reads(to, most), 'iiii'),
      library.addFunction(() => 0, 'ii'),
    ];
  }

  #opens(name: string): number {
    if (name !== IMPORTED) return 0;
    this.#open = { bytes: readSchema(name), place: 0 };
    return 1;
  }

  #reads(to: number, most: number): number {
    const open = this.#open;
    if (open === undefined) return -1;
    const part = open.bytes.subarray(open.place, open.place + most);
    this.#library.HEAPU8.set(part, to);
    open.place += part.length;
    return part.length;
  }
}

/** Licences, which all versions of the schema name. */
const IMPORTED = 'spdx.SNAPSHOT.xsd';

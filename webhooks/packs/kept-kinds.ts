// SPDX-License-Identifier: Apache-2.0
import type { Resource } from '#operator/core/object';
import { areKept, keptFields } from '#operator/core/policy/inventory';
import type { KindWatch, OpenKind } from './kind-watches.ts';

/** Who reads objects of a kind, and which fields of them; undefined: all. */
export interface KindReader {
  readonly resource: Resource;
  readonly fields: readonly string[] | undefined;
}

interface Kept {
  readonly fields: readonly string[] | undefined;
  readonly watch: KindWatch;
}

interface Kind {
  current: Kept;
  /** With more fields: takes the place of the other when everything was read. */
  next?: Kept | undefined;
}

/**
 * Watches of the kinds that somebody reads, one of each: with no more of its objects than all who read it name. Where one comes who reads
 * more, another watch is opened, and those who have enough go on with the first until that one has read everything.
 */
export class KeptKinds {
  readonly #open: OpenKind;
  readonly #onChange: (resource: Resource) => void;
  readonly #kinds = new Map<string, Kind>();

  /** `onChange` is called when something of a kind has changed, or can be read for the first time. */
  constructor(open: OpenKind, onChange: (resource: Resource) => void) {
    this.#open = open;
    this.#onChange = onChange;
  }

  /** Opens what is missing for these readers, and ends what none of them needs. */
  keep(readers: readonly KindReader[]): void {
    const wanted = Map.groupBy(readers, ({ resource }) => nameOf(resource));
    for (const [name, all] of wanted) this.#keepOne(name, all);
    for (const [name, kind] of this.#kinds) if (!wanted.has(name)) this.#close(name, kind);
  }

  /** The watch that has what these fields need; undefined: there is none yet. */
  watchFor({ resource, fields }: KindReader): KindWatch | undefined {
    const kind = this.#kinds.get(nameOf(resource));
    return kind !== undefined && areKept(fields, kind.current.fields) ? kind.current.watch : undefined;
  }

  close(): void {
    for (const [name, kind] of this.#kinds) this.#close(name, kind);
  }

  #keepOne(name: string, readers: readonly KindReader[]): void {
    const [first] = readers;
    if (first === undefined) return;
    const { resource } = first;
    const kind = this.#kinds.get(name);
    const isEnough = (kept: Kept | undefined): boolean =>
      kept !== undefined && readers.every(({ fields }) => areKept(fields, kept.fields));
    if (isEnough(kind?.current) || isEnough(kind?.next)) return;
    const fields = keptFields(readers.map((one) => one.fields));
    if (kind === undefined) {
      const changed = (): void => {
        if (this.#kinds.get(name)?.current === current) this.#onChange(resource);
      };
      const current: Kept = { fields, watch: this.#open(resource, changed, fields) };
      this.#kinds.set(name, { current });
      return;
    }
    kind.next?.watch.close();
    kind.next = this.#openNext(kind, resource, fields);
  }

  #openNext(kind: Kind, resource: Resource, fields: readonly string[] | undefined): Kept {
    const changed = (): void => {
      if (kind.next === next && next.watch.isSynced) {
        kind.current.watch.close();
        kind.current = next;
        kind.next = undefined;
      }
      if (kind.current === next) this.#onChange(resource);
    };
    const next: Kept = { fields, watch: this.#open(resource, changed, fields) };
    return next;
  }

  #close(name: string, { current, next }: Kind): void {
    current.watch.close();
    next?.watch.close();
    this.#kinds.delete(name);
  }
}

function nameOf({ apiVersion, plural }: Resource): string {
  return `${apiVersion}/${plural}`;
}

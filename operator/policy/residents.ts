// SPDX-License-Identifier: Apache-2.0

/** What is to be kept, and whose it is. */
export interface Resident {
  readonly key: string;
  readonly bytes: number;
  /** Undefined: the platform's. */
  readonly tenant: string | undefined;
  /** Whether it cannot be had again, so that it stays until it is let go. */
  readonly isPinned?: boolean;
  /** What it is no good without: that does not go for it. */
  readonly besides?: string | undefined;
}

/**
 * What is kept in memory, of how many bytes in all. What does not fit takes the place of what was used longest ago: first of the tenant that has
 * most, if that has more than who asks would have, then of one's own, then of any tenant's. The platform comes first: for it tenants give way, and
 * it for none. No tenant has more than half of what the platform leaves.
 */
export class Residents {
  readonly #limitBytes: number;
  readonly #onEvict: (key: string) => void;
  /** The one used longest ago first. */
  readonly #kept = new Map<string, Resident>();
  #bytes = 0;

  constructor(limitBytes: number, onEvict: (key: string) => void) {
    this.#limitBytes = limitBytes;
    this.#onEvict = onEvict;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** It is used, by whom: what the platform uses as well is the platform's from then on. */
  touch(key: string, tenant: string | undefined): void {
    const known = this.#kept.get(key);
    if (known === undefined) return;
    this.#kept.delete(key);
    this.#kept.set(key, tenant === undefined ? { ...known, tenant } : known);
  }

  /** Keeps something; or tells why there is no room for it. */
  keep(resident: Resident): string | undefined {
    const { key, bytes } = resident;
    this.release(key);
    const most = this.#mostOf(resident);
    const beside = this.#kept.get(resident.besides ?? '')?.bytes ?? 0;
    if (bytes + beside > most) return tooLarge(resident, Math.max(most - beside, 0));
    while (this.#bytes + bytes > this.#limitBytes || this.#bytesOf(resident) + bytes > most) {
      const victim = this.#victimFor(resident, most);
      if (victim === undefined)
        return tooLarge(resident, Math.min(this.#limitBytes - this.#bytes, most - this.#bytesOf(resident)));
      this.release(victim);
      this.#onEvict(victim);
    }
    this.#kept.set(key, resident);
    this.#bytes += bytes;
    return undefined;
  }

  release(key: string): void {
    this.#bytes -= this.#kept.get(key)?.bytes ?? 0;
    this.#kept.delete(key);
  }

  /** What the platform leaves is for tenants, and half of that for one of them. */
  #mostOf({ tenant }: Resident): number {
    const left = this.#limitBytes - this.#sum((one) => one.tenant === undefined);
    return tenant === undefined ? this.#limitBytes : Math.floor(left / 2);
  }

  #bytesOf({ tenant }: Resident): number {
    return this.#sum((one) => one.tenant === tenant);
  }

  #victimFor(resident: Resident, most: number): string | undefined {
    const { tenant, bytes, besides } = resident;
    const may = [...this.#kept.values()].filter((one) => one.isPinned !== true && one.key !== besides);
    const oldestOf = (whose: string | undefined) => may.find((one) => one.tenant === whose)?.key;
    const mine = this.#bytesOf(resident) + bytes;
    if (mine > most) return oldestOf(tenant);
    const others = new Set(may.map((one) => one.tenant).filter((one) => one !== undefined && one !== tenant));
    const [largest] = [...others]
      .map((one) => ({ tenant: one, bytes: this.#sum((kept) => kept.tenant === one) }))
      .toSorted((a, b) => b.bytes - a.bytes);
    const gives = largest !== undefined && (tenant === undefined || largest.bytes > mine);
    if (gives) return oldestOf(largest.tenant);
    return oldestOf(tenant) ?? may.find((one) => one.tenant !== undefined)?.key;
  }

  #sum(isCounted: (one: Resident) => boolean): number {
    let sum = 0;
    for (const one of this.#kept.values()) if (isCounted(one)) sum += one.bytes;
    return sum;
  }
}

function tooLarge({ bytes, tenant }: Resident, most: number): string {
  const whose = tenant === undefined ? '' : ` for packs of ${tenant}`;
  return `it takes ${bytes} bytes, and this replica has room for ${most}${whose}: make the module or its data smaller, or give replicas more memory (chart value webhooks.resources.limits.memory)`;
}

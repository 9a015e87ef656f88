// SPDX-License-Identifier: Apache-2.0
import type { AgentCalls } from '#crds/v1alpha1/agent-calls';
import type { Reservation } from '#crds/v1alpha1/quota-ledger';
import { type Agent, agentKey } from '../agent/agent.ts';
import type { RunContext } from '../quota/candidates.ts';

/** Where a Run is among those that call each other. */
export interface TreePlace {
  readonly depth: number;
  readonly levels: number;
  /** UID and name of the Run above all: its own, if nobody calls it. */
  readonly root: string;
  readonly rootName: string;
}

/** The place of the Run of a reservation. */
export function placeOf({ uid, name, levels = 0, call }: Reservation): TreePlace {
  if (call === undefined) return { depth: 0, levels, root: uid, rootName: name };
  const { depth, root, rootName } = call;
  return { depth, levels, root, rootName };
}

/** What is said of an Agent that calls nobody, or is not there. */
const NO_CALLS: AgentCalls = { agents: [], maxDepth: 0, maxChildren: 0, maxTotal: 0 };

/** Whom Runs of `agent` may call, and how many. */
export function callsOf(agent: Agent | undefined): AgentCalls {
  return agent?.spec.calls ?? NO_CALLS;
}

/** Runs that hold quota, by who has called them. */
export class Forest {
  readonly #byUid: Map<string, Reservation>;
  readonly #below = new Map<string, Reservation[]>();
  readonly #children = new Map<string, number>();

  constructor(held: readonly Reservation[]) {
    this.#byUid = new Map(held.map((one) => [one.uid, one]));
    for (const one of held) this.#count(one);
  }

  /** Those below one that nobody has called, by the uid of that. */
  get trees(): ReadonlyMap<string, readonly Reservation[]> {
    return this.#below;
  }

  /** Adds one that is admitted. */
  add(one: Reservation): void {
    this.#byUid.set(one.uid, one);
    this.#count(one);
  }

  /** The reservation of a Run. */
  find(uid: string): Reservation | undefined {
    return this.#byUid.get(uid);
  }

  /** Those below the Run of that uid, which nobody has called. */
  below(root: string): readonly Reservation[] {
    return this.#below.get(root) ?? [];
  }

  /** How many the Run of that uid has called. */
  childrenOf(uid: string): number {
    return this.#children.get(uid) ?? 0;
  }

  /** Whether anybody is below the Run of that uid. */
  isAbove(uid: string): boolean {
    return this.#below.has(uid) || this.#children.has(uid);
  }

  /** A reservation, and those above it. */
  lineOf(one: Reservation): readonly Reservation[] {
    const line: Reservation[] = [];
    for (let at: Reservation | undefined = one; at !== undefined && !line.includes(at); ) {
      line.push(at);
      at = at.call && this.#byUid.get(at.call.parent);
    }
    return line;
  }

  #count(one: Reservation): void {
    if (one.call === undefined) return;
    const { root, parent } = one.call;
    this.#children.set(parent, this.childrenOf(parent) + 1);
    const others = this.#below.get(root);
    if (others === undefined) this.#below.set(root, [one]);
    else others.push(one);
  }
}

/** The Agent of the Run of a reservation, as it is. */
export function agentOf(one: Reservation | undefined, { agents }: RunContext): Agent | undefined {
  return one && agents.get(agentKey(one.namespace, one.agent));
}

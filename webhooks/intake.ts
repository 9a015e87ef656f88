// SPDX-License-Identifier: Apache-2.0

/** What is taken in at most, before anybody has looked at it. */
export interface IntakeLimits {
  /** Bytes of bodies, from the first one that is read until the answer. */
  readonly heldBytes: number;
  /** What of that one peer may have. */
  readonly heldBytesPerPeer: number;
  readonly connections: number;
  readonly connectionsPerPeer: number;
  /** For a handshake, for headers, and for a whole request: the API server, which waits three seconds, needs none of it. */
  readonly handshakeMs: number;
  readonly headersMs: number;
  readonly requestMs: number;
}

/** Limits for a pod of 512 MiB. An API server has a connection for each question that is open, and is one peer. */
export const INTAKE_LIMITS: IntakeLimits = {
  heldBytes: 48 * 1024 * 1024,
  heldBytesPerPeer: 32 * 1024 * 1024,
  connections: 2048,
  connectionsPerPeer: 1024,
  handshakeMs: 5000,
  headersMs: 5000,
  requestMs: 10_000,
};

/** What has been taken in, in all and by peer. */
export class Intake {
  readonly #limits: IntakeLimits;
  readonly #held = new Map<string, number>();
  readonly #connections = new Map<string, number>();
  #heldBytes = 0;

  constructor(limits: IntakeLimits) {
    this.#limits = limits;
  }

  /** Bytes that are held now. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Counts a connection; false where the peer has too many. What is told true has to be told `disconnect`. */
  connect(peer: string): boolean {
    const count = this.#connections.get(peer) ?? 0;
    if (count >= this.#limits.connectionsPerPeer) return false;
    this.#connections.set(peer, count + 1);
    return true;
  }

  disconnect(peer: string): void {
    lower(this.#connections, peer, 1);
  }

  /** Holds bytes; false where there is no room for them. What is told true has to be let go. */
  hold(peer: string, bytes: number): boolean {
    const { heldBytes, heldBytesPerPeer } = this.#limits;
    const ofPeer = (this.#held.get(peer) ?? 0) + bytes;
    if (this.#heldBytes + bytes > heldBytes || ofPeer > heldBytesPerPeer) return false;
    this.#heldBytes += bytes;
    this.#held.set(peer, ofPeer);
    return true;
  }

  letGo(peer: string, bytes: number): void {
    this.#heldBytes -= bytes;
    lower(this.#held, peer, bytes);
  }
}

function lower(counts: Map<string, number>, peer: string, by: number): void {
  const left = (counts.get(peer) ?? by) - by;
  if (left > 0) counts.set(peer, left);
  else counts.delete(peer);
}

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

/** Limits for a pod of 512 MiB. */
export const INTAKE_LIMITS: IntakeLimits = {
  heldBytes: 48 * 1024 * 1024,
  heldBytesPerPeer: 32 * 1024 * 1024,
  connections: 2048,
  connectionsPerPeer: 512,
  handshakeMs: 5000,
  headersMs: 5000,
  requestMs: 10_000,
};

/**
 * The same, with connections for those who work on more at a time: an API server has one for each question that is open, is one peer, and has
 * to get through to be told that there are too many.
 */
export function intakeFor(maxInFlight: number): Pick<IntakeLimits, 'connections' | 'connectionsPerPeer'> {
  const connectionsPerPeer = Math.max(INTAKE_LIMITS.connectionsPerPeer, 2 * maxInFlight);
  return { connectionsPerPeer, connections: Math.max(INTAKE_LIMITS.connections, 4 * connectionsPerPeer) };
}

/** A connection that is open. Whatever is done with one that has been cut or has ended is without effect. */
export interface Connection {
  readonly peer: string;
}

interface Open extends Connection {
  readonly cut: () => void;
  /** Requests that are being sent, and those that are being answered. */
  sending: number;
  answering: number;
  heldBytes: number;
}

/** What of one peer is open; the connection used longest ago first. */
interface Peer {
  readonly open: Set<Open>;
  heldBytes: number;
}

/** Why a connection is not taken: its peer has its share, or there is no room for anybody who has as many. */
export type NoRoom = 'peer' | 'all';

/**
 * Who may be taken in. Before it has sent a request as a whole nobody can say who is an API server and who a hostile pod, so peers are told apart by
 * their address alone: each has a share at most, and when all is taken, room is made by whoever has most of it. So who has little is never
 * turned away for what others have, however many of those have filled their shares. What is being answered is never cut.
 */
export class Intake {
  readonly #limits: IntakeLimits;
  readonly #onCut: () => void;
  readonly #peers = new Map<string, Peer>();
  #connections = 0;
  #heldBytes = 0;

  /** `onCut` is told of each connection that made room. */
  constructor(limits: IntakeLimits, onCut: () => void = () => undefined) {
    this.#limits = limits;
    this.#onCut = onCut;
  }

  /** Bytes that are held now. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Connections that are open now. */
  get connections(): number {
    return this.#connections;
  }

  /** Takes a connection, or tells why not. What is taken has to be told `leave`; `cut` is called where it has to make room. */
  admit(peer: string, cut: () => void): Connection | NoRoom {
    const count = this.#peers.get(peer)?.open.size ?? 0;
    if (count >= this.#limits.connectionsPerPeer) return 'peer';
    if (this.#connections >= this.#limits.connections && !this.#cutForConnection(count + 1)) return 'all';
    const connection: Open = { peer, cut, sending: 0, answering: 0, heldBytes: 0 };
    const known = this.#peers.get(peer) ?? { open: new Set(), heldBytes: 0 };
    this.#peers.set(peer, known);
    known.open.add(connection);
    this.#connections += 1;
    return connection;
  }

  /** It is no more. */
  leave(connection: Connection): void {
    const peer = this.#peers.get(connection.peer);
    if (peer?.open.delete(connection as Open) !== true) return;
    this.#connections -= 1;
    this.#letGo(connection as Open, peer, (connection as Open).heldBytes);
    if (peer.open.size === 0) this.#peers.delete(connection.peer);
  }

  /** A request begins to come. */
  begin(connection: Connection): IntakeOfRequest {
    const open = connection as Open;
    // Now it is the one used last.
    const peer = this.#peers.get(open.peer);
    if (peer?.open.delete(open) === true) peer.open.add(open);
    open.sending += 1;
    let [state, held]: ['sending' | 'answering' | 'done', number] = ['sending', 0];
    return {
      hold: (bytes) => {
        if (!this.#hold(open, bytes)) return false;
        held += bytes;
        return true;
      },
      letGo: () => {
        this.#release(open, held);
        held = 0;
      },
      answer: () => {
        if (state !== 'sending') return;
        open[state] -= 1;
        state = 'answering';
        open[state] += 1;
      },
      end: () => {
        if (state === 'done') return;
        open[state] -= 1;
        state = 'done';
        this.#release(open, held);
        held = 0;
      },
    };
  }

  /** Whether there is room for these bytes, be it that others make it. */
  #hold(open: Open, bytes: number): boolean {
    const peer = this.#peers.get(open.peer);
    if (peer?.open.has(open) !== true) return false;
    const ofPeer = peer.heldBytes + bytes;
    if (ofPeer > this.#limits.heldBytesPerPeer) return false;
    while (this.#heldBytes + bytes > this.#limits.heldBytes) {
      if (!this.#cutForBytes(ofPeer)) return false;
    }
    open.heldBytes += bytes;
    peer.heldBytes += bytes;
    this.#heldBytes += bytes;
    return true;
  }

  #release(open: Open, bytes: number): void {
    const peer = this.#peers.get(open.peer);
    // With its connection, all has been let go.
    if (peer?.open.has(open) === true) this.#letGo(open, peer, bytes);
  }

  #letGo(open: Open, peer: Peer, bytes: number): void {
    open.heldBytes -= bytes;
    peer.heldBytes -= bytes;
    this.#heldBytes -= bytes;
  }

  /** Has a peer that has more than so many give one up, the idle ones first. */
  #cutForConnection(count: number): boolean {
    for (const { open } of this.#above(count, (peer) => peer.open.size)) {
      const free = [...open].filter(({ answering }) => answering === 0);
      if (this.#cut(free.find(({ sending }) => sending === 0) ?? free[0])) return true;
    }
    return false;
  }

  /** Has a peer that holds more than so many bytes give up what it is still sending. */
  #cutForBytes(bytes: number): boolean {
    for (const { open } of this.#above(bytes, ({ heldBytes }) => heldBytes)) {
      if (this.#cut([...open].find((one) => one.answering === 0 && one.heldBytes > 0))) return true;
    }
    return false;
  }

  #cut(open: Open | undefined): boolean {
    if (open === undefined) return false;
    this.leave(open);
    open.cut();
    this.#onCut();
    return true;
  }

  /** Peers that have more than so much, the largest first. */
  #above(size: number, sizeOf: (peer: Peer) => number): readonly Peer[] {
    return [...this.#peers.values()]
      .filter((peer) => sizeOf(peer) > size)
      .toSorted((a, b) => sizeOf(b) - sizeOf(a));
  }
}

/** What is taken in of one request. */
export interface IntakeOfRequest {
  /** Holds bytes; false where there is no room for them. */
  hold(bytes: number): boolean;
  /** Holds nothing any more. */
  letGo(): void;
  /** Its body is there: it is worked on, and not cut any more. */
  answer(): void;
  /** It has been answered, or is no more. */
  end(): void;
}

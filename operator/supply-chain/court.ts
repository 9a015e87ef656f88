// SPDX-License-Identifier: Apache-2.0
import { mostTelling, type NotKnown, quote, refuse, type Refused } from '../core/supply-chain/judgement.ts';
import { type Asked, isOfKind, PREDICATES, type StatementKind } from '../core/supply-chain/requirement.ts';
import type { Statement } from '../core/supply-chain/statement.ts';
import { distinctVoices, type Voice } from '../core/supply-chain/threshold.ts';
import type { Check, ImageFacts, SignerFact } from '../core/supply-chain/verdict.ts';
import type { ProvenSigner } from './authority.ts';
import type { Claim, Claims } from './claims.ts';
import type { ReadyPolicy } from './policy.ts';

/** What a trusted authority states about the image. */
export interface Testimony {
  readonly signer: ProvenSigner;
  readonly statement: Statement;
  readonly origin: string;
}

/** What a part of a policy came to, with what was found out on the way. */
export interface PartOutcome {
  readonly check: Check;
  readonly facts?: Partial<ImageFacts>;
  readonly validUntil?: string;
}

/** Hears who says what, and keeps why others were not believed. */
export class Court {
  readonly policy: ReadyPolicy;
  readonly #read: Claims;
  readonly #incomplete: NotKnown | undefined;
  readonly #signers = new Map<
    string,
    { readonly signer: ProvenSigner; readonly states: Set<StatementKind> }
  >();
  readonly #notes = new Set<string>();
  #untried: NotKnown | undefined;

  constructor(policy: ReadyPolicy, read: Claims, incomplete: NotKnown | undefined) {
    this.policy = policy;
    this.#read = read;
    this.#incomplete = incomplete;
  }

  /** The statements of a kind about the image, each once for every authority that may make it and did. */
  hear(kind: StatementKind, { from }: Pick<Asked, 'from'>): readonly Testimony[] {
    const authorities = this.policy.authorities.filter((one) => from.includes(one.name));
    return this.#of(kind).flatMap((claim) =>
      authorities.flatMap((authority): readonly Testimony[] => {
        const signer = claim.by(authority);
        if (signer.kind === 'unknown') this.#untried ??= signer;
        if (signer.kind !== 'verified') return [];
        this.#believe(signer.value, kind);
        return [{ signer: signer.value, statement: claim.statement, origin: claim.origin }];
      }),
    );
  }

  /** What is wrong where too few were believed; `refused` is what is wrong with what those state that were. */
  missing(
    kind: StatementKind,
    asked: Asked,
    { heard, refused = [] }: { readonly heard: readonly Testimony[]; readonly refused?: readonly Refused[] },
  ): Refused | NotKnown | undefined {
    const count = distinctVoices(heard.map(({ signer }) => voiceOf(signer)));
    if (count >= asked.threshold) return undefined;
    // Something else may be there that could not be read: nothing is concluded from what is.
    const unknown = this.#incomplete ?? this.#untried;
    if (unknown !== undefined) return unknown;
    const names = new Set(heard.map((one) => one.signer.authority));
    if (names.size > count) {
      const all = [...names].join(', ');
      const same = `${kind}: ${count} of ${asked.threshold} signers: ${all} were spoken for by the same`;
      return refuse('ThresholdNotMet', same);
    }
    const worst = mostTelling([...refused, ...this.#refusals(kind, asked)]) ?? this.#nothing(kind);
    if (count === 0) return { ...worst, message: `${kind}: ${worst.message}` };
    const more = `${kind}: ${count} of ${asked.threshold} authorities; of the others: ${worst.message}`;
    return refuse('ThresholdNotMet', more);
  }

  /**
   * Why there may be more than was read. What there is may suffice all the same, but nothing is concluded of what it is
   * that was said last.
   */
  unread(): NotKnown | undefined {
    const large = this.#read.unreadable.find((one) => one.reason === 'TooLarge');
    const cut: NotKnown | undefined =
      large === undefined
        ? undefined
        : { kind: 'unknown', reason: 'TooMuchAttached', message: large.message };
    return this.#incomplete ?? this.#untried ?? cut;
  }

  /** Until when all that was believed is so by itself; undefined where time does not change it. */
  validUntil(): string | undefined {
    return [...this.#signers.values()].flatMap(({ signer }) => signer.validUntil ?? []).toSorted()[0];
  }

  /** Notes what did not count. */
  note(message: string): void {
    this.#notes.add(message);
  }

  /** What did not count. */
  notes(): readonly string[] {
    return [...this.#notes].slice(0, 16);
  }

  /** Authorities, other than those that may make a statement of the kind, that did. */
  others(kind: StatementKind, from: readonly string[]): readonly string[] {
    const authorities = this.policy.authorities.filter((one) => !from.includes(one.name));
    return authorities
      .filter((one) => this.#of(kind).some((claim) => claim.by(one).kind === 'verified'))
      .map((one) => one.name);
  }

  /** Everybody who was believed in something. */
  signers(): readonly SignerFact[] {
    return [...this.#signers.values()].map(({ signer, states }) => {
      const { authority, fingerprint, identity, signedAt } = signer;
      const when = signedAt !== undefined && { signedAt };
      return { authority, fingerprint, ...identity, ...when, states: [...states].toSorted() };
    });
  }

  #believe(signer: ProvenSigner, kind: StatementKind): void {
    const key = `${signer.authority} ${signer.fingerprint}`;
    const states = this.#signers.get(key)?.states ?? new Set();
    this.#signers.set(key, { signer, states: states.add(kind) });
  }

  #of(kind: StatementKind): readonly Claim[] {
    return this.#read.claims.filter((claim) => isOfKind(claim.statement.predicateType, kind));
  }

  #refusals(kind: StatementKind, { from }: Asked): readonly Refused[] {
    const asked = this.policy.authorities.filter((one) => from.includes(one.name));
    const refusals = this.#of(kind).flatMap((claim) =>
      asked.flatMap((authority) => {
        const judged = claim.by(authority);
        return judged.kind === 'refused' ? [judged] : [];
      }),
    );
    const others = this.others(kind, from).map((name) =>
      refuse('RoleNotAllowed', `${name} is trusted, but not for this; wanted is ${from.join(' or ')}`),
    );
    return [...refusals, ...others];
  }

  /** Nothing of the kind is there at all. */
  #nothing(kind: StatementKind): Refused {
    const { claims, unreadable } = this.#read;
    const wanted = PREDICATES[kind][0];
    const types = [...new Set(claims.map((claim) => quote(claim.statement.predicateType)))].slice(0, 4);
    if (types.length > 0) {
      return refuse('OnlyOtherStatements', `attached are only ${types.join(', ')}; wanted is ${wanted}`);
    }
    return mostTelling(unreadable) ?? refuse('NoSignature', 'nothing is attached to the image');
  }
}

/** Who speaks: by the key, and by the identity of a certificate, whose keys are used once. */
function voiceOf({ authority, fingerprint, identity }: ProvenSigner): Voice {
  const marks = [`key ${fingerprint}`];
  if (identity !== undefined) marks.push(JSON.stringify([identity.issuer, identity.subject]));
  return { authority, marks };
}

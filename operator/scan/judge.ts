// SPDX-License-Identifier: Apache-2.0
import type { PolicyPackRevisionSpec } from '#crds/v1alpha1/policy-pack-revision';
import type { KubeObject, Resource } from '../core/object.ts';
import type { PackResult } from '../core/policy/compose.ts';
import { constraintsFor } from '../core/policy/gatekeeper-constraints.ts';
import { projector } from '../core/policy/projection.ts';
import type { AskedRevision } from '../core/scan/live-review.ts';
import { askPack, type Evaluate, type PackQuestion } from '../policy/packs/ask.ts';
import { type LoadedRevision, type LoadOutcome, loadRevision } from '../policy/packs/load.ts';
import type { ScanWorld } from '../core/scan/world.ts';
import type { Client } from '../runtime/client.ts';
import { Documents } from './documents.ts';
import { seeInventory } from './inventory.ts';

/** What a judge works with. */
export interface JudgeOptions {
  readonly client: Pick<Client, 'get' | 'list'>;
  /** Kinds whose live objects packs may look at. */
  readonly inventoryKinds?: readonly Resource[];
  /** Namespace that modules are kept in. */
  readonly platformNamespace: string;
  readonly evaluate: Evaluate;
  /** A module is not asked any more. */
  readonly release?: (digest: string) => void;
  /** A module is not asked with these data any more. */
  readonly releaseData?: (digest: string, dataDigest: string) => void;
}

/** What a revision says of an object; or that it could not be asked, for a reason that is not its own. */
export type Judgement = PackResult | { readonly kind: 'unasked'; readonly why: string };

const CONFIG_MAPS: Resource = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  plural: 'configmaps',
  namespaced: true,
};
/** Reasons of failures that are the host's, and not the module's. */
const OF_THE_HOST: ReadonlySet<string> = new Set(['Overloaded', 'Lost']);
/** That may be the machine's, too. Nobody waits here. */
const LATE = 'Timeout';
const MAX_TRIES = 3;
/** Modules are a megabyte or two; of packs there are some dozens. */
const MAX_LOADED = 256;

/** Asks revisions about objects that exist, by the very modules that replicas ask. */
export class PolicyJudge {
  readonly #options: JudgeOptions;
  /** By what a revision is made of, in the order in which they were last asked for. */
  readonly #loaded = new Map<string, LoadOutcome>();
  readonly #seen: Documents;
  /** Revisions that look at live objects, and why those cannot be seen, if they cannot. */
  readonly #live = new Map<string, string | undefined>();
  /** Revisions that were late however often they were asked. */
  readonly #late = new Set<string>();

  constructor(options: JudgeOptions) {
    this.#options = options;
    this.#seen = new Documents((digest, dataDigest) => options.releaseData?.(digest, dataDigest));
  }

  /** Has a revision ready to be asked, with the live objects that it looks at as they are now; the reason, where it cannot be. */
  async load(revision: KubeObject, world: ScanWorld): Promise<LoadOutcome> {
    const outcome = await this.#load(revision);
    const { inventory } = revision['spec'] as PolicyPackRevisionSpec;
    if (outcome.kind !== 'ok' || inventory === undefined) return outcome;
    const { client, inventoryKinds: kinds = [] } = this.#options;
    const { loaded } = outcome;
    const seen = await seeInventory(revision, { loaded, inventory, world }, { client, kinds });
    const key = keyOf(revision);
    this.#live.set(key, seen.kind === 'ok' ? undefined : seen.why);
    this.#seen.put(key, seen.kind === 'ok' ? seen.loaded : undefined);
    return outcome;
  }

  /** Whether what a revision says of an object goes by others as well, so that it may change though the object does not. */
  isLive(key: string): boolean {
    return this.#live.has(key);
  }

  async #load(revision: KubeObject): Promise<LoadOutcome> {
    const key = keyOf(revision);
    const known = this.#loaded.get(key);
    this.#loaded.delete(key);
    const outcome =
      known?.kind === 'ok' ? known : await this.#read(revision['spec'] as PolicyPackRevisionSpec);
    this.#loaded.set(key, outcome);
    if (this.#loaded.size > MAX_LOADED) this.#forgetOldest();
    return outcome;
  }

  /** What a revision that was loaded says of an object. Never rejects for what a module does. */
  async ask(asked: AskedRevision, now: Date): Promise<Judgement> {
    const { revision, review, facts } = asked;
    const outcome = this.#loaded.get(revision.key);
    const why = this.#live.get(revision.key);
    if (why !== undefined) return { kind: 'unasked', why };
    const seen = this.#seen.get(revision.key);
    const loaded = seen ?? (outcome?.kind === 'ok' ? outcome.loaded : undefined);
    const { shape, trust, parameters, mayChange: detects, seesImages } = revision;
    const constraints = constraintText(loaded, asked);
    const question = {
      revision,
      loaded,
      input: new TextEncoder().encode(
        projector(review, facts, now)({ shape, trust, parameters, detects, constraints, seesImages }),
      ),
      nowNs: BigInt(now.getTime()) * 1_000_000n,
      leftMs: () => revision.deadlineMs,
      tenant: trust === 'Tenant' ? (facts.tenant?.name ?? '') : undefined,
    };
    return this.#seen.during(seen, () => this.#insist(question));
  }

  /** Asks again where it may be the machine that was late, as long as the revision has not been late three times in a row before. */
  async #insist(question: PackQuestion): Promise<Judgement> {
    const { key } = question.revision;
    for (let tries = 1; ; tries += 1) {
      const { result } = await askPack(this.#options.evaluate, question);
      if (result.kind === 'answer') return result;
      const isOfHost = OF_THE_HOST.has(result.reason);
      if (!isOfHost && (result.reason !== LATE || this.#late.has(key))) return result;
      if (tries < MAX_TRIES) continue;
      if (isOfHost) return { kind: 'unasked', why: result.message };
      this.#late.add(key);
      return result;
    }
  }

  #forgetOldest(): void {
    const [oldest] = this.#loaded;
    if (oldest === undefined) return;
    const [key, outcome] = oldest;
    this.#loaded.delete(key);
    this.#late.delete(key);
    this.#live.delete(key);
    this.#seen.put(key, undefined);
    if (outcome.kind === 'ok') this.#options.release?.(outcome.loaded.module.digest);
  }

  async #read(spec: PolicyPackRevisionSpec): Promise<LoadOutcome> {
    const parts = new Map<string, Uint8Array>();
    for (const name of [...spec.module.chunks, ...(spec.data?.chunks ?? [])]) {
      const part = await this.#part(name);
      if (part !== undefined) parts.set(name, part);
    }
    return loadRevision(spec, (name) => parts.get(name));
  }

  async #part(name: string): Promise<Uint8Array | undefined> {
    const { client, platformNamespace: namespace } = this.#options;
    const object = await client.get(CONFIG_MAPS, { namespace, name });
    const { part } = (object?.['binaryData'] ?? {}) as { readonly part?: unknown };
    return typeof part === 'string' ? Buffer.from(part, 'base64') : undefined;
  }
}

function keyOf({ metadata }: KubeObject): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}

/** The constraints of Gatekeeper that are about an object, as JSON; undefined where the pack has none at all. */
function constraintText(
  loaded: LoadedRevision | undefined,
  { review, facts }: AskedRevision,
): string | undefined {
  if (loaded?.constraints === undefined) return undefined;
  const { constraints } = loaded;
  return JSON.stringify(constraintsFor(constraints, { review, namespace: facts.namespace, point: 'audit' }));
}

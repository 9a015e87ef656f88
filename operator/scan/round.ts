// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { canonicalJson } from '../core/compare.ts';
import type { KubeObject, Resource } from '../core/object.ts';
import type { Enforcement } from '../core/policy/compose.ts';
import { imageInputs } from '../core/policy/image-input.ts';
import type { Snapshot } from '../core/policy/snapshot.ts';
import { askedAbout, type AskedRevision } from '../core/scan/live-review.ts';
import { NamespaceTally } from '../core/scan/report.ts';
import { type FindingResult, type ScanFinding, verdictOn } from '../core/scan/verdict.ts';
import { clock } from '../runtime/clock.ts';
import type { PolicyJudge } from './judge.ts';
import type { JudgedAs, KnownObjects } from './known-objects.ts';
import { type JudgedPack, type ScanWorld, snapshotOf } from '../core/scan/world.ts';

/** What a round is made with. */
export interface RoundOptions {
  readonly packs: readonly JudgedPack[];
  readonly world: ScanWorld;
  readonly judge: PolicyJudge;
  readonly known: KnownObjects;
}

type Tallies = Map<string, NamespaceTally>;

/** One way over all that exists: each object is judged by all packs that are about it. */
export class Round {
  isComplete = true;
  /** Kinds that could not be read, or not to their end. */
  readonly unread = new Set<Resource>();
  scanned = 0;
  readonly #options: RoundOptions;
  readonly #snapshot: Snapshot;
  readonly #tallies: ReadonlyMap<string, Tallies>;
  readonly #violations = new Map<string, number>();
  readonly #facts = new Map<string, string>();
  readonly #seen = new Set<string>();
  readonly #startedAtMs = performance.now();

  constructor(options: RoundOptions) {
    this.#options = options;
    this.#snapshot = snapshotOf(options.packs, options.world);
    this.#tallies = new Map(options.packs.map(({ pack }) => [packKeyOf(pack), new Map()]));
  }

  /** Has all modules ready; one that is not is told of each object that it is about, as it would be to whoever makes it. */
  async load(): Promise<void> {
    const { packs, judge, world } = this.#options;
    for (const { revision } of packs) await judge.load(revision, world);
  }

  async add(object: KubeObject, resource: Resource): Promise<void> {
    const asked = askedAbout(this.#snapshot, object, resource);
    const { uid = '', namespace = '', name } = object.metadata;
    if (asked.length === 0) return;
    this.scanned += 1;
    this.#seen.add(uid);
    const images = imagesOf(asked, clock.now());
    for (const one of asked) {
      const findings = await this.#findings(object, one, images);
      if (findings === undefined) continue;
      this.#tallyOf(one, namespace).add(
        { apiVersion: resource.apiVersion, kind: resource.kind, name, uid },
        findings,
      );
      for (const { result } of findings) this.#violate(one.revision.enforcement, result);
    }
  }

  /** Nothing more comes: what was not seen is not there any more. */
  end(): void {
    const revisions = this.#snapshot.packs.flatMap(({ active }) => active?.key ?? []);
    this.#options.known.keep(this.#seen, new Set(revisions));
  }

  /** What a pack said, by namespace. */
  talliesOf(pack: KubeObject): ReadonlyMap<string, NamespaceTally> {
    return this.#tallies.get(packKeyOf(pack)) ?? new Map();
  }

  violations(enforcement: Enforcement, result: FindingResult): number {
    return this.#violations.get(`${enforcement} ${result}`) ?? 0;
  }

  /** Undefined where it could not be asked, for no reason of its own. */
  async #findings(
    object: KubeObject,
    asked: AskedRevision,
    images: string,
  ): Promise<readonly ScanFinding[] | undefined> {
    const { known, judge, world } = this.#options;
    const { uid = '', resourceVersion = '' } = object.metadata;
    const { key } = asked.revision;
    const now = clock.now();
    const as = { version: resourceVersion, facts: `${this.#factsOf(asked)}${images}` };
    const at = { as, nowMs: this.#startedAtMs };
    const before = this.#before(uid, key, at);
    if (before === 'clean') return [];
    const result = before ?? (await judge.ask(asked, now));
    if (result.kind === 'unasked') {
      this.isComplete = false;
      return undefined;
    }
    const { findings } = verdictOn(asked, result, { exemptions: world.exemptions, now });
    // A failure is asked again, and what is exempt now is not for ever.
    if (before === undefined && result.kind === 'answer')
      known.note({ uid, revision: key, said: findings.length === 0 ? undefined : result }, at);
    return findings;
  }

  /** What was said before of an object as it is. Of one that is compared with others, that says nothing. */
  #before(uid: string, key: string, at: Parameters<KnownObjects['find']>[2]) {
    const { known, judge } = this.#options;
    return judge.isLive(key) ? undefined : known.find(uid, key, at);
  }

  /** Of all objects of a namespace it is the same. */
  #factsOf({ facts: { namespace, tenant } }: AskedRevision): JudgedAs['facts'] {
    const name = namespace?.name ?? '';
    const known = this.#facts.get(name);
    if (known !== undefined) return known;
    const digest = createHash('sha256').update(canonicalJson({ namespace, tenant })).digest('base64');
    this.#facts.set(name, digest);
    return digest;
  }

  #tallyOf({ revision }: AskedRevision, namespace: string): NamespaceTally {
    const tallies = this.#tallies.get(`${revision.pack.namespace}/${revision.pack.name}`) ?? new Map();
    const tally: NamespaceTally = tallies.get(namespace) ?? new NamespaceTally();
    tallies.set(namespace, tally);
    return tally;
  }

  #violate(enforcement: Enforcement, result: FindingResult): void {
    const key = `${enforcement} ${result}`;
    this.#violations.set(key, (this.#violations.get(key) ?? 0) + 1);
  }
}

/** Of what is known of the images of an object, where some pack is told; empty where none is. */
function imagesOf(asked: readonly AskedRevision[], now: Date): string {
  const told = asked.find(({ revision }) => revision.seesImages === true);
  if (told === undefined) return '';
  const text = JSON.stringify(imageInputs(told.review, told.facts.images, now));
  return createHash('sha256').update(text).digest('base64');
}

function packKeyOf({ metadata }: KubeObject): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}

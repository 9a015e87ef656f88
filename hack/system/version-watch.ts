// SPDX-License-Identifier: Apache-2.0
import type { Dispatcher } from 'undici';
import { type Asked, answerTo, dispatcherToAnybody, reviewOf } from './direct-review.ts';
import type { WebhookProcess } from './webhook-process.ts';

/** By what a replica has decided, and when. By `performance.now()`. */
export interface VersionAnswer {
  readonly port: number;
  /** Versions that the refusal names: one, or else it was made of two revisions. */
  readonly versions: readonly string[];
  readonly askedAt: number;
  readonly at: number;
  readonly text: string;
}

/** What is asked: something that every version of the pack refuses. */
export interface VersionQuestion {
  /** The pack, as namespace/name. */
  readonly pack: string;
  /** Where the object would be made. */
  readonly namespace: string;
}

/** Asks at a time, of each replica. */
const WIDTH = 2;

/**
 * Asks each admission process by itself, past the Service, over and over: which version of a pack decides? An API server asks whom it
 * happens to be connected to; here every replica is heard.
 */
export class VersionWatch {
  readonly answers: VersionAnswer[] = [];
  readonly #question: VersionQuestion;
  readonly #loops: Promise<void>[] = [];
  readonly #agents: Dispatcher[] = [];
  #isStopped = false;

  constructor(question: VersionQuestion) {
    this.#question = question;
  }

  /** Asks this one as well, until it ends. */
  add({ port, process }: WebhookProcess): void {
    const dispatcher = dispatcherToAnybody(WIDTH);
    this.#agents.push(dispatcher);
    for (let i = 0; i < WIDTH; i += 1)
      this.#loops.push(this.#loop({ dispatcher, port }, () => process.hasEnded));
  }

  /** The last answer of any replica since then that names a version; undefined: there is none. */
  last(version: string, since: number): VersionAnswer | undefined {
    return this.answers.findLast(({ at, versions }) => at >= since && versions.includes(version));
  }

  /** How many answers each replica has given since then, of which `version` alone was named; by port. */
  counts(version: string, since: number): ReadonlyMap<number, number> {
    const counts = new Map<number, number>();
    for (const { port, versions, askedAt } of this.answers) {
      const isIt = askedAt >= since && versions.length === 1 && versions[0] === version;
      if (isIt) counts.set(port, (counts.get(port) ?? 0) + 1);
    }
    return counts;
  }

  /** Answers to what was asked since then that name two versions, or none: these are no answers of one revision. */
  mixed(since: number): readonly string[] {
    const isMixed = ({ versions, askedAt }: VersionAnswer) => askedAt >= since && versions.length !== 1;
    return this.answers.filter(isMixed).map(({ text }) => text);
  }

  /** Ends it, and waits for what is under way. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#loops);
    await Promise.all(this.#agents.map((agent) => agent.close()));
  }

  async #loop(asked: Asked, hasEnded: () => boolean): Promise<void> {
    // A Service that is called `probe`, as a dry run, which no comparison counts.
    const object = probeService(this.#question.namespace);
    const review = reviewOf({ object, plural: 'services', dryRun: true });
    while (!this.#isStopped && !hasEnded()) {
      const askedAt = performance.now();
      const text = await answerTo(asked, review).catch(() => undefined);
      // Nobody listens any more: it is on its way out, and a Service would not send anybody there.
      if (text === undefined) return;
      this.answers.push({
        port: asked.port,
        versions: versionsIn(text, this.#question.pack),
        askedAt,
        at: performance.now(),
        text,
      });
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

/** The versions of a pack that a refusal names. */
export function versionsIn(text: string, pack: string): readonly string[] {
  const found = text.matchAll(new RegExp(`${pack} ([0-9.]+), rule `, 'g'));
  return [...new Set([...found].map(([, version = '']) => version))];
}

/** A Service that the pack of `timedPack` refuses, whatever its version. */
export function probeService(namespace: string) {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'probe', namespace },
    spec: { clusterIP: 'None', ports: [{ port: 80 }] },
  };
}

/** A pack of the platform that refuses what is called `probe` twice over, in words that name its version; `rego` is added. */
export function timedPack(
  {
    namespace,
    name,
    version,
  }: { readonly namespace: string; readonly name: string; readonly version: string },
  { rego = '', rollout = {} }: { readonly rego?: string; readonly rollout?: object } = {},
) {
  const finding = (which: string) => `deny contains "${which} of ${version}" if input.review.name == "probe"`;
  return {
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'PolicyPack',
    metadata: { name, namespace },
    spec: {
      version,
      source: {
        inline: {
          modules: { 'timed.rego': `package timed\n\n${finding('first')}\n${finding('second')}\n${rego}\n` },
        },
      },
      binding: { rules: [{ apiGroups: [''], resources: ['services'] }] },
      rollout: { shadowSeconds: 0, ...rollout },
    },
  };
}

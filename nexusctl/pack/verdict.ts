// SPDX-License-Identifier: Apache-2.0
import { type Composition, compose, type JudgingPack } from '#operator/core/policy/compose';
import { objectionText } from '#operator/core/policy/decision';
import type { Exemption } from '#operator/core/policy/exemption';
import type { RequestFacts } from '#operator/core/policy/facts';
import type { EnforcementPoint } from '#operator/core/policy/gatekeeper-constraints';
import { matches } from '#operator/core/policy/match';
import type { Trust } from '#operator/core/policy/mutate';
import type { JsonObject, Review } from '#operator/core/policy/review';
import type { CompiledPack } from '#operator/rego/compile';
import { compileOrSay, type Compiler } from './compiler.ts';
import type { LocalPack } from './folder.ts';
import { type Judge, openJudge } from './judge.ts';

/** A pack that is compiled and can be asked what it does to a request. */
export interface ReadyPack {
  readonly pack: LocalPack;
  readonly compiled: CompiledPack;
  readonly judge: Judge;
}

/** What a request is judged with, beside itself. */
export interface Surroundings {
  readonly facts: RequestFacts;
  readonly now: Date;
  readonly trust: Trust;
  readonly point: EnforcementPoint;
  /** In place of those of the manifest. */
  readonly parameters?: JsonObject | undefined;
  readonly exemptions?: readonly Exemption[] | undefined;
  /** As if objects had no images: for who knows nothing of them. */
  readonly withoutImages?: boolean | undefined;
}

/** What a pack does to a request: as an admission of it would, had it no other pack. */
export interface PackVerdict {
  readonly verdict: 'Allowed' | 'Warned' | 'Denied' | 'NotBound';
  readonly composition: Composition | undefined;
  /** Everything it says, the gravest first. */
  readonly texts: readonly string[];
}

/** Compiles a pack and loads it. */
export async function openPack(pack: LocalPack, compiler: Compiler): Promise<ReadyPack> {
  const compiled = await compileOrSay(pack.source, compiler);
  return { pack, compiled, judge: openJudge(compiled) };
}

/** Whether the rules of a pack are told what is known of images. */
export function seesImages({ spec }: Pick<LocalPack, 'spec'>): boolean {
  return spec.facts?.includes('Images') === true;
}

/** Asks a pack about a request. One that its binding leaves out is not asked, unless `always`. */
export function judge(
  { pack, compiled, judge }: ReadyPack,
  review: Review,
  around: Surroundings & { readonly always?: boolean },
): PackVerdict {
  const { facts, now, trust, point, parameters, exemptions = [], always = false } = around;
  if (!always && !matches(pack.spec.binding, review, facts))
    return { verdict: 'NotBound', composition: undefined, texts: [] };
  const judging: JudgingPack = {
    pack: { namespace: pack.namespace ?? '', name: pack.name },
    revision: '',
    version: pack.spec.version,
    trust,
    enforcement: pack.spec.enforcement,
    judgesAccess: compiled.answering.allow !== undefined,
  };
  const shown = { shape: pack.spec.input, trust, point, seesImages: imagesShown(pack, around) };
  const question = { review, facts, now, parameters: parameters ?? pack.spec.parameters ?? {}, ...shown };
  const result = judge.ask(question);
  const composition = compose([{ pack: judging, result }], { review, facts, exemptions, now });
  const { denials, warnings, noted } = composition;
  const texts = [...denials, ...warnings, ...noted].map(objectionText);
  return { verdict: verdictOf(composition), composition, texts };
}

function imagesShown(pack: LocalPack, { withoutImages }: Surroundings): boolean | 'NoImages' {
  return seesImages(pack) && (withoutImages === true ? 'NoImages' : true);
}

function verdictOf({ denials, warnings }: Composition): PackVerdict['verdict'] {
  if (denials.length > 0) return 'Denied';
  return warnings.length > 0 ? 'Warned' : 'Allowed';
}

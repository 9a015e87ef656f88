// SPDX-License-Identifier: Apache-2.0
import { parse } from 'yaml';

/** What a rule of a pack says of itself, in the annotations of Rego. */
export interface RuleNotes {
  /** Name of the rule in findings, and in exemptions. */
  readonly title: string;
  readonly description: string;
  readonly custom: {
    /** What passes. */
    readonly passes: string;
    /** Of a pack with levels. */
    readonly level?: string;
  };
}

const BLOCK = /^# METADATA\n((?:#.*\n)+)/gm;

/** The annotations of one module; `path` is for who left something out. */
export function ruleNotes(text: string, path: string): readonly RuleNotes[] {
  return [...text.matchAll(BLOCK)].map(([, block = '']) => {
    const found = parse(block.replaceAll(/^# ?/gm, '')) as Partial<RuleNotes> | null;
    const { title, description, custom } = found ?? {};
    if (title === undefined || description === undefined || custom?.passes === undefined)
      throw new Error(`${path}: METADATA needs title, description and custom.passes, is\n${block}`);
    return { title, description, custom };
  });
}

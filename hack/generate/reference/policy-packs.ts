// SPDX-License-Identifier: Apache-2.0
import { type ParameterSchema, PACKS_FOLDER, type ShippedPack } from '../../policy-packs/packs.ts';
import type { GeneratedFile } from '../file.ts';
import { code, pageHead, table } from './markdown.ts';

/** The page of the packs that are shipped: their rules and parameters. */
export function policyPacksPage(packs: readonly ShippedPack[]): GeneratedFile {
  const text = [
    pageHead('Policy packs that are shipped', `${PACKS_FOLDER}/*/policy and data.yaml`),
    'How to use one: [Using a shipped pack](../how-to/use-a-shipped-pack.md). A rule is named in refusals, in reports, and by a [PolicyExemption](../spec/v1alpha1/policyexemption.md). Parameters stand under `spec.parameters` of the PolicyPack; one that is not in this list, or of another type, is refused by rule `parameters`.\n',
    ...packs.flatMap(packText),
  ].join('\n');
  return { path: 'docs/reference/policy-packs.md', text };
}

function packText({ name, manifest, rules, data }: ShippedPack): readonly string[] {
  const hasLevels = rules.some(({ custom }) => custom.level !== undefined);
  const rows = rules.map(({ title, description, custom }) => [
    code(title),
    ...(hasLevels ? [custom.level ?? ''] : []),
    description,
    custom.passes,
  ]);
  const parameters = Object.entries(data.parameters).map(([parameter, schema]) => [
    code(parameter),
    typeText(schema),
    code(JSON.stringify(schema.default)),
    schema.description ?? '',
  ]);
  return [
    `## ${name}\n`,
    `Version ${manifest.spec.version}. [What it is for](../../${PACKS_FOLDER}/${name}/README.md).\n`,
    table(['rule', ...(hasLevels ? ['level'] : []), 'what it is against', 'what passes'], rows),
    table(['parameter', 'type', 'default', 'what it is'], parameters),
  ];
}

function typeText({ type, enum: choice, minimum, items, values }: ParameterSchema): string {
  if (choice !== undefined) return choice.map(code).join(' or ');
  if (type === 'array') return `list of ${items === undefined ? 'anything' : typeText(items)}`;
  if (type === 'object') return `map to ${values === undefined ? 'anything' : typeText(values)}`;
  return minimum === undefined ? type : `${type}, at least ${minimum}`;
}

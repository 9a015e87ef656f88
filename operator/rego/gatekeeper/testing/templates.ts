// SPDX-License-Identifier: Apache-2.0
import { evaluateRego, pinnedOpa } from '../../testing/opa.ts';
import { opaTools } from '../opa-tools.ts';
import { gatekeeperPack, type GatekeeperPack } from '../pack.ts';
import { problemText } from '../problem.ts';
import type { SourceDocument } from '../template.ts';

/** Code that a template is given with: as most are written, or by engine and version. */
export interface Code {
  readonly rego: string;
  readonly libs?: readonly string[];
  readonly version?: string;
  readonly schema?: unknown;
}

/** A ConstraintTemplate of a kind, in a file of that name. */
export function template(kind: string, { rego, libs, version, schema }: Code): SourceDocument {
  const old = { target: 'admission.k8s.gatekeeper.sh', rego, libs };
  const source = { version, rego, libs };
  const now = { target: 'admission.k8s.gatekeeper.sh', code: [{ engine: 'Rego', source }] };
  return {
    file: `${kind}.yaml`,
    value: {
      apiVersion: 'templates.gatekeeper.sh/v1',
      kind: 'ConstraintTemplate',
      metadata: { name: kind.toLowerCase() },
      spec: {
        crd: { spec: { names: { kind }, validation: { openAPIV3Schema: schema } } },
        targets: [version === undefined ? old : now],
      },
    },
  };
}

/** A constraint of a kind. */
export function constraint(
  kind: string,
  name: string,
  spec: Readonly<Record<string, unknown>> = {},
): SourceDocument {
  const value = { apiVersion: 'constraints.gatekeeper.sh/v1beta1', kind, metadata: { name }, spec };
  return { file: `${name}.yaml`, value };
}

/** What becomes of them. */
export async function make(
  templates: readonly SourceDocument[],
  constraints: readonly SourceDocument[] = [],
  inventory?: readonly SourceDocument[],
) {
  return gatekeeperPack({ templates, constraints, inventory }, opaTools(await pinnedOpa()));
}

/** The pack that is made of them; throws where none is. */
export async function pack(...args: Parameters<typeof make>): Promise<GatekeeperPack> {
  const made = await make(...args);
  if (made.kind === 'refused') throw new Error(made.problems.map(problemText).join('\n'));
  return made.value;
}

/** What the adapter of a pack finds. */
export async function violations(
  { modules, data, regoVersion }: GatekeeperPack,
  input: {
    readonly review: unknown;
    readonly constraints: readonly unknown[];
    readonly namespaceObject?: unknown;
  },
): Promise<unknown> {
  const files = { ...modules, 'data.json': JSON.stringify(data) };
  const flags = regoVersion === 'V0' ? ['--v0-compatible'] : [];
  return evaluateRego(files, { query: 'data.gatekeeper.violation', input, flags });
}

/** A constraint as the host gives it to the adapter. */
export const chosen = (kind: string, name: string, parameters: unknown = {}) => ({
  kind,
  name,
  parameters,
  enforcementAction: 'deny',
});

// SPDX-License-Identifier: Apache-2.0
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { crdFiles } from './crds.ts';
import type { GeneratedFile } from './file.ts';
import { chartValuesPage, type ValueSchema } from './reference/chart-values.ts';
import { configurationPage } from './reference/configuration.ts';
import { errorCodesPage } from './reference/error-codes.ts';
import { kindPages } from './reference/kinds.ts';
import { metricsPage } from './reference/metrics.ts';
import { roleFiles } from './roles.ts';
import { guardrailFile, kueueGuardrailFile, mutationFile } from './guardrails.ts';
import { certificateRoleFile, registrationFiles, webhookRoleFile } from './webhooks.ts';
import { builtinsPage } from './reference/builtins.ts';
import { nexusctlPage } from './reference/nexusctl.ts';
import { policyPackFiles } from './policy-packs.ts';
import { policyPacksPage } from './reference/policy-packs.ts';
import { readReasons, reasonsPage } from './reference/reasons.ts';
import { readShippedPacks } from '../policy-packs/packs.ts';

/** Every generated file of the repository at `root`, from its sources as they are now. */
export async function generatedFiles(root: string): Promise<readonly GeneratedFile[]> {
  const packs = readShippedPacks(root);
  return [
    ...crdFiles(),
    ...roleFiles(),
    guardrailFile(),
    kueueGuardrailFile(),
    mutationFile(),
    webhookRoleFile(),
    certificateRoleFile(),
    ...registrationFiles(),
    ...kindPages(),
    reasonsPage(readReasons(root)),
    errorCodesPage(),
    metricsPage(),
    nexusctlPage(),
    builtinsPage(),
    configurationPage(),
    ...policyPackFiles(packs),
    policyPacksPage(packs),
    await valuesPage(join(root, 'charts/nexusos')),
  ];
}

async function valuesPage(chart: string): Promise<GeneratedFile> {
  const schema = JSON.parse(await readFile(join(chart, 'values.schema.json'), 'utf8')) as ValueSchema;
  const values = parse(await readFile(join(chart, 'values.yaml'), 'utf8')) as Record<string, unknown>;
  return chartValuesPage(schema, values);
}

// SPDX-License-Identifier: Apache-2.0
import { stringify } from 'yaml';
import { toCustomResourceDefinition } from '#crds/openapi/crd';
import type { KindDescriptor } from '#crds/openapi/kind';
import { KINDS } from '#crds/v1alpha1/index';
import type { GeneratedFile } from './file.ts';
import { generatedNote, toTemplate } from './template.ts';

const SOURCE = 'crds/v1alpha1';

/** Per kind: its manifest under crds/manifests, and the same as a template of the chart. */
export function crdFiles(): readonly GeneratedFile[] {
  return KINDS.flatMap((kind) => [manifest(kind), chartTemplate(kind)]);
}

function manifest(kind: KindDescriptor): GeneratedFile {
  const text = stringify(toCustomResourceDefinition(kind), { lineWidth: 0, aliasDuplicateObjects: false });
  return { path: `crds/manifests/${kind.plural}.yaml`, text: generatedNote(SOURCE) + text };
}

/** Kept on uninstall: deleting a CRD deletes every object of the kind, and with a Tenant all that it holds. */
function chartTemplate(kind: KindDescriptor): GeneratedFile {
  const crd = toCustomResourceDefinition(kind);
  const metadata = crd['metadata'] as object;
  const kept = { ...crd, metadata: { ...metadata, annotations: { 'helm.sh/resource-policy': 'keep' } } };
  return {
    path: `charts/nexusos/templates/generated/crds/${kind.plural}.yaml`,
    text: toTemplate([kept], { source: SOURCE, condition: '.Values.crds.install' }),
  };
}

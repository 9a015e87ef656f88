// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { syncedKinds } from './sync.ts';

function template(requires: string): object {
  return {
    kind: 'ConstraintTemplate',
    metadata: { annotations: { 'metadata.gatekeeper.sh/requires-sync-data': requires } },
  };
}
const SERVICE = { apiVersion: 'v1', kind: 'Service' };
const INGRESS = { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress' };

const CASES: Readonly<Record<string, readonly [readonly object[], readonly object[]]>> = {
  'what a template requires, in quotes and over lines': [
    [
      template(
        '"[\n  [\n    {\n      "groups":[""],\n      "versions": ["v1"],\n      "kinds": ["Service"]\n    }\n  ]\n]"\n',
      ),
    ],
    [SERVICE],
  ],
  'with a comma too many': [
    [template('"[[{"groups":[""],"versions":["v1"],"kinds":["Service"]},],\n]"')],
    [SERVICE],
  ],
  'of alternatives, the stable version': [
    [
      template(
        '[[{"groups":["extensions"],"versions":["v1beta1"],"kinds":["Ingress"]},{"groups":["networking.k8s.io"],"versions":["v1beta1","v1"],"kinds":["Ingress"]}]]',
      ),
    ],
    [INGRESS],
  ],
  'of several requirements, all': [
    [
      template(
        '[[{"groups":["policy"],"versions":["v1"],"kinds":["PodDisruptionBudget"]}],[{"groups":["apps"],"versions":["v1"],"kinds":["Deployment","StatefulSet"]}]]',
      ),
    ],
    [
      { apiVersion: 'apps/v1', kind: 'Deployment' },
      { apiVersion: 'apps/v1', kind: 'StatefulSet' },
      { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget' },
    ],
  ],
  'Config and SyncSet, each kind once': [
    [
      {
        apiVersion: 'config.gatekeeper.sh/v1alpha1',
        kind: 'Config',
        spec: { sync: { syncOnly: [{ group: '', version: 'v1', kind: 'Service' }] } },
      },
      {
        apiVersion: 'syncset.gatekeeper.sh/v1alpha1',
        kind: 'SyncSet',
        spec: {
          gvks: [
            { group: '', version: 'v1', kind: 'Service' },
            { group: 'networking.k8s.io', version: 'v1', kind: 'Ingress' },
          ],
        },
      },
    ],
    [INGRESS, SERVICE],
  ],
  'nothing of what cannot be read': [
    [template('[[{"groups'), template('7'), { spec: { gvks: [{ version: 'v1', kind: 'X' }] } }],
    [],
  ],
};

for (const [name, [documents, want]] of Object.entries(CASES)) {
  test(name, (t) => {
    t.deepEqual(
      syncedKinds(documents.map((value) => ({ file: 'a.yaml', value: { ...value } }))),
      want as ReturnType<typeof syncedKinds>,
    );
  });
}

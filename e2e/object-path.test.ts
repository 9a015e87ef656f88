// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { objectPath } from './object-path.ts';

const CASES: Readonly<Record<string, string>> = {
  'tenant/acme': '/apis/nexusos.dev/v1alpha1/tenants/acme',
  'configmap/canary': '/api/v1/namespaces/default/configmaps/canary',
  '-n acme-main run/one': '/apis/nexusos.dev/v1alpha1/namespaces/acme-main/runs/one',
  'pods -n acme-main -l a=b,c': '/api/v1/namespaces/acme-main/pods?labelSelector=a%3Db%2Cc',
  '-n acme-main agentrevisions': '/apis/nexusos.dev/v1alpha1/namespaces/acme-main/agentrevisions',
};

for (const [words, path] of Object.entries(CASES)) {
  test(`kubectl get ${words}`, (t) => {
    t.is(objectPath(words.split(' ')), path);
  });
}

test('what it does not know is told, and not asked for somewhere else', (t) => {
  t.throws(() => objectPath(['widget/x']), { message: /knows no widget/ });
  t.throws(() => objectPath(['-A', 'pods']), { message: 'kubectl get -A pods' });
  t.throws(() => objectPath(['pods', 'x']), { message: 'kubectl get pods x' });
});

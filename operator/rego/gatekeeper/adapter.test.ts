// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { chosen, pack, template, violations } from './testing/templates.ts';

const OWNED = `package k8sowned
violation[{"msg": msg}] {
  not input.review.namespaceObject.metadata.annotations.owner
  msg := sprintf("nobody owns %v", [input.review.namespaceObject.metadata.name])
}`;

test('a template sees the namespace of the object as Gatekeeper shows it', async (t) => {
  const made = await pack([template('K8sOwned', { rego: OWNED })]);
  const found = async (namespaceObject: unknown) =>
    violations(made, {
      review: { operation: 'CREATE', object: {} },
      constraints: [chosen('K8sOwned', 'a')],
      namespaceObject,
    });
  const owned = { metadata: { name: 'acme-dev', annotations: { owner: 'ann' } } };
  t.deepEqual(await found(owned), []);
  t.like(await found({ metadata: { name: 'acme-dev', annotations: {} } }), [{ msg: 'nobody owns acme-dev' }]);
});

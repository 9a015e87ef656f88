// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { tenantClusterRoles } from './roles.ts';

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

function grantsOf(name: string): ReadonlySet<string> {
  const role = tenantClusterRoles().find(({ metadata }) => metadata.name === name)!;
  const grants = (role['rules'] as readonly Rule[]).flatMap(({ apiGroups, resources, verbs }) =>
    apiGroups.flatMap((group) =>
      resources.flatMap((resource) => verbs.map((verb) => `${group}/${resource} ${verb}`)),
    ),
  );
  return new Set(grants);
}

const VIEWER = grantsOf('nexusos:tenant-viewer');
const OPERATOR = grantsOf('nexusos:tenant-operator');
const ADMIN = grantsOf('nexusos:tenant-admin');

function isWithin(some: ReadonlySet<string>, all: ReadonlySet<string>): boolean {
  return [...some].every((one) => all.has(one));
}

test('each role can do what the one below can', (t) => {
  t.true(isWithin(VIEWER, OPERATOR));
  t.true(isWithin(OPERATOR, ADMIN), 'an admin can only bind roles that ask for no more than the admin has');
});

test('a viewer writes nothing and reads no Secret', (t) => {
  for (const grant of VIEWER) t.regex(grant, / (get|list|watch)$/);
  t.false([...VIEWER].some((grant) => grant.startsWith('/secrets ')));
});

test('to write Runs is not to approve them', (t) => {
  t.true(ADMIN.has('nexusos.dev/runs approve'));
  t.true(OPERATOR.has('nexusos.dev/runs update'));
  t.false(OPERATOR.has('nexusos.dev/runs approve'));
});

test('a resource stands in one rule of a role, so that a review sees all of it at once', (t) => {
  for (const role of tenantClusterRoles()) {
    const resources = (role['rules'] as readonly Rule[]).flatMap((rule) =>
      rule.resources.map((resource) => `${rule.apiGroups.join()}/${resource}`),
    );
    t.is(new Set(resources).size, resources.length, role.metadata.name);
  }
});

// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { guardrailFile, operatorWrites } from './guardrails.ts';

/** Resources of a rule, by group, as the generated policy has them: plain and with all of their subresources. */
function matchedBy(policy: string): readonly string[] {
  const [, rest = ''] = guardrailFile().text.split(
    `kind: ValidatingAdmissionPolicy\nmetadata:\n  name: ${policy}\n`,
  );
  const [, rules = ''] = (rest.split('\n---\n')[0] ?? '').split('resourceRules:');
  const [matched = ''] = rules.split(/excludeResourceRules:|matchConditions:/);
  return matched.split('- apiGroups:').flatMap((rule) => {
    const [group = '', resources = ''] = rule.split('operations:')[0]?.split('resources:') ?? [];
    return items(resources).map((resource) => `${items(group)[0]?.replaceAll('"', '')}/${resource}`);
  });
}

function items(text: string): readonly string[] {
  return [...text.matchAll(/^ +- (.+)$/gm)].map(([, item = '']) => item);
}

test('outside of tenants all is judged that the operator may write, but for Events, policies and its own kinds', (t) => {
  const matched = matchedBy('nexusos-operator-objects');
  const written = operatorWrites().map(({ group, resource }) => `${group}/${resource}`);
  t.true(written.includes('/secrets') && written.includes('rbac.authorization.k8s.io/rolebindings'));
  const free = written.filter((one) => !matched.includes(one)).toSorted();
  t.deepEqual(free, [
    // No policy is asked about policies: these are held by the names in the operator's role (ADR 0045).
    'admissionregistration.k8s.io/validatingadmissionpolicies',
    'admissionregistration.k8s.io/validatingadmissionpolicybindings',
    'events.k8s.io/events',
    'nexusos.dev/agents',
    'nexusos.dev/clusterimagepolicies',
    'nexusos.dev/gpuclasses',
    'nexusos.dev/imagepolicies',
    'nexusos.dev/imageverdicts',
    'nexusos.dev/imagewaivers',
    'nexusos.dev/policypacks',
    'nexusos.dev/quotaledgers',
    'nexusos.dev/tenants',
    'nexusos.dev/trustroots',
    'nexusos.dev/usagerecords',
  ]);
  // Of Runs and revisions only that they are made: those outside of tenants are told so, or go after their time.
  const made = ['agentrevisions', 'policypackrevisions', 'runs'].map((one) => `nexusos.dev/${one}`);
  const whole = matched.filter((name) => !name.endsWith('/*') && !made.includes(name));
  for (const one of whole) t.true(matched.includes(`${one}/*`), one);
});

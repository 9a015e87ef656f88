// SPDX-License-Identifier: Apache-2.0
import { LABELS } from '#crds/v1alpha1/names';
import { NETWORK_POLICY_NAME } from '../tenant/network.ts';
import { type Cel, type Guardrail, listParameter, parameter, quote, type Rule } from './policy.ts';

const TENANT = quote(LABELS.tenant);
const NAMESPACE = "'kubernetes.io/metadata.name'";

/** `s` selects namespaces of the tenant, or of a mutual peer, by a label that only NexusOS or Kubernetes sets. */
const IS_KNOWN = `has(s.matchLabels) && ((${TENANT} in s.matchLabels && s.matchLabels[${TENANT}] in variables.friends) || (${NAMESPACE} in s.matchLabels && s.matchLabels[${NAMESPACE}] in variables.namespaces))`;

/** No reserved range is in the block `b`, nor is the block in one. */
const IS_CLEAR =
  'variables.reserved.all(r, !cidr(r).containsCIDR(b.cidr) && (!cidr(b.cidr).containsCIDR(r) || (has(b.except) && b.except.exists(x, cidr(x).containsCIDR(r)))))';

/** Port `p` lies in one of the ranges of the entry `e` of the allow-list. */
const IS_PORT_ALLOWED =
  "has(p.port) && type(p.port) == int && e.split('|')[1].split(';').exists(q, q.split('/')[0] == (has(p.protocol) ? p.protocol : 'TCP') && p.port >= int(q.split('/')[1].split('-')[0]) && (has(p.endPort) ? p.endPort : p.port) <= int(q.split('/')[1].split('-')[1]))";

/** Every block of rule `rule` lies in an entry of the allow-list, and so do its ports. */
const IS_GRANTED = `rule.to.filter(t, has(t.ipBlock)).all(t, variables.egressList.exists(e, cidr(e.split('|')[0]).containsCIDR(t.ipBlock.cidr) && (e.split('|')[1] == '' || (has(rule.ports) && size(rule.ports) > 0 && rule.ports.all(p, ${IS_PORT_ALLOWED})))))`;

/** The namespaceSelector of peer `t` in words. */
const LABELS_OF_SELECTOR =
  "has(t.namespaceSelector.matchLabels) && size(t.namespaceSelector.matchLabels) > 0 ? 'namespaces with ' + t.namespaceSelector.matchLabels.map(k, k + '=' + t.namespaceSelector.matchLabels[k]).join(' and ') : 'a namespaceSelector without matchLabels'";

/** The allow-list in words: `203.0.113.0/24, 198.51.100.0/24 (TCP 443, UDP 1-9)`. */
const PORT_TEXT =
  "q.split('/')[0] + ' ' + (q.split('/')[1].split('-')[0] == q.split('/')[1].split('-')[1] ? q.split('/')[1].split('-')[0] : q.split('/')[1])";
const EGRESS_LIST = `variables.egressList.map(e, e.split('|')[0] + (e.split('|')[1] == '' ? '' : ' (' + e.split('|')[1].split(';').map(q, ${PORT_TEXT}).join(', ') + ')')).join(', ')`;

/**
 * Bounds the NetworkPolicies that tenants write. Policies add up: what one of them opens, our default deny cannot close
 * again, so a tenant may open only what its Tenant already allows.
 */
export function networkPolicyGuardrail(): Guardrail {
  return {
    name: 'networkpolicies',
    match: [
      {
        apiGroups: ['networking.k8s.io'],
        resources: ['networkpolicies'],
        operations: ['CREATE', 'UPDATE'],
      },
    ],
    exceptNames: [NETWORK_POLICY_NAME],
    conditions: { changed: "request.operation == 'CREATE' || object.spec != oldObject.spec" },
    binds: 'tenant',
    variables: {
      friends: `[${parameter('tenant')}] + ${listParameter('peers')}`,
      namespaces: listParameter('namespaces'),
      reserved: listParameter('reservedRanges'),
      egressList: listParameter('egress'),
      ingress: '(has(object.spec.ingress) ? object.spec.ingress : [])',
      egress: '(has(object.spec.egress) ? object.spec.egress : [])',
      // Rules without peers are left to a rule of their own.
      from: 'variables.ingress.filter(r, has(r.from))',
      to: 'variables.egress.filter(r, has(r.to))',
    },
    rules: [...openRules(), ...selectorRules(), ...blockRules()],
  };
}

function openRules(): readonly Rule[] {
  return [
    {
      field: 'spec.ingress[*].from',
      holds: 'variables.ingress.all(r, has(r.from) && size(r.from) > 0)',
      found: quote('a rule without sources, which opens to everybody'),
      allowed: quote('at least one podSelector, namespaceSelector or ipBlock'),
    },
    {
      field: 'spec.egress[*].to',
      holds: 'variables.egress.all(r, has(r.to) && size(r.to) > 0)',
      found: quote('a rule without destinations, which opens to everything'),
      allowed: quote('at least one podSelector, namespaceSelector or ipBlock'),
    },
  ];
}

function selectorRules(): readonly Rule[] {
  const allowed = `'matchLabels with ${LABELS.tenant} of ' + variables.friends.join(', ') + ', or with kubernetes.io/metadata.name of ' + variables.namespaces.join(', ')`;
  const rule = (field: string, rules: Cel, peers: string): Rule => ({
    field,
    holds: `${rules}.all(r, r.${peers}.all(t, !has(t.namespaceSelector) || [t.namespaceSelector].all(s, ${IS_KNOWN})))`,
    found: told(rules, peers, {
      where: `has(t.namespaceSelector) && ![t.namespaceSelector].all(s, ${IS_KNOWN})`,
      tells: LABELS_OF_SELECTOR,
    }),
    allowed,
  });
  return [
    rule('spec.ingress[*].from[*].namespaceSelector', 'variables.from', 'from'),
    rule('spec.egress[*].to[*].namespaceSelector', 'variables.to', 'to'),
  ];
}

function blockRules(): readonly Rule[] {
  const isClear = `!has(t.ipBlock) || [t.ipBlock].all(b, ${IS_CLEAR})`;
  const isAllClear = (['from', 'to'] as const).map(
    (peers) => `variables.${peers}.all(rule, rule.${peers}.all(t, ${isClear}))`,
  );
  const blocks = { where: 'has(t.ipBlock)', tells: 't.ipBlock.cidr' };
  const unclear = { where: `!(${isClear})`, tells: 't.ipBlock.cidr' };
  return [
    {
      field: 'spec.ingress[*].from[*].ipBlock',
      holds: `${parameter('loadBalancers')} == 'true' || variables.from.all(r, r.from.all(t, !has(t.ipBlock)))`,
      found: told('variables.from', 'from', blocks),
      allowed: quote(
        'podSelector and namespaceSelector, unless the quotas of the Tenant name services.loadbalancers',
      ),
    },
    {
      field: 'spec.egress[*].to[*].ipBlock',
      holds: `variables.to.all(rule, ${IS_GRANTED})`,
      found: told('variables.to', 'to', blocks),
      allowed: `size(variables.egressList) == 0 ? 'none: spec.network.egress of the Tenant is empty' : 'what spec.network.egress of the Tenant lists: ' + ${EGRESS_LIST}`,
    },
    // Last, since its advice is of use only to ranges that are allowed otherwise.
    {
      field: 'spec.*[*].ipBlock',
      holds: isAllClear.join(' && '),
      found: `[${told('variables.from', 'from', unclear)}, ${told('variables.to', 'to', unclear)}].filter(s, s != '').join(', ')`,
      allowed:
        "'ranges that leave out what is reserved, by lying outside or with except: ' + variables.reserved.join(', ')",
    },
  ];
}

/** A string: what `tells` says of the peers `t` of `rules` for which `where` is true. */
function told(rules: Cel, peers: string, peer: { readonly where: Cel; readonly tells: Cel }): Cel {
  return `${rules}.map(r, r.${peers}.filter(t, ${peer.where}).map(t, ${peer.tells}).join(', ')).filter(s, s != '').join(', ')`;
}

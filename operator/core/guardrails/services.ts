// SPDX-License-Identifier: Apache-2.0
import { type Guardrail, parameter, quote, quoteAll } from './policy.ts';

/** Ends of names that lead into the cluster, the node or the cloud's own services. */
const INTERNAL_SUFFIXES = ['.arpa', '.internal', '.local', '.localdomain', '.localhost', '.svc'];

const NAME = "object.spec.externalName.lowerAscii().replace('.', ' ').trim().replace(' ', '.')";

/** Bounds Services: no ports of nodes, no addresses of others, no names that lead back inside. */
export function serviceGuardrail(): Guardrail {
  const isBalancer = "variables.type == 'LoadBalancer'";
  return {
    name: 'services',
    match: [{ apiGroups: [''], resources: ['services'], operations: ['CREATE', 'UPDATE'] }],
    conditions: { changed: "request.operation == 'CREATE' || object.spec != oldObject.spec" },
    binds: 'tenant',
    variables: {
      type: "(has(object.spec.type) ? object.spec.type : 'ClusterIP')",
      // A name may end with a dot; the dot is dropped before it is compared.
      externalName: `(has(object.spec.externalName) ? ${NAME} : '')`,
    },
    rules: [
      {
        field: 'spec.type',
        holds: "variables.type != 'NodePort'",
        found: 'variables.type',
        allowed: quote('ClusterIP'),
      },
      {
        field: 'spec.type',
        holds: `!(${isBalancer}) || ${parameter('loadBalancers')} == 'true'`,
        found: 'variables.type',
        allowed: quote('ClusterIP, unless the quotas of the Tenant name services.loadbalancers'),
      },
      {
        field: 'spec.allocateLoadBalancerNodePorts',
        holds: `!(${isBalancer}) || (has(object.spec.allocateLoadBalancerNodePorts) && !object.spec.allocateLoadBalancerNodePorts)`,
        found: quote('true'),
        allowed: quote('false, since a port of every node would open'),
      },
      {
        field: 'spec.externalIPs',
        holds: '!has(object.spec.externalIPs) || size(object.spec.externalIPs) == 0',
        found: "object.spec.externalIPs.join(', ')",
        allowed: quote('none, since addresses of others could be taken'),
      },
      {
        field: 'spec.externalName',
        holds: `variables.externalName == '' || (variables.externalName.contains('.') && !isIP(variables.externalName) && !${quoteAll(INTERNAL_SUFFIXES)}.exists(s, variables.externalName.endsWith(s)))`,
        found: 'object.spec.externalName',
        allowed: quote(
          `a name outside the cluster, no address and none that ends with ${INTERNAL_SUFFIXES.join(' ')}`,
        ),
      },
    ],
  };
}

// SPDX-License-Identifier: Apache-2.0
import { once } from 'node:events';
import { createServer as createSecureServer } from 'node:https';
import { type AddressInfo, createServer } from 'node:net';
import type { ExecutionContext } from 'ava';
import { createAuthority, issue } from '#hack/cluster/certificates';
import { attachSystem } from '#hack/system/attach';
import { eventually } from '#hack/tools/eventually';
import { oneOf, patch } from './fault-plays.ts';
import { waits, type World } from './run-world.ts';

/** In which the API server answers what it is asked with `timeout`, where it waits for somebody. */
const SOON = '1s';

function isAsked(text: string): boolean {
  return text.includes('failed calling webhook');
}

/** Has every pod of the namespace wait for a webhook where nobody listens. */
export async function asksAbsent(t: ExecutionContext, place: World): Promise<void> {
  // One that was free a moment ago; whoever gets it next does not speak for the webhook either.
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const closed = once(server, 'close');
  server.close();
  await closed;
  await asks(t, place, { name: 'away', port, timeoutSeconds: 10, isAsked });
}

/** Has every pod of the namespace wait for a webhook that hears what it is asked and never says a word, for as long as a webhook may. */
export async function asksMute(t: ExecutionContext, place: World): Promise<void> {
  const now = new Date();
  const authority = createAuthority('mute', now);
  const names = { commonName: 'mute', usages: ['server'], hosts: ['127.0.0.1'] } as const;
  const { certificate: cert, key } = issue(authority, names, now);
  let heard = 0;
  const server = createSecureServer({ cert, key }, () => {
    heard += 1;
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(async () => {
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  });
  const { port } = server.address() as AddressInfo;
  const ca = authority.pair.certificate;
  await asks(t, place, { name: 'mute', port, timeoutSeconds: 30, ca, isAsked: () => heard > 0 });
}

/** The Run says what its pod waits for; then that is so for so many minutes, as its status tells. Resolves with what it says. */
export async function isHeldUpFor(place: World, minutes: number): Promise<string> {
  const told = await waits(place, 'one', 'WorkloadRefused');
  await eventually('it is noted since when', async () => {
    return (await oneOf(place))?.status?.child?.refusedAt !== undefined;
  });
  const refusedAt = `${new Date(Date.now() - minutes * 60_000).toISOString().slice(0, 19)}Z`;
  await patch(place, ['run/one', '-n', place.namespace, '--subresource=status'], {
    status: { child: { refusedAt } },
  });
  return told;
}

interface Asked {
  readonly name: string;
  readonly port: number;
  readonly timeoutSeconds: number;
  /** Who vouches for it, in PEM. */
  readonly ca?: string;
  /** Whether it was asked, by what the API server says of a pod, or by what was heard. */
  readonly isAsked: (text: string) => boolean;
}

/** Has the API server ask there about each pod of the namespace, and resolves once it does. */
async function asks(t: ExecutionContext, { user, namespace }: World, asked: Asked): Promise<void> {
  const { name, port, timeoutSeconds, ca } = asked;
  const full = `faults-${name}`;
  const webhook = {
    name: `${name}.faults.example`,
    clientConfig: {
      url: `https://127.0.0.1:${port}/`,
      ...(ca !== undefined && { caBundle: Buffer.from(ca).toString('base64') }),
    },
    rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] }],
    namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
    failurePolicy: 'Fail',
    sideEffects: 'None',
    admissionReviewVersions: ['v1'],
    timeoutSeconds,
  };
  await user.applies({
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingWebhookConfiguration',
    metadata: { name: full },
    webhooks: [webhook],
  });
  t.teardown(() => user.does(['delete', `validatingwebhookconfiguration/${full}`]));
  const { admin } = await attachSystem();
  const path = `/api/v1/namespaces/${namespace}/pods?dryRun=All&timeout=${SOON}`;
  await eventually('the API server asks there', async () => {
    const { status, text } = await admin.send('POST', path, harmless(namespace));
    if (!asked.isAsked(text)) throw new Error(`${status} ${text}`);
    return true;
  });
}

/** A pod that guardrails let pass: webhooks are asked beside them. */
function harmless(namespace: string) {
  const rights = { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } };
  const resources = { requests: { cpu: '100m', memory: '64Mi' }, limits: { memory: '64Mi' } };
  const container = { name: 'x', image: 'x', imagePullPolicy: 'Always', securityContext: rights, resources };
  const securityContext = { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } };
  const spec = { restartPolicy: 'Never', securityContext, containers: [container] };
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'asking', namespace }, spec };
}

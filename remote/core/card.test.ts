// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { RemoteAttempt } from '#crds/v1alpha1/remote-attempt';
import { endpointOf } from './card.ts';

const CARD = 'https://agents.example.com/.well-known/agent-card.json';
const HERE = 'https://agents.example.com/a2a';

function attempt(more: Partial<RemoteAttempt> = {}): RemoteAttempt {
  return {
    cardUrl: CARD,
    protocolVersions: ['1.0', '0.3'],
    insecureHttp: false,
    timeouts: { connectSeconds: 1, requestSeconds: 1 },
    retries: { limit: 0, backoffSeconds: 1, maxBackoffSeconds: 1, statuses: [], lostAnswer: 'Fail' },
    pollSeconds: 1,
    messageId: 'm',
    timeoutSeconds: 1,
    graceSeconds: 1,
    ...more,
  };
}

const offer = (url: string, protocolVersion: string, protocolBinding = 'JSONRPC') => ({
  url,
  protocolVersion,
  protocolBinding,
});
const both = { supportedInterfaces: [offer(`${HERE}/old`, '0.3'), offer(HERE, '1.0')] };

const cases: Record<string, { card: unknown; given?: Partial<RemoteAttempt>; want: string | RegExp }> = {
  'the preferred generation of several': { card: both, want: `1.0 ${HERE}` },
  'the other one, if that is preferred': {
    card: both,
    given: { protocolVersions: ['0.3', '1.0'] },
    want: `0.3 ${HERE}/old`,
  },
  'one that is not wanted': {
    card: { supportedInterfaces: [offer(HERE, '1.0')] },
    given: { protocolVersions: ['0.3'] },
    want: /speaks JSONRPC 1\.0; needed is A2A 0\.3 over JSONRPC/,
  },
  'a later version of the newest generation': {
    card: { supportedInterfaces: [offer(HERE, '1.2.1')] },
    want: `1.0 ${HERE}`,
  },
  'a card of generation 0.3': {
    card: { url: HERE, preferredTransport: 'JSONRPC', protocolVersion: '0.3.0' },
    want: `0.3 ${HERE}`,
  },
  'a card of generation 0.3 that says no transport': { card: { url: HERE }, want: `0.3 ${HERE}` },
  'a card of generation 0.3 with JSON-RPC beside': {
    card: {
      url: `${HERE}/grpc`,
      preferredTransport: 'GRPC',
      protocolVersion: '0.3.0',
      additionalInterfaces: [{ url: HERE, transport: 'JSONRPC' }],
    },
    want: `0.3 ${HERE}`,
  },
  'another binding': {
    card: { supportedInterfaces: [offer(HERE, '1.0', 'HTTP+JSON')] },
    want: /speaks HTTP\+JSON 1\.0/,
  },
  'a generation before': { card: { url: HERE, protocolVersion: '0.2.5' }, want: /JSONRPC another version/ },
  'another host': {
    card: { supportedInterfaces: [offer('https://agents.example.com.evil.example/a2a', '1.0')] },
    want: /names the address https:\/\/agents\.example\.com\.evil\.example\/a2a; allowed is one on the host/,
  },
  'another port': {
    card: { supportedInterfaces: [offer('https://agents.example.com:8443/a2a', '1.0')] },
    want: /allowed is one on the host/,
  },
  'without TLS': {
    card: { supportedInterfaces: [offer('http://agents.example.com/a2a', '1.0')] },
    want: /allowed is one on the host/,
  },
  'no address': { card: { supportedInterfaces: [offer('a2a', '1.0')] }, want: /allowed is one on the host/ },
  'another host that somebody vouches for': {
    card: { supportedInterfaces: [offer('https://evil.example/a2a', '1.0')] },
    given: { url: 'https://other.example.com/a2a' },
    want: '1.0 https://other.example.com/a2a',
  },
  'no card': { card: ['a', 'b'], want: /it is no agent card/ },
  'an empty card': { card: {}, want: /the agent speaks nothing/ },
};

for (const [name, { card, given, want }] of Object.entries(cases)) {
  test(name, (t) => {
    const found = endpointOf(attempt(given), card);
    if (typeof want === 'string') {
      t.is('url' in found ? `${found.generations[0].version} ${found.url}` : found.message, want);
    } else {
      t.regex('message' in found ? found.message : found.url, want);
    }
  });
}

test('what an endpoint of several tenants of its own is told goes along', (t) => {
  const card = { supportedInterfaces: [{ ...offer(HERE, '1.0'), tenant: 'blue' }] };
  const found = endpointOf(attempt(), card);
  if (!('url' in found)) return t.fail(found.message);
  return t.like(found.generations[0].get('t'), { params: { tenant: 'blue', id: 't' } });
});

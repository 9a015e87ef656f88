// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import { dnsSubdomain, int, keyRef, notAbove, quantities } from './meta.ts';

/** Address of an endpoint: no user name, no password, no fragment. */
const ADDRESS =
  /^https?:\/\/(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?)(:[0-9]{1,5})?(\/[!"$-~]*)?$/;

/** Headers that say what a request is, and are not a matter of credentials. */
const TAKEN_HEADERS = [
  'accept',
  'a2a-extensions',
  'a2a-version',
  'connection',
  'content-encoding',
  'content-length',
  'content-type',
  'expect',
  'host',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'user-agent',
];

/** Generations of A2A that are spoken, the newest first. */
export const PROTOCOL_VERSIONS = ['1.0', '0.3'] as const;

/** Answers of HTTP that a request can be repeated after. */
const STATUSES = [429, 500, 502, 503, 504];
const SAID_AGAIN = [429, 502, 503, 504];

function address(description: string): z.ZodString {
  return z.string().min(1).max(2048).regex(ADDRESS).describe(description);
}

const auth = z
  .object({
    scheme: z
      .enum(['Bearer', 'Basic', 'Header'])
      .default('Bearer')
      .describe(
        'How the credential goes along. Bearer: Authorization: Bearer <it>; Basic: it is <user>:<password>; Header: as the value of a header of its own.',
      ),
    header: z
      .string()
      .min(1)
      .max(64)
      .regex(/^[A-Za-z0-9-]+$/)
      .describe('The header, with scheme Header: X-API-Key.')
      .optional(),
    secretKeyRef: keyRef(
      'Secret',
      'Where the credential is. It is mounted; NexusOS does not read it. One that is changed is used from then on.',
    ),
  })
  .describe('What the endpoint is shown.')
  .meta({
    'x-kubernetes-validations': [
      {
        rule: "(self.scheme == 'Header') == has(self.header)",
        message: 'auth: header is given with scheme Header, and with no other',
      },
      {
        rule: `!has(self.header) || !(self.header.lowerAscii() in [${TAKEN_HEADERS.map((one) => `'${one}'`).join(', ')}])`,
        message:
          'auth.header: found one that says what the request is; allowed is one for credentials, such as X-API-Key',
        fieldPath: '.header',
      },
    ],
  });

const tls = z
  .object({
    caConfigMapKeyRef: keyRef(
      'ConfigMap',
      'Certificates in PEM that vouch for the endpoint, instead of those that the public trusts.',
    ).optional(),
    caSecretKeyRef: keyRef('Secret', 'The same, from a Secret.').optional(),
    serverName: dnsSubdomain(
      'Name that the certificate must be for. Empty: the host of the address.',
    ).optional(),
  })
  .describe('How the endpoint proves who it is.')
  .meta({
    'x-kubernetes-validations': [
      {
        rule: '!(has(self.caConfigMapKeyRef) && has(self.caSecretKeyRef))',
        message: 'tls: at most one of caConfigMapKeyRef and caSecretKeyRef can be set',
      },
    ],
  });

const timeouts = z
  .object({
    connectSeconds: int('How long a connection may take to come about.', 1, 60).default(10),
    requestSeconds: int('How long one request may take, answer included.', 1, 300).default(60),
  })
  .describe('How long requests may take. All of them together: limits.timeoutSeconds.');

const retries = z
  .object({
    limit: int('Requests that may follow one that failed, in a row.', 0, 20).default(5),
    backoffSeconds: int('Wait before the first of them; it doubles each time.', 1, 60).default(1),
    maxBackoffSeconds: int('The longest wait, unless the endpoint asks for a longer one.', 1, 600).default(
      60,
    ),
    statuses: z
      .array(z.int().min(429).max(504))
      .max(STATUSES.length)
      .default(SAID_AGAIN)
      .describe(`Answers of HTTP that are not final: any of ${STATUSES.join(', ')}.`)
      .meta({
        'x-kubernetes-list-type': 'set',
        'x-kubernetes-validations': [
          {
            rule: `self.all(s, s in [${STATUSES.join(', ')}])`,
            message: `allowed are ${STATUSES.join(', ')}; other answers are final`,
          },
        ],
      }),
    lostAnswer: z
      .enum(['Fail', 'Resend'])
      .default('Fail')
      .describe(
        'What becomes of a message that was sent and not answered, so that nobody knows whether it was taken. Fail: the attempt fails; Resend: the same message, with the same messageId, is sent again. Only for endpoints that tell a message that they had before by its messageId.',
      ),
  })
  .describe('Which requests are repeated, within one attempt.')
  .meta({
    'x-kubernetes-validations': [
      {
        rule: 'self.backoffSeconds <= self.maxBackoffSeconds',
        message: 'retries.backoffSeconds must not be more than maxBackoffSeconds',
      },
    ],
  });

const COMPUTE = ['cpu', 'memory', 'ephemeral-storage'].map((one) => `'${one}'`).join(', ');

const resources = z
  .object({
    requests: quantities('What is reserved: cpu, memory, ephemeral-storage.', 3).optional(),
    limits: quantities('What is the most: cpu, memory, ephemeral-storage.', 3).optional(),
  })
  .describe('Compute of the pod that speaks to the endpoint.')
  .meta({
    'x-kubernetes-validations': [
      {
        rule: `(!has(self.requests) || self.requests.all(k, k in [${COMPUTE}])) && (!has(self.limits) || self.limits.all(k, k in [${COMPUTE}]))`,
        message: 'keys are cpu, memory and ephemeral-storage',
      },
      notAbove('requests', 'limits'),
    ],
  });

const isHttps = (field: string) => `(!has(self.${field}) || self.${field}.startsWith('https://'))`;

/** What `spec.remote` of an Agent is. */
export const remote = z
  .object({
    url: address(
      'Where it takes A2A over JSON-RPC. Empty: where its card says, on the host of cardUrl.',
    ).optional(),
    cardUrl: address(
      'Where its agent card is: https://<host>/.well-known/agent-card.json. It tells which generation of A2A is spoken. Empty: the first of protocolVersions that it knows.',
    ).optional(),
    protocolVersions: z
      .array(z.enum(PROTOCOL_VERSIONS))
      .min(1)
      .max(PROTOCOL_VERSIONS.length)
      .default([...PROTOCOL_VERSIONS])
      .describe('Generations of A2A that may be spoken, the one that is preferred first.')
      .meta({ 'x-kubernetes-list-type': 'set' }),
    insecureHttp: z
      .boolean()
      .default(false)
      .describe(
        'true allows http addresses: whoever is on the way reads and changes everything, credentials included. For endpoints within the cluster.',
      ),
    auth: auth.optional(),
    tls: tls.optional(),
    timeouts: timeouts.default({ connectSeconds: 10, requestSeconds: 60 }),
    retries: retries.default({
      limit: 5,
      backoffSeconds: 1,
      maxBackoffSeconds: 60,
      statuses: SAID_AGAIN,
      lostAnswer: 'Fail',
    }),
    pollSeconds: int('How often a task that is under way is asked for, at the most.', 1, 300).default(5),
    resources: resources.default({
      requests: { cpu: '50m', memory: '64Mi' },
      limits: { memory: '256Mi' },
    }),
  })
  .describe('Where an agent of shape remote answers, and how it is spoken to.')
  .meta({
    'x-kubernetes-validations': [
      {
        rule: 'has(self.url) || has(self.cardUrl)',
        message: 'remote: found neither url nor cardUrl; at least one of them says where it answers',
      },
      {
        rule: `self.insecureHttp || (${isHttps('url')} && ${isHttps('cardUrl')})`,
        message:
          'remote: found an http address; allowed are https addresses, and http with insecureHttp: true',
      },
    ],
  });

/** What an Agent of shape remote can say and one of another cannot, and the other way round. */
export const remoteRules = [
  {
    rule: "self.shape == 'remote' || !has(self.remote)",
    message: 'remote: found with another shape; allowed with shape: remote alone',
  },
  {
    rule: "self.shape != 'remote' || has(self.remote)",
    message: 'remote: found nothing with shape remote; needed is where it answers: url, or cardUrl',
  },
  {
    rule: "self.shape == 'remote' || has(self.container)",
    message: 'container: found nothing; needed with the shapes job and service',
  },
  {
    rule: "self.shape != 'remote' || !has(self.container)",
    message:
      'container: found with shape remote; allowed with the shapes job and service: what speaks to the endpoint comes from NexusOS, and its compute goes under remote.resources',
  },
  {
    rule: "self.shape != 'remote' || !has(self.gpu)",
    message:
      'gpu: found with shape remote; allowed with shape job alone: what speaks to the endpoint needs none',
  },
  {
    rule: "self.shape != 'remote' || !has(self.gang)",
    message: 'gang: found with shape remote; allowed with shape job alone: one pod speaks to the endpoint',
  },
];

/** How a remote agent is spoken to, after defaulting. */
export type RemoteSpec = z.output<typeof remote>;

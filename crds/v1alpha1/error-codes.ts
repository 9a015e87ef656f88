// SPDX-License-Identifier: Apache-2.0

/** The fixed set of error codes that users meet in status, events, admission messages and the CLI. */
export const ERROR_CODES = [
  'unauthorized',
  'forbidden',
  'not_found',
  'conflict',
  'invalid_request',
  'dependency_unavailable',
  'timeout',
  'rate_limited',
  'quota_exceeded',
  'policy_blocked',
  'policy_redacted',
  'internal_error',
] as const;

/** One of the twelve error codes; never anything else. */
export type ErrorCode = (typeof ERROR_CODES)[number];

/** What each code means, and what whoever meets it can do; for the reference. */
export const ERROR_CODE_MEANINGS: Readonly<
  Record<ErrorCode, { readonly means: string; readonly helps: string }>
> = {
  unauthorized: {
    means: 'Nobody knows who asks: a credential is missing, has expired or is not accepted.',
    helps: 'Give another credential. Of a remote agent: the Secret that `remote.auth` names.',
  },
  forbidden: {
    means: 'Who asks is known and may not, or a person has said no.',
    helps: 'Ask whoever gives rights in the namespace, or whom the message names.',
  },
  not_found: {
    means: 'Something that is named is not there, or is not known any more.',
    helps: 'Correct the name, or make what it names.',
  },
  conflict: {
    means:
      'What is there already stands against it: another object, another body for the same key, another state.',
    helps: 'Look at what the message names; then another name or key, or the same again later.',
  },
  invalid_request: {
    means:
      'It cannot be meant as it is written; the message names the field, what was found and what would pass.',
    helps: 'Correct it. The same again fails again.',
  },
  dependency_unavailable: {
    means:
      'Something that it needs does not answer or is not to be had: an image, a volume, a webhook, a registry, an endpoint.',
    helps: 'Try again later; if it stays, look at what the message names.',
  },
  timeout: {
    means: 'A time was over that somebody set: of the Run, of a decision, of an answer, of a request.',
    helps: 'Allow more time, or find out what took it.',
  },
  rate_limited: {
    means: 'It comes faster than is allowed.',
    helps: 'Come again later, as the message says, and more slowly.',
  },
  quota_exceeded: {
    means:
      'A limit or a budget has no room for it; the message names which, what is used and what is allowed.',
    helps: 'Wait until others give something back, ask for less, or have the limit raised.',
  },
  policy_blocked: {
    means:
      'A rule refuses it: a guardrail, an entitlement, a policy pack or a policy on images. The message names the rule.',
    helps: 'Do as the message says would pass, or ask whom it names for an exemption.',
  },
  policy_redacted: {
    means: 'A rule has found data that is to be taken out, and it is still there.',
    helps: 'Take it out.',
  },
  internal_error: {
    means:
      'It failed by itself, or in a way that nobody foresaw: a container that ends with an exit code, for one.',
    helps: 'Read the message and the logs.',
  },
};

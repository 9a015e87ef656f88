// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';

/** RFC 1123 label: lower case letters, digits and hyphens, starting and ending with a letter or digit. */
export const DNS_LABEL = '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$';
/** RFC 1123 subdomain. */
export const DNS_SUBDOMAIN = '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$';
/** A Kubernetes quantity that is not negative: digits, optional fraction, binary or decimal suffix or exponent. */
export const QUANTITY = '^[0-9]+(\\.[0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE][0-9]{1,2})?$';
/** Whole quantities: no point, and no suffix for parts. */
const COUNT = '^[0-9]+(k|[MGTPE]|[KMGTPE]i)?$';

/** A name of at most `max` characters that is a DNS label. */
export function dnsLabel(description: string, max = 63): z.ZodString {
  return z.string().min(1).max(max).regex(new RegExp(DNS_LABEL)).describe(description);
}

/** A name of at most 253 characters that is a DNS subdomain. */
export function dnsSubdomain(description: string): z.ZodString {
  return z.string().min(1).max(253).regex(new RegExp(DNS_SUBDOMAIN)).describe(description);
}

/** One key of a ConfigMap or Secret in the same namespace; `what` says what it is for. */
export function keyRef(kind: 'ConfigMap' | 'Secret', what: string) {
  return z
    .object({
      name: dnsSubdomain(`Name of a ${kind} in the same namespace.`),
      key: z
        .string()
        .min(1)
        .max(253)
        .regex(/^[-._a-zA-Z0-9]+$/)
        .describe('Key in it.'),
    })
    .describe(what);
}

/** A sentence or name for people, never interpreted. */
export function text(description: string, max = 1024): z.ZodString {
  return z.string().max(max).describe(description);
}

/**
 * A text that is spelt as `pattern` says (of RE2, without quotes and backslashes). What is spelt otherwise is answered with `wanted`, which says what
 * would pass, where an API server answers a pattern with the expression alone.
 */
export function spelt(schema: z.ZodString, pattern: string, wanted: string): z.ZodString {
  const rule = `self.matches('${pattern}')`;
  return heldTo(schema.regex(new RegExp(pattern), wanted), [{ rule, message: wanted }]);
}

/** A text that is held to further rules of CEL, beside those that it is held to. */
export function heldTo(schema: z.ZodString, rules: readonly object[]): z.ZodString {
  const before = (schema.meta()?.['x-kubernetes-validations'] ?? []) as readonly object[];
  return schema.meta({ 'x-kubernetes-validations': [...before, ...rules] });
}

/** Visible ASCII, with blanks only in between. */
const TOKEN = '^[!-~]([ -~]*[!-~])?$';

/**
 * A text that is compared: two that look the same are the same, and it can be part of a variable or a header. So no letters of other
 * scripts that look like those of ours, nothing invisible, and no blanks at the ends.
 */
export function token(description: string): z.ZodString {
  return z.string().min(1).max(255).regex(new RegExp(TOKEN)).describe(description);
}

/** A digest as registries write it, of SHA-256. */
export function sha256(description: string): z.ZodString {
  return z
    .string()
    .max(71)
    .regex(/^sha256:[0-9a-f]{64}$/)
    .describe(description);
}

/** An absolute URI without white space. */
export function uri(description: string): z.ZodString {
  return z
    .string()
    .min(1)
    .max(2048)
    .regex(/^[a-z][a-z0-9+.-]{1,31}:\/\/[^\s]+$/)
    .describe(description);
}

/** An integer from `min` to `max`. */
export function int(description: string, min: number, max: number): z.ZodInt {
  return z.int().min(min).max(max).describe(description);
}

/** The most attempts of a Run: somebody who suspends and resumes it all day for years does not come to them. */
export const MAX_ATTEMPTS = 1_000_000_000;

/** A number of attempts, or of one of them, from `min`. */
export function attempts(description: string, min: 0 | 1): z.ZodInt {
  return int(description, min, MAX_ATTEMPTS);
}

/** A quantity as Kubernetes writes it: `500m`, `2`, `16Gi`. */
export function quantity(description: string) {
  return z
    .union([z.int(), z.string().max(32)])
    .meta({ description, 'x-kubernetes-int-or-string': true, pattern: QUANTITY, minimum: 0 });
}

/** Quantities by the name of the resource they count. */
export function quantities(description: string, maxProperties = 32) {
  return z.record(z.string(), quantity('Amount of the resource.')).meta({ description, maxProperties });
}

/** The same of what is counted: Kubernetes refuses parts of it. By a pattern, as CEL over all of them is beyond its budget. */
export function counts(description: string, maxProperties = 32) {
  const count = quantity('A whole number.').meta({ pattern: COUNT });
  return z.record(z.string(), count).meta({ description, maxProperties });
}

/** A rule over two maps of quantities: what both name is not more in `lower` than in `upper`. */
export function notAbove(lower: string, upper: string): { readonly rule: string; readonly message: string } {
  const isNotAbove = `quantity(string(self.${lower}[k])).compareTo(quantity(string(self.${upper}[k]))) <= 0`;
  return {
    rule: `!has(self.${lower}) || !has(self.${upper}) || self.${lower}.all(k, !(k in self.${upper}) || ${isNotAbove})`,
    message: `${lower} must not be more than ${upper}`,
  };
}

/** Short strings by key, as labels and selectors are. */
export function stringMap(description: string, maxProperties = 32) {
  return z.record(z.string(), z.string().max(256)).meta({ description, maxProperties });
}

/** An instant in RFC 3339. */
export function instant(description: string) {
  return z.iso.datetime({ offset: true }).describe(description);
}

const condition = z.object({
  type: text('Kind of condition, PascalCase.', 316),
  status: z.enum(['True', 'False', 'Unknown']).describe('Whether the condition holds.'),
  observedGeneration: int(
    'Generation of the spec that this was judged on. Empty: that of the status as a whole.',
    0,
    Number.MAX_SAFE_INTEGER,
  ).optional(),
  lastTransitionTime: instant('When `status` last changed.'),
  reason: text('One word for programs, PascalCase.', 1024),
  message: text('A sentence for people: what was found and what would help.', 32768),
});

/** `metav1.Condition` list, a map by type. */
export function conditions(description: string) {
  return z
    .array(condition)
    .max(16)
    .meta({ description, 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'] });
}

/** Generation of the spec that a status speaks of. */
export function observedGeneration() {
  return int('Generation of the spec that this status speaks of.', 0, Number.MAX_SAFE_INTEGER);
}
